"""SIGTERM (`docker stop`, a batch system) and SIGHUP (a closed terminal) end a command as Ctrl-C does."""

from __future__ import annotations

import os
import signal
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType

_ENDING = (signal.SIGTERM, signal.SIGHUP)


@dataclass(slots=True)
class Received:
    """The signal that ends the command; 0 until one arrives."""

    number: int = 0

    def exit_code(self, interrupted: int) -> int:
        """128 plus the number of the signal, as shells have it; `interrupted` if it was Ctrl-C."""
        return 128 + self.number if self.number else interrupted


@contextmanager
def interrupted_by_signals() -> Iterator[Received]:
    """Treats SIGTERM and SIGHUP as Ctrl-C within the block; a signal that is ignored, as by nohup, stays ignored.

    Without a handler, a process with the ID 1 of a container would ignore SIGTERM.
    """
    received = Received()
    # Python delivers signals to the main thread only.
    if threading.current_thread() is not threading.main_thread():
        yield received
        return

    def end(number: int, frame: FrameType | None) -> None:
        received.number = number
        if number == signal.SIGHUP:
            _leave_terminal()
        on_interrupt = signal.getsignal(signal.SIGINT)
        # The handler of `asyncio.run` cancels the run, which then stops its services and closes the journal. A shell
        # that starts a command in the background has SIGINT ignored: there is no handler then.
        if callable(on_interrupt):
            on_interrupt(signal.SIGINT, frame)
        else:
            raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in _ENDING}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, end)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _leave_terminal() -> None:
    """Sends further output nowhere: writing to a terminal that was closed fails, which would stop the cleanup."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in (1, 2):
            with suppress(OSError):
                if stat.S_ISCHR(os.fstat(number).st_mode):
                    os.dup2(nowhere, number)
        os.close(nowhere)
