"""Noticing that the parent process is gone, so that no server outlives the run that started it."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_POLL_S = 1.0


async def parent_gone(parent: int | None = None) -> None:
    """Returns once this process's parent has ended.

    Args:
        parent: its process id, where it told us: it may end while we are still starting. None: who it is now.

    On Linux the kernel wakes us up. It sends the signal as well when only the *thread* that started us ends, so the
    signal is a reason to look at the parent's id, not a proof. Elsewhere, and for a signal that is lost, it is polled.
    """
    parent = parent or os.getppid()
    woken = asyncio.Event()
    if sys.platform == "linux":
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, woken.set)
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGUSR2, 0, 0, 0)
    while os.getppid() == parent:
        woken.clear()
        try:
            await asyncio.wait_for(woken.wait(), _POLL_S)
        except TimeoutError:
            continue
