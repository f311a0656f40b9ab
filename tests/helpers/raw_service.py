"""A service that answers with any bytes, statuses and metadata: it shares no code with the server of the project."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from grpc_health.v1 import health_pb2

Metadata = Sequence[tuple[str, str | bytes]]

SERVING = health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING).SerializeToString()


@dataclass
class Script:
    """What a call is answered with: messages as bytes, then a status.

    Attributes:
        status: None: OK.
    """

    messages: Sequence[bytes] = ()
    status: grpc.StatusCode | None = None
    message: str = ""
    trailing: Metadata = ()


@dataclass
class RawService(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Serves Generate, Describe and Check with the scripts that a test sets.

    Attributes:
        respond: the script of Generate for a request; None: `generate` for all.
    """

    generate: Script = field(default_factory=Script)
    describe: Script = field(default_factory=Script)
    health: Script = field(default_factory=lambda: Script([SERVING]))
    respond: Callable[[bytes], Script] | None = None
    port: int = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._server = grpc.aio.server(options=[("grpc.max_send_message_length", -1)])
        self._server.add_generic_rpc_handlers([self])
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop(None)

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        # No serialisers: requests and responses are bytes.
        if details.method.endswith("/Generate"):
            return grpc.unary_stream_rpc_method_handler(self._stream)
        return grpc.unary_unary_rpc_method_handler(self._describe if "Describe" in details.method else self._check)

    async def _stream(self, request: bytes, context: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
        script = self.generate if self.respond is None else self.respond(request)
        for message in script.messages:
            yield message
        await _end(script, context)

    async def _describe(self, request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        await _end(self.describe, context)
        return self.describe.messages[0]

    async def _check(self, request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        await _end(self.health, context)
        return self.health.messages[0]


async def _end(script: Script, context: grpc.aio.ServicerContext) -> None:
    context.set_trailing_metadata(tuple(script.trailing))
    if script.status is not None:
        await context.abort(script.status, script.message, tuple(script.trailing))
