"""Adapters behind the Generate server in this process: called over a socket, and open to inspection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from omnigap_services.adapter import Adapter
from omnigap_services.loop_thread import LoopThread
from omnigap_services.server import Server, ServerOptions
from tests.helpers.serve_process import Served

Host = Callable[[Adapter], Served]
"""Serves an adapter on a free port; raises what its load raises."""


@contextmanager
def hosting(loop: LoopThread) -> Iterator[Host]:
    """Serves within the block, on a loop that outlives it: gRPC servers access their loop when they are collected."""
    started: list[tuple[Server, Served]] = []

    async def serve(adapter: Adapter) -> Server:
        server = Server(adapter, ServerOptions(drain_seconds=0))
        await server.start()
        return server

    def start(adapter: Adapter) -> Served:
        server = loop.run(serve(adapter))
        served = Served(server.address, process=None)  # type: ignore[arg-type]
        started.append((server, served))
        return served

    try:
        yield start
    finally:
        for server, served in started:
            served.channel.close()
            loop.run(server.stop())
