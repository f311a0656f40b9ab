"""Calls to parts are taken back as soon as nobody waits for the answer any more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Gone = Callable[[], bool]
"""True once nobody waits for an answer."""

_POLL_S = 0.02


class Watch:
    """One thread that looks after all calls under way: whoever reads a stream is blocked until it ends."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._watched: list[tuple[Gone, Callable[[], object]]] = []
        self._closed = False
        threading.Thread(target=self._look, name="cascade-watch", daemon=True).start()

    @contextmanager
    def over(self, gone: Gone, cancel: Callable[[], object]) -> Iterator[None]:
        """Calls `cancel`, once, if `gone` becomes true within the block."""
        entry = (gone, cancel)
        with self._changed:
            self._watched.append(entry)
            self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._watched = [other for other in self._watched if other is not entry]

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _look(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._watched or self._closed)
                if self._closed:
                    return
                left = [entry for entry in self._watched if entry[0]()]
                self._watched = [entry for entry in self._watched if entry not in left]
            for _, cancel in left:
                cancel()
            threading.Event().wait(_POLL_S)
