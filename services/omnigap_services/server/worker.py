"""The threads that own the adapter: they load it, form batches from what waits, and close it at the end."""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import Future

from omnigap.errors import ContractError
from omnigap_services.adapter import Adapter, Card
from omnigap_services.batching import BatchQueue
from omnigap_services.failures import failure_of
from omnigap_services.server.turn import ServedTurn

_log = logging.getLogger(__name__)


class Worker:
    """Runs `load`, `generate` and `close` of one adapter.

    The first thread owns the adapter from load to close; more threads join it only where the card asks for them.
    All are daemons: a model that never returns must not keep a drained process alive.
    """

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        self._queue: BatchQueue[ServedTurn] = BatchQueue(lambda turn: turn.request.output, _given_up)
        self._started = False
        self._closed: Future[None] = Future()
        self._helpers: list[threading.Thread] = []

    @property
    def pending(self) -> int:
        """Turns that wait for a batch."""
        return len(self._queue)

    async def load(self) -> Card:
        """Starts the owner thread and waits for its `load`; whatever that raises is raised here."""
        loaded: Future[Card] = Future()
        self._started = True
        threading.Thread(target=self._own, args=(loaded,), name="owner", daemon=True).start()
        return await asyncio.wrap_future(loaded)

    def submit(self, turn: ServedTurn) -> None:
        """Adds a turn to what waits."""
        self._queue.put(turn)

    def discard(self, turn: ServedTurn) -> bool:
        """Removes a turn that still waits; False where a batch has it already."""
        return self._queue.discard(turn)

    async def stop(self, patience_s: float) -> bool:
        """Lets the running batches end and the adapter close; False where that took longer than `patience_s`."""
        if not self._started:
            return True
        self._queue.stop()
        done, _ = await asyncio.wait([asyncio.wrap_future(self._closed)], timeout=patience_s)
        return bool(done)

    def _own(self, loaded: Future[Card]) -> None:
        try:
            card = self._adapter.load()
        except BaseException as error:
            loaded.set_exception(error if isinstance(error, Exception) else RuntimeError(repr(error)))
            self._close()
            return
        self._queue.limit = card.max_batch_size
        for number in range(1, card.workers):
            helper = threading.Thread(target=self._serve, name=f"worker-{number}", daemon=True)
            self._helpers.append(helper)
            helper.start()
        loaded.set_result(card)
        self._serve()
        for helper in self._helpers:
            helper.join()
        self._close()

    def _close(self) -> None:
        try:
            self._adapter.close()
        except BaseException:  # also SystemExit: whoever stops the server waits for the line below
            _log.exception("the adapter's close failed")
        self._closed.set_result(None)

    def _serve(self) -> None:
        while batch := self._queue.next_batch():
            for turn in batch:
                turn.start(len(batch))
            failure: ContractError | None = None
            try:
                self._adapter.generate(batch)
            except BaseException as error:  # also SystemExit: a library's exit call must not end a worker
                failure = failure_of(error)
                _log.warning("generate failed on a batch of %d: %s", len(batch), failure)
            for turn in batch:
                turn.finish(failure)


def _given_up(turn: ServedTurn) -> bool:
    """Ends a turn for which nobody waits any more."""
    if turn.cancelled:
        turn.give_up()
    return turn.cancelled
