"""grpc.health.v1 for one server: one status for all that it serves, and every watcher hears of each change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """NOT_SERVING until told otherwise, for the empty name and the given services.

    The asyncio servicer of grpcio-health-checking forgets all watchers of a service when one of them leaves.
    """

    def __init__(self, *services: str) -> None:
        self._services = {"", *services}
        self._serving = False
        self._changed = asyncio.Condition()

    async def set_serving(self, serving: bool) -> None:
        """Changes the status and tells those who watch."""
        async with self._changed:
            self._serving = serving
            self._changed.notify_all()

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        if request.service not in self._services:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no service {request.service!r} here")
        return self._response()

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        if request.service not in self._services:
            yield health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVICE_UNKNOWN)
            await asyncio.Event().wait()
        while True:
            told = self._serving
            yield self._response()
            async with self._changed:
                while self._serving is told:
                    await self._changed.wait()

    def _response(self) -> Any:
        return health_pb2.HealthCheckResponse(status=_SERVING if self._serving else _NOT_SERVING)
