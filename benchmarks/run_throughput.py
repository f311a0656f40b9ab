"""How many cells a second the orchestrator finishes, what memory it takes, and how long resuming and reporting last.

    python benchmarks/run_throughput.py [--cells 6000 60000]

`echo` answers as model and as scorer, each in its own process; every speech answer has its own audio; carriers are made
before the clock starts; the journal syncs every commit and every medium is stored. Figures depend on the machine, which
is printed with them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from omnigap.vocabulary import Condition, Outcome
from omnigap_orchestrator.config import load_config
from omnigap_orchestrator.fleet import EmbeddedFleet, Role, Roster, ServiceSpec
from omnigap_orchestrator.items import load_items
from omnigap_orchestrator.run.drive import drive, rewrite
from omnigap_orchestrator.run.facts import machine
from omnigap_orchestrator.run.folder import RunFolder
from omnigap_orchestrator.run.observer import Silent
from omnigap_orchestrator.run.settings import ALL_STAGES, Restriction, Stage

ITEMS = 1_000
SERVICES = (
    ServiceSpec("echo", Role.MODEL, "echo"),
    ServiceSpec("ears", Role.SCORER, "echo"),
    ServiceSpec("voice", Role.TTS, "echo"),
)


class Clock(Silent):
    """Notes when the carriers were ready, and when the last cell was scored."""

    def __init__(self) -> None:
        super().__init__()
        self.began = self.ended = 0.0

    def planned(self, stage: Stage, model: str, condition: Condition, total: int, done: int) -> None:
        self.began = time.perf_counter()

    def finished(self, stage: Stage, model: str, condition: Condition, outcome: Outcome) -> None:
        self.ended = time.perf_counter()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, nargs="+", default=[6_000, 60_000], help="plan sizes, multiples of 6000")
    parser.add_argument("--measure", nargs=2, metavar=("STEP", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        step, folder = arguments.measure
        print(json.dumps(asyncio.run(_measure(step, Path(folder)))))
        return
    print(machine())
    print(f"{'cells':>7} {'cells/s':>8} {'memory MiB':>10} {'resume s':>9} {'report s':>9}")
    for cells in arguments.cells:
        print(_row(cells), flush=True)


def _row(cells: int) -> str:
    with tempfile.TemporaryDirectory(prefix="omnigap-bench-") as name:
        folder = Path(name)
        (folder / "items.jsonl").write_text("".join(_item(number) for number in range(ITEMS)))
        return asyncio.run(_with_services(folder, cells))


async def _with_services(folder: Path, cells: int) -> str:
    async with EmbeddedFleet(SERVICES, folder / "services", print) as roster:
        _write_config(folder, roster, max(1, cells // (6 * ITEMS)))
        await _step("carriers", folder)
        run = await _step("run", folder)
        resume = await _step("resume", folder)
        report = await _step("report", folder)
    rate = cells / run["seconds"]
    return f"{cells:>7} {rate:>8.0f} {run['memory_mib']:>10.0f} {resume['total_s']:>9.1f} {report['total_s']:>9.1f}"


async def _step(step: str, folder: Path) -> dict[str, float]:
    """Each step in a process of its own, as a person would type it: memory and start-up are then its own."""
    command = [sys.executable, __file__, "--measure", step, str(folder)]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    output, _ = await process.communicate()
    if process.returncode:
        raise SystemExit(f"{step} failed")
    figures: dict[str, float] = json.loads(output.splitlines()[-1])
    return figures


async def _measure(step: str, folder: Path) -> dict[str, float]:
    start = time.perf_counter()
    run_folder, clock = RunFolder(folder / "run"), Clock()
    if step == "report":
        rewrite(run_folder)
    else:
        config = load_config(folder / "bench.toml")
        restriction = Restriction(stages=(Stage.CARRIERS,) if step == "carriers" else ALL_STAGES)
        await drive(config, load_items(config.items), run_folder, restriction, clock)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": clock.ended - clock.began, "total_s": time.perf_counter() - start, "memory_mib": memory}


def _item(number: int) -> str:
    row = {
        "id": f"bench-{number:04}",
        "task": f"task-{number % 7}",
        "language": "en",
        "question": f"What is question number {number}?",
        "answers": [f"answer {number}"],
        "answer_type": "phrase",
    }
    return json.dumps(row) + "\n"


def _write_config(folder: Path, roster: Roster, replicates: int) -> None:
    (folder / "bench.toml").write_text(
        f"""
[run]
replicates = {replicates}
[items]
path = "items.jsonl"
[[models]]
name = "echo"
endpoints = {json.dumps(list(roster.models["echo"]))}
[scorer]
endpoints = {json.dumps(list(roster.scorer))}
[tts]
endpoints = {json.dumps(list(roster.tts))}
"""
    )


if __name__ == "__main__":
    main()
