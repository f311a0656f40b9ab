"""Batches of many callers: waiting requests share a batch, kinds are separate, cancelled requests are dropped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_services.server.batcher import Batcher

PATIENCE_S = 30.0


class Engine:
    """Doubles numbers and records its batches; the first batch blocks until the test resumes it."""

    def __init__(self) -> None:
        self.batches: list[tuple[Hashable, list[int]]] = []
        self.entered = threading.Event()
        self.resume = threading.Event()

    def __call__(self, items: Sequence[int], kind: Hashable) -> list[int]:
        self.batches.append((kind, list(items)))
        self.entered.set()
        assert self.resume.wait(PATIENCE_S)
        if -1 in items:
            raise ValueError("negative")
        return [2 * item for item in items]


class Callers:
    """Callers in separate threads; each is in the queue before the next one starts."""

    def __init__(self, limit: int = 3) -> None:
        self.engine = Engine()
        self.batcher: Batcher[int, int] = Batcher("engine", self.engine, limit)
        self._pool = ThreadPoolExecutor(16)

    def ask(self, item: int, kind: Hashable = "a", gone: Callable[[], bool] = lambda: False) -> Future[int]:
        waiting = self.batcher.waiting
        first = not self.engine.entered.is_set()
        future = self._pool.submit(self.batcher.ask, item, kind, gone)
        if first:
            assert self.engine.entered.wait(PATIENCE_S)
        else:
            while self.batcher.waiting == waiting:
                threading.Event().wait(0.001)
        return future


@pytest.fixture
def callers() -> Callers:
    return Callers()


def test_waiting_requests_share_a_batch_up_to_the_limit(callers: Callers) -> None:
    futures = [callers.ask(item) for item in range(6)]
    callers.engine.resume.set()
    assert [future.result(PATIENCE_S) for future in futures] == [0, 2, 4, 6, 8, 10]
    assert callers.engine.batches == [("a", [0]), ("a", [1, 2, 3]), ("a", [4, 5])]


def test_kinds_are_separate_and_the_oldest_is_first(callers: Callers) -> None:
    futures = [callers.ask(0), callers.ask(1, "b"), callers.ask(2, "c"), callers.ask(3, "b")]
    callers.engine.resume.set()
    assert [future.result(PATIENCE_S) for future in futures] == [0, 2, 4, 6]
    assert callers.engine.batches == [("a", [0]), ("b", [1, 3]), ("c", [2])]


def test_a_request_whose_caller_is_gone_is_dropped(callers: Callers) -> None:
    gone = threading.Event()
    futures = [callers.ask(0), callers.ask(1, gone=gone.is_set), callers.ask(2)]
    gone.set()
    callers.engine.resume.set()
    assert [futures[0].result(PATIENCE_S), futures[2].result(PATIENCE_S)] == [0, 4]
    with pytest.raises(ContractError) as left:
        futures[1].result(PATIENCE_S)
    assert left.value.reason is Reason.CANCELLED
    assert callers.engine.batches == [("a", [0]), ("a", [2])]


def test_an_exception_fails_all_requests_of_its_batch_and_no_others(callers: Callers) -> None:
    futures = [callers.ask(0), callers.ask(1), callers.ask(-1), callers.ask(3, "b")]
    callers.engine.resume.set()
    for future in futures[1:3]:
        with pytest.raises(ValueError, match="negative"):
            future.result(PATIENCE_S)
    assert [futures[0].result(PATIENCE_S), futures[3].result(PATIENCE_S)] == [0, 6]
