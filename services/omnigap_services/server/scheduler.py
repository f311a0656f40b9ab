"""Admits calls: joins one to an answer that exists, refuses it, or decodes it and queues it for the worker."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Condition, Modality, Reason
from omnigap_services.adapter import Card, Request
from omnigap_services.failures import failure_of
from omnigap_services.server.describe import capacity, max_concurrent
from omnigap_services.server.metrics import Metrics
from omnigap_services.server.replay import ReplayCache, payload_hash
from omnigap_services.server.request import check_request, decode_request
from omnigap_services.server.response import ResponseLog, Result
from omnigap_services.server.stream import LoopBridge, ResponseStream
from omnigap_services.server.worker import Worker

# Memory of answers that have ended, but that a caller has not read to the end. A client that does not read keeps its
# answers here for as long as its calls last.
_MAX_UNREAD_BYTES = 256 * 1024 * 1024

# Threads that decode media, so that the event loop stays free for other calls.
_DECODERS = 2


class Scheduler:
    """Admission of one loaded service. Belongs to the event loop; only the worker and the decoders run elsewhere.

    An answer may have several callers (`ReplayCache`), so its tasks belong to the scheduler and not to the call that
    started it: the first caller may leave while others still wait.

    Attributes:
        draining: new calls are refused.
        restart_reason: why the service is ending to be started again, for the refusals.
    """

    def __init__(self, card: Card, digest: str, worker: Worker, metrics: Metrics) -> None:
        self.card = card
        self.draining = False
        self.restart_reason = ""
        self._digest = digest
        self._worker = worker
        self._metrics = metrics
        self._bridge = LoopBridge()
        self._replays = ReplayCache()
        self._decoders = ThreadPoolExecutor(_DECODERS, "decoder")
        self._capacity = capacity(card)
        # Admitted and not ended. The value is None while media are decoded, before there is a stream.
        self._running: dict[ResponseLog, ResponseStream | None] = {}
        # asyncio keeps only weak references to tasks, so they are held here until they are done.
        self._tasks: set[asyncio.Task[None]] = set()
        # Ended and still read by callers, with their sizes.
        self._unread: dict[ResponseLog, int] = {}
        self._unread_bytes = 0
        self._idle = asyncio.Event()
        self._idle.set()
        metrics.watch("inflight", "Answers admitted and not ended.", lambda: len(self._running))
        metrics.watch("pending", "Requests that wait for a batch.", lambda: worker.pending)

    def admit(self, message: pb.GenerateRequest, seconds: float | None) -> ResponseLog:
        """The log of the answer to a call with a deadline in `seconds`; the caller follows it, then calls `leave`.

        Raises:
            ContractError: if the call is refused.
        """
        try:
            log = self._find_or_start(message)
        except ContractError as error:
            self._metrics.refused(error)
            raise
        log.join(seconds)
        if log.ended:
            self._count_unread(log)
        return log

    def leave(self, log: ResponseLog) -> None:
        """Removes a caller, whether it was answered or not; the last one that leaves early cancels the work."""
        left_early = log.leave()
        if not log.callers:
            self._unread_bytes -= self._unread.pop(log, 0)
        if not left_early:
            return
        # A turn that still waits is ended here and frees its place in the queue. One that a batch has taken is ended by
        # the worker once the adapter stops at `turn.cancelled`.
        stream = self._running.get(log)
        if stream is not None and self._worker.discard(stream):
            stream.abandon()

    async def drain(self, seconds: float) -> bool:
        """Refuses new calls and waits for the running answers; False if some had not ended after `seconds`."""
        self.draining = True
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            text = "the server is stopping and could not finish this answer: ask again, here later or another replica"
            for log in list(self._running):
                # Marks the turn cancelled for the adapter, which runs in another thread; the callers get the error now.
                log.callers_left = True
                log.end(ContractError(Reason.DRAINING, text))
            return False
        return True

    def close(self) -> None:
        self._decoders.shutdown(wait=False, cancel_futures=True)

    async def warm_up(self, request: Request) -> None:
        """Answers one request as if a caller had sent it; raises the ContractError that it ended with."""
        log = self._start(None)
        log.join(None)
        self._submit(log, request)
        try:
            async for _ in log.follow():
                pass
        finally:
            self.leave(log)

    def _find_or_start(self, message: pb.GenerateRequest) -> ResponseLog:
        if self.draining:
            why = f" ({self.restart_reason})" if self.restart_reason else ""
            text = f"the server is stopping{why}: ask another replica, or here after a restart"
            raise ContractError(Reason.DRAINING, text)
        condition = check_request(message, self.card, self._digest)
        if not message.request_id:
            return self._start_decoding(message, condition, "", b"")
        payload = payload_hash(message)
        found = self._replays.find(message.request_id, payload)
        # An abandoned answer is being cancelled and will end as an error, so it is not joined but started again.
        if found is not None and (found.ended or not found.abandoned):
            self._metrics.replayed()
            return found
        return self._start_decoding(message, condition, message.request_id, payload)

    def _start_decoding(
        self, message: pb.GenerateRequest, condition: Condition, request_id: str, payload: bytes
    ) -> ResponseLog:
        log = self._start(condition, request_id)
        if request_id:
            self._replays.add(request_id, payload, log)
        if condition.input is Modality.TEXT:
            # Text needs no decoding worth a thread: it reaches the queue in the order of the calls.
            self._decode(log, message, condition.output)
        else:
            task = asyncio.create_task(self._decode_media(log, message, condition.output))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return log

    def _start(self, condition: Condition | None, request_id: str = "") -> ResponseLog:
        """A new log; raises BUSY at the server's capacity. Without a condition (warm-up) it is left out of metrics.

        The limit counts answers from admission on, those whose media are being decoded too: memory is bounded by it.
        """
        if len(self._running) >= self._capacity:
            text = (
                f"{self.card.name} holds {len(self._running)} calls and its queue is full (max_queue = "
                f"{self.card.max_queue}): send at most {max_concurrent(self.card)} at once, or try again later"
            )
            raise ContractError(Reason.BUSY, text)
        if self._unread_bytes > _MAX_UNREAD_BYTES:
            text = f"{len(self._unread)} answers of {self.card.name} wait to be read by their callers: try again later"
            raise ContractError(Reason.BUSY, text)
        log = ResponseLog(partial(self._ended, condition, request_id))
        self._running[log] = None
        self._idle.clear()
        return log

    def _decode(self, log: ResponseLog, message: pb.GenerateRequest, output: Modality) -> None:
        try:
            request = decode_request(message, self.card, output)
        except Exception as error:
            log.end(failure_of(error))
        else:
            self._submit(log, request)

    async def _decode_media(self, log: ResponseLog, message: pb.GenerateRequest, output: Modality) -> None:
        loop = asyncio.get_running_loop()
        try:
            request = await loop.run_in_executor(self._decoders, decode_request, message, self.card, output)
        except Exception as error:
            log.end(failure_of(error))
            return
        # `leave` could not discard it from the queue, since it was not there yet.
        if log.abandoned:
            log.end(log.abandonment())
        else:
            self._submit(log, request)

    def _submit(self, log: ResponseLog, request: Request) -> None:
        stream = ResponseStream(request, log, self._bridge, self._digest)
        self._running[log] = stream
        self._worker.submit(stream)

    def _count_unread(self, log: ResponseLog) -> None:
        if log not in self._unread:
            self._unread[log] = log.size
            self._unread_bytes += log.size

    def _ended(self, condition: Condition | None, request_id: str, log: ResponseLog, result: Result) -> None:
        self._running.pop(log, None)
        if not self._running:
            self._idle.set()
        if log.callers:
            self._count_unread(log)
        if request_id:
            self._replays.end(request_id, log)
        if condition is None:
            return
        if isinstance(result, ContractError):
            self._metrics.failed(condition.name, result)
        else:
            self._metrics.answered(condition.name, result)
