"""Throughput of the orchestrator in cells per second, its memory, and the duration of resuming and reporting.

    python benchmarks/run_throughput.py [--cells 6000 60000] [--profile]

`echo` answers as model and as scorer, each in its own process; every speech answer has its own audio; carriers are made
before the clock starts; the journal syncs every commit and every medium is stored. Figures depend on the machine, which
is printed with them.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from omnigap.vocabulary import Condition, Control, Outcome
from omnigap_orchestrator.config import load_config
from omnigap_orchestrator.export.run_info import machine
from omnigap_orchestrator.fleet import EmbeddedFleet, Endpoints, Role, ServiceSpec
from omnigap_orchestrator.items import load_items
from omnigap_orchestrator.pipeline.context import Observer
from omnigap_orchestrator.pipeline.folder import RunFolder
from omnigap_orchestrator.pipeline.scope import ALL_STAGES, RunScope, Stage
from omnigap_orchestrator.run import report, run

ITEMS = 1_000
SERVICES = (
    ServiceSpec("echo", Role.MODEL, "echo"),
    ServiceSpec("asr", Role.SCORER, "echo"),
    ServiceSpec("tts", Role.TTS, "echo"),
)


_KINDS = {
    "waiting for services, disk and threads": ("select.epoll", "'acquire' of", "'join' of"),
    "grpc": ("grpc", "_contextvars"),
    "analysis and report": ("/analysis/", "/report/", "matplotlib", "scipy", "numpy", "polars", "jinja2", "contourpy"),
    "scoring": ("/scoring/", "rapidfuzz", "re.Pattern"),
    "media store": ("media_store", "posix", "io.", "hashlib", "_io"),
    "journal": ("/journal/", "sqlite3"),
    "plan, dispatch and run": ("omnigap_orchestrator",),
    "asyncio": ("asyncio", "concurrent", "threading"),
}
"""Category of code -> patterns in its path or name; the first match counts."""


class Clock(Observer):
    """Records when the carriers were ready, and when the last cell was scored."""

    def __init__(self) -> None:
        super().__init__()
        self.began = self.ended = 0.0

    def planned(
        self, stage: Stage, model: str, condition: Condition, total: int, done: int, control: Control | None = None
    ) -> None:
        self.began = time.perf_counter()

    def finished(
        self, stage: Stage, model: str, condition: Condition, outcome: Outcome, control: Control | None = None
    ) -> None:
        self.ended = time.perf_counter()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, nargs="+", default=[6_000, 60_000], help="plan sizes, multiples of 6000")
    parser.add_argument("--profile", action="store_true", help="also show where the time goes")
    parser.add_argument("--measure", nargs=2, metavar=("STEP", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        step, folder = arguments.measure
        print(json.dumps(asyncio.run(_measure(step, Path(folder)))))
        return
    print(machine())
    print("cells/s from the first question to the last score; CPU in ms a cell; resume and report as whole commands")
    print(
        f"{'cells':>7} {'cells/s':>8} {'own CPU':>8} {'services':>8} {'memory MiB':>10} {'resume s':>9} {'report s':>9}"
    )
    for cells in arguments.cells:
        print(_row(cells), flush=True)
    if arguments.profile:
        print("where the orchestrator's process spends its time, share of the wall time of a run (profiled, so slower)")
        print(_profile(min(arguments.cells)), flush=True)


def _row(cells: int) -> str:
    run, resume, report = asyncio.run(_steps(cells, "run", "resume", "report"))
    return (
        f"{cells:>7} {cells / run['seconds']:>8.0f} {1000 * run['own_cpu_s'] / cells:>8.2f} "
        f"{1000 * run['services_cpu_s'] / cells:>8.2f} {run['memory_mib']:>10.0f} {resume['total_s']:>9.1f} "
        f"{report['total_s']:>9.1f}"
    )


def _profile(cells: int) -> str:
    (shares,) = asyncio.run(_steps(cells, "profile"))
    return "\n".join(f"  {share:>5.0%}  {name}" for name, share in sorted(shares.items(), key=lambda x: -x[1]))


async def _steps(cells: int, *steps: str) -> list[dict[str, float]]:
    """Prepares a folder with its carriers, then runs the steps on it, all with the same services."""
    with tempfile.TemporaryDirectory(prefix="omnigap-bench-") as name:
        folder = Path(name)
        (folder / "items.jsonl").write_text("".join(_item(number) for number in range(ITEMS)))
        async with EmbeddedFleet(SERVICES, folder / "services", print) as endpoints:
            _write_config(folder, endpoints, max(1, cells // (6 * ITEMS)))
            await _step("carriers", folder)
            return [await _step(step, folder) for step in steps]


async def _step(step: str, folder: Path) -> dict[str, float]:
    """Runs a step in a separate process, like a command: memory and start-up are then those of this step."""
    before = _services_cpu_s()
    command = [sys.executable, __file__, "--measure", step, str(folder)]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    output, _ = await process.communicate()
    if process.returncode:
        raise SystemExit(f"{step} failed")
    figures: dict[str, float] = json.loads(output.splitlines()[-1])
    return figures if step == "profile" else {**figures, "services_cpu_s": _services_cpu_s() - before}


def _services_cpu_s() -> float:
    """CPU seconds of the running child processes: only the services, once the process of a step has ended."""
    children = psutil.Process().children(recursive=True)
    return sum(times.user + times.system for times in (child.cpu_times() for child in children))


async def _measure(step: str, folder: Path) -> dict[str, float]:
    start = time.perf_counter()
    run_folder, clock = RunFolder(folder / "run"), Clock()
    if step == "report":
        report(run_folder, Observer())
    elif step == "profile":
        return await _profiled(folder, run_folder)
    else:
        await _drive(folder, run_folder, clock, (Stage.CARRIERS,) if step == "carriers" else ALL_STAGES)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "seconds": clock.ended - clock.began,
        "total_s": time.perf_counter() - start,
        "own_cpu_s": usage.ru_utime + usage.ru_stime,
        "memory_mib": usage.ru_maxrss / 1024,
    }


async def _drive(folder: Path, run_folder: RunFolder, clock: Clock, stages: tuple[Stage, ...]) -> None:
    config = load_config(folder / "bench.toml")
    await run(config, load_items(config.items), run_folder, RunScope(stages=stages), clock)


async def _profiled(folder: Path, run_folder: RunFolder) -> dict[str, float]:
    """Shares of the event loop's wall time, by what its code belongs to."""
    profile = cProfile.Profile()
    profile.enable()
    await _drive(folder, run_folder, Clock(), (Stage.GENERATE, Stage.TRANSCRIBE, Stage.SCORE))
    profile.disable()
    shares: dict[str, float] = {}
    for entry in profile.getstats():
        place = entry.code if isinstance(entry.code, str) else entry.code.co_filename
        name = next((name for name, marks in _KINDS.items() if any(mark in place for mark in marks)), "other")
        shares[name] = shares.get(name, 0.0) + entry.inlinetime
    total = sum(shares.values())
    return {name: share / total for name, share in shares.items()}


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


def _write_config(folder: Path, endpoints: Endpoints, replicates: int) -> None:
    (folder / "bench.toml").write_text(
        f"""
[run]
replicates = {replicates}
[items]
path = "items.jsonl"
[[models]]
name = "echo"
endpoints = {json.dumps(list(endpoints.models["echo"]))}
[scorer]
endpoints = {json.dumps(list(endpoints.scorer))}
[tts]
endpoints = {json.dumps(list(endpoints.tts))}
"""
    )


if __name__ == "__main__":
    main()
