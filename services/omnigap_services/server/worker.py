"""The threads that own the adapter: they load it, run batches from the queue, and close it at the end."""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import Future

from omnigap.errors import ContractError
from omnigap_services.adapter import Adapter, Card
from omnigap_services.failures import failure_of
from omnigap_services.server.batcher import BatchQueue
from omnigap_services.server.stream import ResponseStream

_log = logging.getLogger(__name__)


class Worker:
    """Runs `load`, `generate` and `close` of one adapter.

    The first thread owns the adapter from load to close, so an adapter needs no locks and may use libraries that are
    bound to one thread. More threads run `generate` only if the card asks for them (`workers`). All are daemons: a
    model that never returns must not keep a drained process alive.
    """

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        # Turns with text and with speech output never share a batch: models generate them in different ways.
        self._queue: BatchQueue[ResponseStream] = BatchQueue(lambda stream: stream.request.output, _abandoned)
        self._started = False
        self._closed: Future[None] = Future()
        self._helpers: list[threading.Thread] = []

    @property
    def pending(self) -> int:
        """Turns that wait for a batch."""
        return len(self._queue)

    async def load(self) -> Card:
        """Starts the owner thread and waits for its `load`; raises the exceptions of `load`."""
        loaded: Future[Card] = Future()
        # It can't be cancelled from here on: the owner sets it, also for a server that was stopped meanwhile.
        loaded.set_running_or_notify_cancel()
        self._started = True
        threading.Thread(target=self._own, args=(loaded,), name="owner", daemon=True).start()
        return await asyncio.wrap_future(loaded)

    def submit(self, stream: ResponseStream) -> None:
        """Adds a turn to the queue."""
        self._queue.put(stream)

    def discard(self, stream: ResponseStream) -> bool:
        """Removes a turn from the queue; False if a batch has taken it already."""
        return self._queue.discard(stream)

    async def stop(self, patience_s: float) -> bool:
        """Waits for the running batches and the adapter's `close`; False if that took longer than `patience_s`."""
        if not self._started:
            return True
        self._queue.stop()
        # `wait` and not `wait_for`: a timeout must not cancel the future, which the owner thread will set later.
        done, _ = await asyncio.wait([asyncio.wrap_future(self._closed)], timeout=patience_s)
        return bool(done)

    def _own(self, loaded: Future[Card]) -> None:
        try:
            card = self._adapter.load()
        except BaseException as error:
            # asyncio does not pass SystemExit and its like through a future: they would end the event loop.
            loaded.set_exception(error if isinstance(error, Exception) else RuntimeError(repr(error)))
            self._close()
            return
        self._queue.limit = card.max_batch_size
        self._queue.wait_s = card.batch_wait_s if card.workers == 1 else 0.0
        for number in range(1, card.workers):
            helper = threading.Thread(target=self._serve, name=f"worker-{number}", daemon=True)
            self._helpers.append(helper)
            helper.start()
        loaded.set_result(card)
        self._serve()
        # `close` frees what `generate` uses, so it waits for all threads.
        for helper in self._helpers:
            helper.join()
        self._close()

    def _close(self) -> None:
        try:
            self._adapter.close()
        except BaseException:  # SystemExit too: `stop` waits for the line below
            _log.exception("the adapter's close failed")
        self._closed.set_result(None)

    def _serve(self) -> None:
        while batch := self._queue.next_batch():
            for stream in batch:
                stream.start(len(batch))
            failure: ContractError | None = None
            try:
                self._adapter.generate(batch)
            except BaseException as error:  # SystemExit too: a library that calls exit() must not end the worker
                failure = failure_of(error)
                _log.warning("generate failed on a batch of %d: %s", len(batch), failure)
            # Turns that the adapter ended itself are not affected.
            for stream in batch:
                stream.finish(failure)


def _abandoned(stream: ResponseStream) -> bool:
    """Ends a turn that no caller waits for; true if it did."""
    if stream.cancelled:
        stream.abandon()
    return stream.cancelled
