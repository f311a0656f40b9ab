"""Everything that one Generate call brought, kept as it came: a conformance check judges the stream, not the answer."""

from __future__ import annotations

import time
from collections.abc import AsyncIterable
from dataclasses import dataclass, field

import grpc

from omnigap.client import StreamCollector
from omnigap.rpc_errors import error_infos
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
        gathered: what came, a broken stream included.
        fault: the error at its end.
        latency_s: from sending to the end.
    """

    gathered: StreamCollector = field(default_factory=StreamCollector)
    fault: Fault | None = None
    latency_s: float = 0.0

    @property
    def text(self) -> str:
        return self.gathered.text

    @property
    def chunks(self) -> list[pb.Audio]:
        return self.gathered.chunks

    @property
    def pcm(self) -> bytes:
        return self.gathered.pcm

    @property
    def whole(self) -> bool:
        """True where the stream ended without an error, and with exactly one `complete`."""
        return self.fault is None and len(self.gathered.completes) == 1 and not self.gathered.late

    @property
    def complete(self) -> pb.Complete:
        """The first `complete`; an empty one where none came."""
        return self.gathered.completes[0] if self.gathered.completes else pb.Complete()

    @property
    def content(self) -> tuple[str, str, bytes, int, str]:
        """What two replies to one request id must have in common."""
        done = self.complete
        return self.text, self.gathered.reasoning, self.pcm, done.finish_reason, done.digest

    def __str__(self) -> str:
        """How the call ended, in a few words."""
        if self.fault is not None:
            return f"ended with {self.fault}"
        if not self.gathered.completes:
            return "ended without `complete` and without an error"
        if not self.whole:
            return f"sent {len(self.gathered.completes)} `complete` and {self.gathered.late} events after the first"
        return "answered"


async def gather(stream: AsyncIterable[pb.GenerateResponse]) -> Reply:
    """The whole stream as a reply; never raises for what the service does."""
    reply = Reply()
    sent = time.monotonic()
    try:
        async for response in stream:
            reply.gathered.add(response)
    except grpc.RpcError as error:
        reply.fault = fault_of(error)
    reply.latency_s = time.monotonic() - sent
    return reply


def fault_of(error: grpc.RpcError) -> Fault:
    """An RPC error with the ErrorInfo in its details: the contract's own, if there are several."""
    infos = error_infos(error)
    own = [info for info in infos if info.domain == ERROR_DOMAIN][:1] or infos[-1:]
    reason, domain = (own[0].reason, own[0].domain) if own else ("", "")
    return Fault(error.code(), error.details() or "", reason, domain)
