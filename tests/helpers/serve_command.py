"""`omnigap-serve` as a command: what it announces, and how it fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAM = str(Path(sys.executable).with_name("omnigap-serve"))
PATIENCE_S = 30.0

Launch = Callable[..., "subprocess.Popen[str]"]
"""Starts the command with arguments and, as keywords, variables of the environment."""


@contextmanager
def launching(folder: Path) -> Iterator[Launch]:
    """Starts commands in a folder; processes that still run at the end are killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [PROGRAM, *arguments],
            cwd=folder,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def announced(process: subprocess.Popen[str]) -> dict[str, object]:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate(timeout=PATIENCE_S)[1]
    return json.loads(line)


def failure(process: subprocess.Popen[str]) -> str:
    """The error output of a command that must exit with 1 and print nothing on stdout."""
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1, err
    assert out == ""
    return err
