"""What the container tests share: where the project lies, how Compose is called, and whether it can be."""

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
"""Name of the tests' own Compose project, so that nobody's containers are touched."""


def compose(*arguments: str, timeout_s: float = 300, check: bool = True, **variables: str) -> str:
    """What `docker compose ARGUMENTS` printed, with `variables` in its environment.

    Raises:
        AssertionError: where it failed and `check` is set; the message holds all that was printed.
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
def engine_to_itself() -> Iterator[None]:
    """One module at a time: they share the project's name, its ports and its images, and may run in two processes."""
    with (Path(tempfile.gettempdir()) / f"{PROJECT}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@functools.cache
def missing_cli() -> str | None:
    """Why `docker compose` can't be called, or None."""
    return _fault(["docker", "compose", "version"], "the docker command with its Compose plugin")


@functools.cache
def missing_engine() -> str | None:
    """Why no engine can be used, or None."""
    return missing_cli() or _fault(["docker", "info"], "a Docker engine")


def _fault(command: list[str], what: str) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{what} does not answer: {error}"
    said = done.stderr.strip().splitlines() or ["no reason given"]
    return f"{what} does not answer: {said[-1]}" if done.returncode else None
