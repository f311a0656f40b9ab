"""The reply to one Generate call, with the unmodified stream: conformance checks judge the stream, not the answer."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import grpc

from omnigap.answer import StreamCollector
from omnigap.rpc_errors import error_infos, message_of, status_of
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import ERROR_DOMAIN, Reason

_Call = grpc.aio.UnaryStreamCall[pb.GenerateRequest, pb.GenerateResponse]


@dataclass(frozen=True, slots=True)
class Fault:
    """The error that a call ended with.

    Attributes:
        reason: reason of its google.rpc.ErrorInfo; empty without one.
        domain: domain of its google.rpc.ErrorInfo; empty without one.
    """

    code: grpc.StatusCode
    message: str
    reason: str = ""
    domain: str = ""

    def has(self, *reasons: Reason) -> bool:
        """True if the error has one of these reasons, in the domain of the contract."""
        return self.domain == ERROR_DOMAIN and self.reason in reasons

    def __str__(self) -> str:
        origin = f"{self.reason} of domain {self.domain!r}" if self.reason else "no google.rpc.ErrorInfo"
        return f"{self.code.name} with {origin} ({self.message or 'no message'})"


@dataclass(slots=True)
class Reply:
    """The reply to one call.

    Attributes:
        gathered: the events that were received, also of a broken stream.
        fault: the error at the end of the stream, if any.
        latency_s: seconds from sending the request to the end of the stream.
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
    def complete_stream(self) -> bool:
        """True if the stream ended without an error, with exactly one `complete`, and every event held something."""
        one = len(self.gathered.completes) == 1 and not self.gathered.late
        return self.fault is None and one and not self.gathered.odd

    @property
    def complete(self) -> pb.Complete:
        """The first `complete`; an empty one if there is none."""
        return self.gathered.completes[0] if self.gathered.completes else pb.Complete()

    @property
    def content(self) -> tuple[str, str, bytes, int, str]:
        """The content that must be equal in all replies to one request id; timings may differ."""
        done = self.complete
        return self.text, self.gathered.reasoning, self.pcm, done.finish_reason, done.digest

    def __str__(self) -> str:
        """How the call ended, for messages."""
        if self.fault is not None:
            return f"ended with {self.fault}"
        if not self.gathered.completes:
            return "ended without `complete` and without an error"
        if self.gathered.odd:
            return f"sent {self.gathered.odd} events that hold nothing, or are not a GenerateResponse"
        if not self.complete_stream:
            return f"sent {len(self.gathered.completes)} `complete` and {self.gathered.late} events after the first"
        return "answered"


async def gather(stream: _Call) -> Reply:
    """Reads the stream to its end; an RPC error becomes the fault of the reply, and so does a stream over a bound."""
    reply = Reply()
    sent = time.monotonic()
    try:
        async for response in stream:
            reply.gathered.add(response)
            if reply.gathered.is_too_large:
                stream.cancel()
                reply.fault = Fault(grpc.StatusCode.CANCELLED, str(reply.gathered.fault))
                break
    except grpc.RpcError as error:
        reply.fault = fault_of(error)
    reply.latency_s = time.monotonic() - sent
    return reply


def fault_of(error: grpc.RpcError) -> Fault:
    """The RPC error with its ErrorInfo; of several, the first one in the domain of the contract."""
    infos = error_infos(error)
    # A proxy or framework may attach its own ErrorInfo. Without one of the contract, the last one is kept for messages.
    own = [info for info in infos if info.domain == ERROR_DOMAIN][:1] or infos[-1:]
    reason, domain = (own[0].reason, own[0].domain) if own else ("", "")
    return Fault(status_of(error), message_of(error), reason, domain)
