"""Everything that one Generate call brought, kept as it came: a conformance check judges the stream, not the answer."""

from __future__ import annotations

import time
from collections.abc import AsyncIterable, Iterable
from dataclasses import dataclass, field
from typing import cast

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import ERROR_DOMAIN, Reason


@dataclass(frozen=True, slots=True)
class Fault:
    """The error that a call ended with.

    Attributes:
        reason: of its google.rpc.ErrorInfo; empty where none came.
        domain: of the same.
    """

    code: grpc.StatusCode
    message: str
    reason: str = ""
    domain: str = ""

    def has(self, *reasons: Reason) -> bool:
        """True where the error carries one of these reasons under the contract's domain."""
        return self.domain == ERROR_DOMAIN and self.reason in reasons

    def __str__(self) -> str:
        origin = f"{self.reason} of domain {self.domain!r}" if self.reason else "no google.rpc.ErrorInfo"
        return f"{self.code.name} with {origin} ({self.message or 'no message'})"


@dataclass(slots=True)
class Reply:
    """One stream.

    Attributes:
        completes: every `complete` that came.
        late: events after the first `complete`.
        fault: the error at its end.
        latency_s: from sending to the end.
    """

    text: str = ""
    reasoning: str = ""
    chunks: list[pb.Audio] = field(default_factory=list)
    completes: list[pb.Complete] = field(default_factory=list)
    late: int = 0
    fault: Fault | None = None
    latency_s: float = 0.0

    @property
    def pcm(self) -> bytes:
        return b"".join(chunk.data for chunk in self.chunks)

    @property
    def whole(self) -> bool:
        """True where the stream ended without an error, and with exactly one `complete`."""
        return self.fault is None and len(self.completes) == 1 and not self.late

    @property
    def complete(self) -> pb.Complete:
        """The first `complete`; an empty one where none came."""
        return self.completes[0] if self.completes else pb.Complete()

    @property
    def content(self) -> tuple[str, str, bytes, int, str]:
        """What two replies to one request id must have in common."""
        done = self.complete
        return self.text, self.reasoning, self.pcm, done.finish_reason, done.digest

    def __str__(self) -> str:
        """How the call ended, in a few words."""
        if self.fault is not None:
            return f"ended with {self.fault}"
        if not self.completes:
            return "ended without `complete` and without an error"
        if not self.whole:
            return f"sent {len(self.completes)} `complete` and {self.late} events after the first"
        return "answered"

    def add(self, response: pb.GenerateResponse) -> None:
        self.late += bool(self.completes)
        if response.HasField("complete"):
            self.completes.append(response.complete)
            return
        self.text += response.delta.text
        self.reasoning += response.delta.reasoning
        if response.delta.HasField("audio"):
            self.chunks.append(response.delta.audio)


async def gather(stream: AsyncIterable[pb.GenerateResponse]) -> Reply:
    """The whole stream as a reply; never raises for what the service does."""
    reply = Reply()
    sent = time.monotonic()
    try:
        async for response in stream:
            reply.add(response)
    except grpc.RpcError as error:
        reply.fault = fault_of(error)
    reply.latency_s = time.monotonic() - sent
    return reply


def fault_of(error: grpc.RpcError) -> Fault:
    """An RPC error with the ErrorInfo in its details: the contract's own, if there are several."""
    metadata = dict(cast("Iterable[tuple[str, bytes]]", error.trailing_metadata() or ()))
    found = Fault(error.code(), error.details() or "")
    try:
        details = status_pb2.Status.FromString(metadata.get("grpc-status-details-bin", b"")).details
    except DecodeError:
        return found
    for detail in details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            found = Fault(found.code, found.message, info.reason, info.domain)
            if info.domain == ERROR_DOMAIN:
                break
    return found
