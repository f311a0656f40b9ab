"""Where calls are admitted: joined to an answer that exists, refused, or decoded and handed to the worker."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Condition, Modality, Reason
from omnigap_services.adapter import Card, Request
from omnigap_services.failures import failure_of
from omnigap_services.server.answer import Answer
from omnigap_services.server.check import check_request
from omnigap_services.server.courier import Courier
from omnigap_services.server.decode import decode_request
from omnigap_services.server.describe import capacity, max_concurrent
from omnigap_services.server.metrics import Metrics
from omnigap_services.server.replay import Replays, payload_hash
from omnigap_services.server.turn import ServedTurn
from omnigap_services.server.worker import Worker

_DECODERS = 2


class Desk:
    """Admission of one loaded service. Belongs to the event loop.

    An answer is computed for all callers that join it, so it is driven from here and not from the call that began it.
    """

    def __init__(self, card: Card, digest: str, worker: Worker, metrics: Metrics) -> None:
        self.card = card
        self.draining = False
        self._digest = digest
        self._worker = worker
        self._metrics = metrics
        self._courier = Courier()
        self._replays = Replays()
        self._decoders = ThreadPoolExecutor(_DECODERS, "decoder")
        self._capacity = capacity(card)
        self._running: dict[Answer, ServedTurn | None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        metrics.watch("inflight", "Answers admitted and not ended.", lambda: len(self._running))
        metrics.watch("pending", "Requests that wait for a batch.", lambda: worker.pending)

    def open(self, message: pb.GenerateRequest, seconds: float | None) -> Answer:
        """The answer for a call that waits at most so many seconds; the caller follows it, then calls `leave`.

        Raises:
            ContractError: where the call is refused.
        """
        try:
            answer = self._find_or_begin(message)
        except ContractError as error:
            self._metrics.refused(error)
            raise
        answer.join(seconds)
        return answer

    def leave(self, answer: Answer) -> None:
        """A caller goes, served or not; the last one that goes early cancels the work."""
        if not answer.leave():
            return
        turn = self._running.get(answer)
        if turn is not None and self._worker.discard(turn):
            turn.give_up()

    async def drain(self, seconds: float) -> bool:
        """Refuses what comes from now on and waits for what runs; False where something still ran at the end."""
        self.draining = True
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            text = "the server is stopping and could not finish this answer: ask again, here later or elsewhere"
            for answer in list(self._running):
                answer.gone_away = True
                answer.end(ContractError(Reason.DRAINING, text))
            return False
        return True

    def close(self) -> None:
        self._decoders.shutdown(wait=False, cancel_futures=True)

    async def try_out(self, request: Request) -> None:
        """Answers one request as if it had come over the wire; raises the ContractError that it ended with."""
        answer = self._begin(None)
        answer.join(None)
        self._submit(answer, request)
        async for _ in answer.follow():
            pass

    def _find_or_begin(self, message: pb.GenerateRequest) -> Answer:
        if self.draining:
            raise ContractError(Reason.DRAINING, "the server is stopping: ask another one, or here once it is back")
        condition = check_request(message, self.card, self._digest)
        if not message.request_id:
            return self._begin_decoding(message, condition, "", b"")
        payload = payload_hash(message)
        found = self._replays.find(message.request_id, payload)
        # An answer that nobody waited for any more is being stopped: it cannot be joined.
        if found is not None and (found.ended or not found.gone):
            self._metrics.replayed()
            return found
        return self._begin_decoding(message, condition, message.request_id, payload)

    def _begin_decoding(
        self, message: pb.GenerateRequest, condition: Condition, request_id: str, payload: bytes
    ) -> Answer:
        answer = self._begin(condition, request_id)
        if request_id:
            self._replays.add(request_id, payload, answer)
        if condition.input is Modality.TEXT:
            self._decode(answer, message, condition.output)
        else:
            task = asyncio.create_task(self._decode_media(answer, message, condition.output))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return answer

    def _begin(self, condition: Condition | None, request_id: str = "") -> Answer:
        """A new answer within the server's capacity; raises BUSY beyond it. Without a condition it is not counted."""
        if len(self._running) >= self._capacity:
            text = (
                f"{self.card.name} holds {len(self._running)} calls and its queue is full (max_queue = "
                f"{self.card.max_queue}): send at most {max_concurrent(self.card)} at once, or try again later"
            )
            raise ContractError(Reason.BUSY, text)
        answer = Answer(partial(self._ended, condition, request_id))
        self._running[answer] = None
        self._idle.clear()
        return answer

    def _decode(self, answer: Answer, message: pb.GenerateRequest, output: Modality) -> None:
        try:
            request = decode_request(message, self.card, output)
        except Exception as error:
            answer.end(failure_of(error))
        else:
            self._submit(answer, request)

    async def _decode_media(self, answer: Answer, message: pb.GenerateRequest, output: Modality) -> None:
        loop = asyncio.get_running_loop()
        try:
            request = await loop.run_in_executor(self._decoders, decode_request, message, self.card, output)
        except Exception as error:
            answer.end(failure_of(error))
            return
        if answer.gone:
            answer.end(ContractError(Reason.CANCELLED, "the caller went away while its media were decoded"))
        else:
            self._submit(answer, request)

    def _submit(self, answer: Answer, request: Request) -> None:
        turn = ServedTurn(request, answer, self._courier, self._digest)
        self._running[answer] = turn
        self._worker.submit(turn)

    def _ended(self, condition: Condition | None, request_id: str, answer: Answer) -> None:
        self._running.pop(answer, None)
        if not self._running:
            self._idle.set()
        if request_id:
            self._replays.end(request_id, answer)
        if condition is None:
            return
        if answer.error is None:
            self._metrics.answered(condition.name, answer.events[-1].complete)
        else:
            self._metrics.failed(condition.name, answer.error)
