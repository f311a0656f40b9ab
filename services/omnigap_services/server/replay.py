"""Answers by request id: a repeated call joins the running answer, or replays the finished one."""

from __future__ import annotations

import hashlib
import sys
import time
from collections import OrderedDict
from dataclasses import dataclass

from omnigap.channel import REPLAY_SECONDS
from omnigap.errors import ContractError, quoted
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason
from omnigap_services.server.response import ResponseLog

KEPT_BYTES = 64 * 1024 * 1024
"""Memory limit for all answers together, running and finished; the least recently used finished ones are dropped."""

# Memory of one answer without its id and events: log, list, hash, and its entry in the table.
_ANSWER_BYTES = 1_024


def payload_hash(request: pb.GenerateRequest) -> bytes:
    """SHA-256 of a request. Deterministic serialisation sorts map fields, whose order on the wire is arbitrary."""
    return hashlib.sha256(request.SerializeToString(deterministic=True)).digest()


@dataclass(slots=True)
class _Kept:
    log: ResponseLog
    payload: bytes
    base: int
    size: int = 0
    expires: float = float("inf")

    @property
    def memory(self) -> int:
        """What it takes now, in bytes."""
        return self.base + self.log.size


class ReplayCache:
    """The answers that have a request id. Belongs to the event loop.

    Running answers are apart from finished ones: they do not expire, and they grow. They are not dropped, since the
    server limits their number and size, but leave less memory for finished ones.
    """

    def __init__(self, kept_bytes: int = KEPT_BYTES, seconds: float = REPLAY_SECONDS) -> None:
        self._max_bytes = kept_bytes
        self._seconds = seconds
        self._bytes = 0
        self._running: dict[str, _Kept] = {}
        self._finished: OrderedDict[str, _Kept] = OrderedDict()

    def find(self, request_id: str, payload: bytes) -> ResponseLog | None:
        """The answer with this id, running or finished less than ten minutes ago.

        Raises:
            ContractError: REQUEST_ID_REUSED if the id was used for another payload.
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
            text = f"request_id {quoted(request_id)} was used for another payload within ten minutes: send a new id"
            raise ContractError(Reason.REQUEST_ID_REUSED, text)
        return kept.log

    def add(self, request_id: str, payload: bytes, log: ResponseLog) -> None:
        """Adds an answer that has just started. It replaces an abandoned one with the same id."""
        base = _ANSWER_BYTES + sys.getsizeof(request_id) + sys.getsizeof(payload)
        self._running[request_id] = _Kept(log, payload, base)
        self._shrink()

    def end(self, request_id: str, log: ResponseLog) -> None:
        """Keeps an answer that is complete and forgets one that failed, so that the next call computes it again."""
        kept = self._running.get(request_id)
        # An abandoned answer may end after its successor was added under the same id.
        if kept is None or kept.log is not log:
            return
        del self._running[request_id]
        if log.error is not None or not log.ended:
            return
        kept.size, kept.expires = kept.memory, time.monotonic() + self._seconds
        self._finished[request_id] = kept
        self._bytes += kept.size
        self._shrink()

    def _shrink(self) -> None:
        now = time.monotonic()
        left = self._max_bytes - sum(kept.memory for kept in self._running.values())
        # From the least recently used on. An answer larger than the whole limit drops itself last.
        while self._finished:
            oldest_id, oldest = next(iter(self._finished.items()))
            if self._bytes <= left and oldest.expires >= now:
                break
            self._drop(oldest_id)

    def _drop(self, request_id: str) -> None:
        self._bytes -= self._finished.pop(request_id).size
