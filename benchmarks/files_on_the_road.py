"""Counts the product files that one cell passes through, from the command line to its score.

A file counts where one of its functions runs in the orchestrator's process between the start of `run` and the start of
the analysis. Importing a module does not count: that also runs the bodies of classes whose methods no cell calls.

    python benchmarks/files_on_the_road.py            # the number, then the files
    python benchmarks/files_on_the_road.py --fleet static --config study.toml
"""

from __future__ import annotations

import sys
import tempfile
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import omnigap
import omnigap_orchestrator
from omnigap_orchestrator.cli.main import main

ROOTS = tuple(str(Path(package.__file__ or "").parent) for package in (omnigap, omnigap_orchestrator))
NOT_ON_THE_ROAD = ("<module>", "<genexpr>", "<listcomp>", "<dictcomp>", "<setcomp>", "<lambda>")


class Road:
    """Collects files until the analysis starts.

    A class body is a frame too, named after its class; what runs under an import is told by the frames above it.
    """

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.over = False

    def trace(self, frame: FrameType, event: str, _: Any) -> None:
        if event != "call" or self.over:
            return
        file, name = frame.f_code.co_filename, frame.f_code.co_name
        if not file.startswith(ROOTS) or "_pb2" in file:
            return
        if name == "analyse" and f"{Path('omnigap_orchestrator', 'analysis')}" in file:
            self.over = True
        elif name not in NOT_ON_THE_ROAD and not under_import(frame):
            self.files.add(file)


def under_import(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_name == "<module>" and frame.f_code.co_filename.startswith(ROOTS):
            return True
        frame = frame.f_back
    return False


def cell(arguments: list[str]) -> Road:
    """Runs one cell, a spoken question with a spoken answer, in a folder of its own."""
    road = Road()
    with tempfile.TemporaryDirectory() as folder:
        command = ["run", "--limit", "1", "--conditions", "s2s", "--run-dir", f"{folder}/run", "--quiet", *arguments]
        threading.setprofile(road.trace)
        sys.setprofile(road.trace)
        try:
            main(command, standalone_mode=False)
        finally:
            sys.setprofile(None)
            threading.setprofile(None)  # type: ignore[arg-type]
    if not road.over:
        sys.exit("the analysis never started: the number would be of another road")
    return road


if __name__ == "__main__":
    found = cell(sys.argv[1:])
    names = sorted(
        str(Path(file).relative_to(Path(root).parent))
        for file in found.files
        for root in ROOTS
        if file.startswith(root + "/")
    )
    print(f"{len(names)} files on the road of one cell")
    for name in names:
        print(f"  {name}")
