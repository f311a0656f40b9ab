"""Servers in this process, each on a free port, around an adapter that the test brings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import grpc.aio
import pytest
from model_double import PATIENCE_S, Caller

from omnigap.limits import CHANNEL_OPTIONS
from omnigap_services.adapter import Adapter
from omnigap_services.server import Server, ServerOptions


@dataclass
class Running:
    """A server and someone to call it."""

    server: Server
    caller: Caller

    def metric(self, name: str, **labels: str) -> float:
        """A metric's present value."""
        return self.server.metrics.registry.get_sample_value(f"omnigap_{name}", labels) or 0.0

    async def until(self, **gauges: float) -> None:
        """Waits until the gauges have these values: what a client sent has then arrived."""
        async with asyncio.timeout(PATIENCE_S):
            while any(self.metric(name) != value for name, value in gauges.items()):
                await asyncio.sleep(0.002)


Start = Callable[..., Awaitable[Running]]


@pytest.fixture
async def running() -> AsyncIterator[Start]:
    """Starts a server around an adapter; `load=False` leaves it bound and not loaded."""
    started: list[Running] = []

    async def start(adapter: Adapter, options: ServerOptions | None = None, *, load: bool = True) -> Running:
        server = Server(adapter, options or ServerOptions(drain_seconds=0))
        await server.bind()
        channel = grpc.aio.insecure_channel(server.address, options=CHANNEL_OPTIONS)
        started.append(Running(server, Caller(channel)))
        if load:
            await server.load()
        return started[-1]

    yield start
    for each in started:
        await each.caller.channel.close()
        await each.server.stop()
