"""A process that a test started and left is found and named, also if its parent has ended."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from tests.helpers.leftovers import leftovers, name_of

SLEEP = "import time; time.sleep(3600)"
ORPHAN = (
    f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {SLEEP!r}], stdout=subprocess.DEVNULL).pid)"
)


@pytest.fixture
def orphan() -> Iterator[psutil.Process]:
    """A process whose parent has ended."""
    made = subprocess.run([sys.executable, "-c", ORPHAN], stdout=subprocess.PIPE, text=True, check=True)
    process = psutil.Process(int(made.stdout))
    yield process
    process.kill()


def test_an_orphan_is_found_and_named(orphan: psutil.Process) -> None:
    found = {process.pid: name_of(process) for process in leftovers(patience_s=0)}
    assert "time.sleep(3600)" in found[orphan.pid]


def test_a_process_that_has_ended_is_not_found() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait(60)
        assert ended.pid not in {process.pid for process in leftovers(patience_s=0)}
