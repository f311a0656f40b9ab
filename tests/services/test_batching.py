"""Many callers, one engine: who waits goes together, kinds stay apart, and nobody is served twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_services.batching import Batcher

PATIENCE_S = 30.0


class Engine:
    """Doubles numbers; keeps its batches, and works on the first one until the test lets it go on."""

    def __init__(self) -> None:
        self.batches: list[tuple[Hashable, list[int]]] = []
        self.entered = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, items: Sequence[int], kind: Hashable) -> list[int]:
        self.batches.append((kind, list(items)))
        self.entered.set()
        assert self.go_on.wait(PATIENCE_S)
        if -1 in items:
            raise ValueError("no root")
        return [2 * item for item in items]


class Crowd:
    """Callers in threads of their own, each in the queue before the next one comes."""

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
def crowd() -> Crowd:
    return Crowd()


def test_who_waits_goes_together_up_to_the_limit(crowd: Crowd) -> None:
    futures = [crowd.ask(item) for item in range(6)]
    crowd.engine.go_on.set()
    assert [future.result(PATIENCE_S) for future in futures] == [0, 2, 4, 6, 8, 10]
    assert crowd.engine.batches == [("a", [0]), ("a", [1, 2, 3]), ("a", [4, 5])]


def test_kinds_stay_apart_and_the_oldest_goes_first(crowd: Crowd) -> None:
    futures = [crowd.ask(0), crowd.ask(1, "b"), crowd.ask(2, "c"), crowd.ask(3, "b")]
    crowd.engine.go_on.set()
    assert [future.result(PATIENCE_S) for future in futures] == [0, 2, 4, 6]
    assert crowd.engine.batches == [("a", [0]), ("b", [1, 3]), ("c", [2])]


def test_what_nobody_waits_for_is_left_out(crowd: Crowd) -> None:
    gone = threading.Event()
    futures = [crowd.ask(0), crowd.ask(1, gone=gone.is_set), crowd.ask(2)]
    gone.set()
    crowd.engine.go_on.set()
    assert [futures[0].result(PATIENCE_S), futures[2].result(PATIENCE_S)] == [0, 4]
    with pytest.raises(ContractError) as left:
        futures[1].result(PATIENCE_S)
    assert left.value.reason is Reason.CANCELLED
    assert crowd.engine.batches == [("a", [0]), ("a", [2])]


def test_a_fault_of_the_engine_is_everybodys_of_that_batch_and_nobody_elses(crowd: Crowd) -> None:
    futures = [crowd.ask(0), crowd.ask(1), crowd.ask(-1), crowd.ask(3, "b")]
    crowd.engine.go_on.set()
    for future in futures[1:3]:
        with pytest.raises(ValueError, match="no root"):
            future.result(PATIENCE_S)
    assert [futures[0].result(PATIENCE_S), futures[3].result(PATIENCE_S)] == [0, 6]
