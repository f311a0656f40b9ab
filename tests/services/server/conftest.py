"""Servers in this process, each on a free port, around an adapter of the test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc.aio
import pytest

from omnigap.channel import channel_options
from omnigap_services.adapter import Adapter
from omnigap_services.server import Server, ServerOptions
from tests.services.server.model_double import Caller, Running, Start


@pytest.fixture
async def running() -> AsyncIterator[Start]:
    """Starts a server around an adapter; `load=False` only binds it."""
    started: list[Running] = []

    async def start(adapter: Adapter, options: ServerOptions | None = None, *, load: bool = True) -> Running:
        server = Server(adapter, options or ServerOptions(drain_seconds=0))
        await server.bind()
        channel = grpc.aio.insecure_channel(server.address, options=channel_options(server.address))
        started.append(Running(server, Caller(channel)))
        if load:
            await server.load()
        return started[-1]

    yield start
    for each in started:
        await each.caller.channel.close()
        await each.server.stop()
