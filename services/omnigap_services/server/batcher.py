"""Batches from the requests of many callers: a queue that groups requests of one kind, and a thread that serves it."""

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
    """A first-in, first-out queue that is emptied in batches. All methods may be called from any thread.

    While one batch runs, the next requests arrive, so batches grow with the load. Without `wait_s` a batch starts at
    once, and of many requests that arrive together at an idle adapter the first one is alone in its batch.

    Attributes:
        limit: largest number of items in a batch.
        wait_s: seconds that an item waits for others before its batch starts; each that comes renews them, until the
            batch is full. Only for one thread that calls `next_batch`.
    """

    def __init__(
        self, kind: Callable[[ItemT], Hashable], dropped: Callable[[ItemT], bool] = lambda _: False, limit: int = 1
    ) -> None:
        """
        Args:
            kind: only items of the same kind share a batch.
            dropped: called on each item before it joins a batch; true leaves it out. It must end the item itself, since
                the queue forgets it.
        """
        self.limit = limit
        self.wait_s = 0.0
        self._kind = kind
        self._dropped = dropped
        # Guards the deque and the flag: `discard` and `_take` change what is in the middle of the queue.
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
        """Removes an item; False if a batch has taken it already."""
        with self._changed:
            try:
                self._waiting.remove(item)
            except ValueError:
                return False
        return True

    def stop(self) -> None:
        """Makes `next_batch` return an empty list from now on, in all threads, even if items are left."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def next_batch(self) -> list[ItemT]:
        """Waits for the next batch; empty once the queue is stopped."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._waiting or self._stopped)
                self._wait_for_more()
                if self._stopped:
                    return []
                # Empty if everything that waited was dropped.
                if batch := self._take():
                    return batch

    def _wait_for_more(self) -> None:
        """Waits until no item came for `wait_s`, or the next batch may be full."""
        while self.wait_s and not self._stopped and len(self._waiting) < self.limit:
            before = len(self._waiting)
            if not self._changed.wait_for(lambda: self._stopped or len(self._waiting) > before, self.wait_s):  # noqa: B023
                return

    def _take(self) -> list[ItemT]:
        """The oldest item and the next ones of its kind, up to the limit.

        Starting with the oldest item of any kind guarantees that no kind waits forever.
        """
        batch: list[ItemT] = []
        others: list[ItemT] = []
        while self._waiting and len(batch) < self.limit:
            item = self._waiting.popleft()
            if self._dropped(item):
                continue
            if batch and self._kind(item) != self._kind(batch[0]):
                others.append(item)
            else:
                batch.append(item)
        # Items of other kinds go back to the front in their order: they are older than what is left.
        self._waiting.extendleft(reversed(others))
        return batch


# eq=False: two equal requests are different callers, and their items (arrays) have no plain equality.
@dataclass(slots=True, eq=False)
class _Pending(Generic[ItemT, ResultT]):
    item: ItemT
    kind: Hashable
    gone: Gone
    result: Future[ResultT] = field(default_factory=Future)

    def dropped(self) -> bool:
        if self.gone():
            self.result.set_exception(ContractError(Reason.CANCELLED, "the caller went away before its turn came"))
        return self.result.done()


class Batcher(Generic[ItemT, ResultT]):
    """A thread that owns an engine and passes the requests of many threads through it in batches."""

    def __init__(self, name: str, work: Callable[[Sequence[ItemT], Hashable], Sequence[ResultT]], limit: int) -> None:
        """
        Args:
            name: of the thread.
            work: returns the results of items of one kind, in order; its exception is raised to all callers of the
                batch.
            limit: largest number of items in a batch.
        """
        self._work = work
        self._queue: BatchQueue[_Pending[ItemT, ResultT]] = BatchQueue(
            lambda pending: pending.kind, lambda pending: pending.dropped(), limit
        )
        threading.Thread(target=self._serve, name=name, daemon=True).start()

    @property
    def waiting(self) -> int:
        """Requests that no batch has taken yet."""
        return len(self._queue)

    def ask(self, item: ItemT, kind: Hashable, gone: Gone) -> ResultT:
        """The result of one item. Blocks; only items of the same kind share a batch.

        Raises:
            ContractError: CANCELLED if `gone` became true before a batch took the item; and what `work` raises.
        """
        pending: _Pending[ItemT, ResultT] = _Pending(item, kind, gone)
        self._queue.put(pending)
        return pending.result.result()

    def close(self) -> None:
        """Ends the thread after its current batch. No caller may wait any more: a queued request gets no result."""
        self._queue.stop()

    def _serve(self) -> None:
        while batch := self._queue.next_batch():
            try:
                results = self._work([pending.item for pending in batch], batch[0].kind)
                for pending, result in zip(batch, results, strict=True):
                    pending.result.set_result(result)
            except BaseException as error:  # SystemExit too: the callers wait for a result
                for pending in batch:
                    if not pending.result.done():
                        pending.result.set_exception(error)
