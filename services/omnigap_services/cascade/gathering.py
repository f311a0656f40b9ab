"""Callers of many threads served together: whoever finds the work free does it for all who wait."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_services.cascade.watch import Gone

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class Gatherer(Generic[ItemT, ResultT]):
    """Turns single questions into batches for an engine that one thread at a time may use."""

    def __init__(self, work: Callable[[Sequence[ItemT], Hashable], Sequence[ResultT]], limit: int) -> None:
        """
        Args:
            work: the results of some items of one kind, in order; its exception is raised to all who asked.
            limit: items at once.
        """
        self._work = work
        self._limit = limit
        self._adding = threading.Lock()
        self._working = threading.Lock()
        self._waiting: deque[tuple[ItemT, Hashable, Gone, Future[ResultT]]] = deque()

    def ask(self, item: ItemT, kind: Hashable, gone: Gone) -> ResultT:
        """The result of one item; only items of the same kind go together.

        Raises:
            ContractError: CANCELLED where `gone` became true before its turn came; and what `work` raises.
        """
        mine: Future[ResultT] = Future()
        with self._adding:
            self._waiting.append((item, kind, gone, mine))
        with self._working:
            # Those who waited before are served first, maybe in several rounds; whoever worked before us may have
            # served us already.
            while not mine.done():
                self._serve()
        return mine.result()

    def _serve(self) -> None:
        batch = self._take()
        if not batch:
            return
        try:
            results = self._work([item for item, _, _, _ in batch], batch[0][1])
            for (_, _, _, future), result in zip(batch, results, strict=True):
                future.set_result(result)
        except BaseException as error:
            for _, _, _, future in batch:
                if not future.done():
                    future.set_exception(error)

    def _take(self) -> list[tuple[ItemT, Hashable, Gone, Future[ResultT]]]:
        """The oldest item and those of its kind, without whatever nobody waits for."""
        batch: list[tuple[ItemT, Hashable, Gone, Future[ResultT]]] = []
        with self._adding:
            others = []
            while self._waiting and len(batch) < self._limit:
                entry = self._waiting.popleft()
                _, kind, gone, future = entry
                if gone():
                    future.set_exception(ContractError(Reason.CANCELLED, "nobody waits for this answer any more"))
                elif batch and kind != batch[0][1]:
                    others.append(entry)
                else:
                    batch.append(entry)
            self._waiting.extendleft(reversed(others))
        return batch
