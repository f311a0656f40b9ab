"""Shared by the container tests: the folder of the project, calls of Compose, and whether an engine is available."""

from __future__ import annotations

import fcntl
import functools
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "omnigap-test"
"""Name of the Compose project of the tests, so that no other containers are touched."""


def compose(*arguments: str, timeout_s: float = 300, check: bool = True, **variables: str) -> str:
    """Runs `docker compose ARGUMENTS` with `variables` in its environment; returns its output.

    Raises:
        AssertionError: it failed and `check` is set; the message has its whole output.
    """
    done = subprocess.run(
        ["docker", "compose", *arguments],
        cwd=ROOT,
        env={**os.environ, "COMPOSE_PROJECT_NAME": PROJECT, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    shown = f"docker compose {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert not check or done.returncode == 0, shown
    return done.stdout


@contextmanager
def exclusive_engine() -> Iterator[None]:
    """Holds a lock: the modules share project name, ports and images, and may run in two processes."""
    with (Path(tempfile.gettempdir()) / f"{PROJECT}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@functools.cache
def missing_cli() -> str | None:
    """Why `docker compose` can't be called; None if it can."""
    return _fault(["docker", "compose", "version"], "the docker command with its Compose plugin")


@functools.cache
def missing_engine() -> str | None:
    """Why no engine can be used; None if one can."""
    return missing_cli() or _fault(["docker", "info"], "a Docker engine")


def _fault(command: list[str], what: str) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{what} does not answer: {error}"
    output = done.stderr.strip().splitlines() or ["no reason given"]
    return f"{what} does not answer: {output[-1]}" if done.returncode else None
