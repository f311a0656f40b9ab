"""Answers by request id: the same call again joins the running answer or replays the finished one."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass

from omnigap.channel import REPLAY_SECONDS
from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason
from omnigap_services.server.answer import Answer

KEPT_BYTES = 64 * 1024 * 1024
"""Bound for all finished answers together; the least recently used go first."""


def payload_hash(request: pb.GenerateRequest) -> bytes:
    """SHA-256 over the request, in the field order that deterministic serialisation gives."""
    return hashlib.sha256(request.SerializeToString(deterministic=True)).digest()


@dataclass(slots=True)
class _Kept:
    answer: Answer
    payload: bytes
    size: int = 0
    expires: float = float("inf")


class Replays:
    """The answers that have a request id. Belongs to the event loop."""

    def __init__(self, kept_bytes: int = KEPT_BYTES, seconds: float = REPLAY_SECONDS) -> None:
        self._max_bytes = kept_bytes
        self._seconds = seconds
        self._bytes = 0
        self._running: dict[str, _Kept] = {}
        self._finished: OrderedDict[str, _Kept] = OrderedDict()

    def find(self, request_id: str, payload: bytes) -> Answer | None:
        """The answer of this id, running or finished less than ten minutes ago.

        Raises:
            ContractError: REQUEST_ID_REUSED where the id belongs to another payload.
        """
        kept = self._running.get(request_id)
        if kept is None and (kept := self._finished.get(request_id)) is not None:
            if kept.expires < time.monotonic():
                self._drop(request_id)
                return None
            self._finished.move_to_end(request_id)
        if kept is None:
            return None
        if kept.payload != payload:
            text = f"request_id {request_id!r} was used for another payload within ten minutes: send a new id"
            raise ContractError(Reason.REQUEST_ID_REUSED, text)
        return kept.answer

    def add(self, request_id: str, payload: bytes, answer: Answer) -> None:
        """A new answer begins."""
        self._running[request_id] = _Kept(answer, payload)

    def end(self, request_id: str, answer: Answer) -> None:
        """The answer ended or was abandoned: kept where it is whole, forgotten where it failed."""
        kept = self._running.get(request_id)
        if kept is None or kept.answer is not answer:
            return
        del self._running[request_id]
        if answer.error is not None or not answer.ended:
            return
        kept.size, kept.expires = answer.size, time.monotonic() + self._seconds
        self._finished[request_id] = kept
        self._bytes += kept.size
        now = time.monotonic()
        while self._finished:
            oldest_id, oldest = next(iter(self._finished.items()))
            if self._bytes <= self._max_bytes and oldest.expires >= now:
                break
            self._drop(oldest_id)

    def _drop(self, request_id: str) -> None:
        self._bytes -= self._finished.pop(request_id).size
