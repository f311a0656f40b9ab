"""Servers in a test's own event loop, each on a free port, stopped at its end."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from served_doubles import Serve, ServeWire, Wire

from omnigap_services.adapter import Adapter
from omnigap_services.server import Server, ServerOptions


@pytest.fixture
async def host() -> AsyncIterator[Serve]:
    """Serves an adapter with the project's own server; gives its address."""
    servers: list[Server] = []

    async def start(adapter: Adapter) -> str:
        server = Server(adapter, ServerOptions(drain_seconds=0))
        servers.append(server)
        await server.start()
        return server.address

    yield start
    for server in servers:
        await server.stop()


@pytest.fixture
async def host_wire() -> AsyncIterator[ServeWire]:
    """Serves a fake beneath the project's own server; gives its address."""
    wires: list[Wire] = []

    async def start(wire: Wire) -> str:
        wires.append(wire)
        await wire.start()
        return wire.address

    yield start
    for wire in wires:
        await wire.stop()
