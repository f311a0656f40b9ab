"""Counts the product files that one cell passes through, from the command line to its score.

A file counts where one of its functions runs in the orchestrator's process between the start of `run` and the start of
the analysis. Importing a module does not count: that also runs the bodies of classes whose methods no cell calls.
Extras and the hook that finds them (extension.py) do not count either: a run works without them.

    python benchmarks/files_per_cell.py               # the number, then the files
    python benchmarks/files_per_cell.py --check 45    # exit status 1 for more
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import polars as pl
import tomli_w

import omnigap
import omnigap_orchestrator
from omnigap_orchestrator.cli.main import main
from omnigap_orchestrator.fleet import DEFAULT_SERVICES, EmbeddedFleet, Endpoints

# With the separator: installed side by side, `omnigap` is also how `omnigap_services` begins.
ROOTS = tuple(f"{Path(package.__file__ or '').parent}{os.sep}" for package in (omnigap, omnigap_orchestrator))
ANALYSIS = f"{ROOTS[1]}analysis{os.sep}"
OPTIONAL = (f"{ROOTS[1]}extras{os.sep}", f"{ROOTS[1]}extension.py")
NOT_COUNTED = ("<module>", "<genexpr>", "<listcomp>", "<dictcomp>", "<setcomp>", "<lambda>")


class CalledFiles:
    """Collects files until the analysis starts.

    Running a class body pushes a frame too, named after the class. Code that runs during an import is recognised by
    the import machinery in the frames above it.
    """

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.over = False

    def trace(self, frame: FrameType, event: str, _: Any) -> None:
        if event != "call" or self.over:
            return
        file, name = frame.f_code.co_filename, frame.f_code.co_name
        if not file.startswith(ROOTS) or file.startswith(OPTIONAL) or "_pb2" in file:
            return
        if name in NOT_COUNTED or under_import(frame):
            return
        if file.startswith(ANALYSIS):
            self.over = True
        else:
            self.files.add(file)


def under_import(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_name == "<module>" and frame.f_code.co_filename.startswith(ROOTS):
            return True
        frame = frame.f_back
    return False


@contextmanager
def services(folder: Path) -> Iterator[Endpoints]:
    """The shipped services, started before counting begins and by a thread that is not traced."""
    started: Future[Endpoints] = Future()
    done = threading.Event()

    async def hold() -> None:
        async with EmbeddedFleet(DEFAULT_SERVICES[:3], folder, lambda _: None) as endpoints:
            started.set_result(endpoints)
            await asyncio.to_thread(done.wait)

    holder = threading.Thread(target=lambda: asyncio.run(hold()))
    holder.start()
    try:
        yield started.result()
    finally:
        done.set()
        holder.join()


def study(endpoints: Endpoints) -> str:
    """A configuration whose plan is one cell: a spoken question with a spoken answer."""
    (model,) = endpoints.models.values()
    return tomli_w.dumps(
        {
            "run": {"conditions": ["s2s"]},
            "items": {"limit": 1},
            "models": [{"name": "demo", "endpoints": list(model)}],
            "tts": {"endpoints": list(endpoints.tts)},
            "scorer": {"endpoints": list(endpoints.scorer)},
        }
    )


def cell() -> CalledFiles:
    """Runs one cell in a separate folder.

    Raises:
        SystemExit: the cell gets no score, or the analysis is not reached, so that the number would be wrong.
    """
    called = CalledFiles()
    with tempfile.TemporaryDirectory() as place, services(Path(place, "services")) as endpoints:
        config, folder = Path(place, "study.toml"), Path(place, "run")
        config.write_text(study(endpoints), encoding="utf-8")
        threading.setprofile(called.trace)
        sys.setprofile(called.trace)
        try:
            main(["run", "--config", str(config), "--run-dir", str(folder), "--quiet"], standalone_mode=False)
        finally:
            sys.setprofile(None)
            threading.setprofile(None)  # type: ignore[arg-type]
        if not called.over:
            sys.exit("the analysis never started")
        if pl.read_parquet(folder / "results.parquet")["score"].count() != 1:
            sys.exit("the cell has no score")
    return called


def shown(file: str) -> str:
    """A file from its package on."""
    root = next(root for root in ROOTS if file.startswith(root))
    return str(Path(file).relative_to(Path(root).parent))


def report(arguments: list[str]) -> int:
    """Prints the number and the files; returns the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", type=int, metavar="N", help="exit with 1 for more than N files")
    own = parser.parse_args(arguments)
    names = sorted(shown(file) for file in cell().files)
    print(f"{len(names)} files that one cell passes through")
    for name in names:
        print(f"  {name}")
    if own.check is None or len(names) <= own.check:
        return 0
    print(f"more than {own.check} files", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(report(sys.argv[1:]))
