"""Batches from what many callers ask: one queue, taken from by whichever thread is free."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_services.loop_thread import Gone

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class BatchQueue(Generic[ItemT]):
    """What waits, in the order in which it came. All methods may be called from any thread.

    Attributes:
        limit: items of one batch.
    """

    def __init__(
        self, kind: Callable[[ItemT], Hashable], given_up: Callable[[ItemT], bool] = lambda _: False, limit: int = 1
    ) -> None:
        """
        Args:
            kind: only items of the same kind go together.
            given_up: asked of each item as its turn comes; true leaves it out of the batch. It ends the item itself.
        """
        self.limit = limit
        self._kind = kind
        self._given_up = given_up
        self._changed = threading.Condition()
        self._waiting: deque[ItemT] = deque()
        self._stopped = False

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, item: ItemT) -> None:
        with self._changed:
            self._waiting.append(item)
            self._changed.notify()

    def discard(self, item: ItemT) -> bool:
        """Removes an item that still waits; False where a batch has it already."""
        with self._changed:
            try:
                self._waiting.remove(item)
            except ValueError:
                return False
        return True

    def stop(self) -> None:
        """Lets `next_batch` give nothing more, whatever still waits."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def next_batch(self) -> list[ItemT]:
        """Waits for items that go together; empty once the queue is stopped."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._waiting or self._stopped)
                if self._stopped:
                    return []
                if batch := self._take():
                    return batch

    def _take(self) -> list[ItemT]:
        """The oldest item and those behind it of its kind, up to the limit; the rest stays."""
        batch: list[ItemT] = []
        others: list[ItemT] = []
        while self._waiting and len(batch) < self.limit:
            item = self._waiting.popleft()
            if self._given_up(item):
                continue
            if batch and self._kind(item) != self._kind(batch[0]):
                others.append(item)
            else:
                batch.append(item)
        self._waiting.extendleft(reversed(others))
        return batch


@dataclass(slots=True, eq=False)
class _Asked(Generic[ItemT, ResultT]):
    item: ItemT
    kind: Hashable
    gone: Gone
    result: Future[ResultT] = field(default_factory=Future)

    def given_up(self) -> bool:
        if self.gone():
            self.result.set_exception(ContractError(Reason.CANCELLED, "nobody waits for this answer any more"))
        return self.result.done()


class Batcher(Generic[ItemT, ResultT]):
    """A thread that owns an engine: single questions of many threads go through it in batches."""

    def __init__(self, name: str, work: Callable[[Sequence[ItemT], Hashable], Sequence[ResultT]], limit: int) -> None:
        """
        Args:
            name: of the thread.
            work: the results of some items of one kind, in order; its exception is raised to all who asked.
            limit: items at once.
        """
        self._work = work
        self._queue: BatchQueue[_Asked[ItemT, ResultT]] = BatchQueue(
            lambda asked: asked.kind, lambda asked: asked.given_up(), limit
        )
        threading.Thread(target=self._serve, name=name, daemon=True).start()

    @property
    def waiting(self) -> int:
        """Questions that no batch has yet."""
        return len(self._queue)

    def ask(self, item: ItemT, kind: Hashable, gone: Gone) -> ResultT:
        """The result of one item; only items of the same kind go together.

        Raises:
            ContractError: CANCELLED where `gone` became true before its turn came; and what `work` raises.
        """
        asked: _Asked[ItemT, ResultT] = _Asked(item, kind, gone)
        self._queue.put(asked)
        return asked.result.result()

    def close(self) -> None:
        """Ends the thread after the batch that it works on. For when nobody asks any more."""
        self._queue.stop()

    def _serve(self) -> None:
        while batch := self._queue.next_batch():
            try:
                results = self._work([asked.item for asked in batch], batch[0].kind)
                for asked, result in zip(batch, results, strict=True):
                    asked.result.set_result(result)
            except BaseException as error:  # also SystemExit: whoever asked waits for the result
                for asked in batch:
                    if not asked.result.done():
                        asked.result.set_exception(error)
