"""Finds processes that a test run started and did not end, also those whose parents have ended."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator

import psutil

_MARK = "OMNIGAP_TEST_RUN"
# Helpers of Python itself, which end with the process that started them.
_OF_PYTHON = ("multiprocessing.resource_tracker", "multiprocessing.forkserver", "multiprocessing.spawn")
_POLL_S = 0.1


def mark_run() -> None:
    """Marks all processes that are started from now on; workers of the same run keep its mark."""
    # An environment variable, because a process whose parent died is no descendant any more.
    os.environ.setdefault(_MARK, uuid.uuid4().hex)


def leftovers(patience_s: float) -> list[psutil.Process]:
    """The processes of this run that are still alive after a time for those that are just ending."""
    end = time.monotonic() + patience_s
    while found := list(_marked()):
        if time.monotonic() > end:
            break
        time.sleep(_POLL_S)
    return found


def name_of(process: psutil.Process) -> str:
    """Process id and the start of the command line."""
    try:
        return f"{process.pid} {' '.join(process.cmdline())[:200]}"
    except psutil.Error:
        return str(process.pid)


def _marked() -> Iterator[psutil.Process]:
    mine = os.environ.get(_MARK)
    below = {child.pid for child in psutil.Process().children(recursive=True)}
    above = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for process in psutil.process_iter():
        try:
            if process.pid in above or process.status() == psutil.STATUS_ZOMBIE:
                continue
            ours = process.pid in below or (mine is not None and process.environ().get(_MARK) == mine)
            if ours and not any(name in " ".join(process.cmdline()) for name in _OF_PYTHON):
                yield process
        except psutil.Error:
            # It ended meanwhile, or belongs to another user.
            continue
