"""The adapter behind the project's gRPC server, in front of an HTTP server that the test scripts."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from chat_server import MODEL, ChatServer
from served import Served
from through import Through

from omnigap_services.adapter import Adapter
from omnigap_services.openai_server.adapter import OpenaiAdapter
from omnigap_services.server import Server, ServerOptions


@pytest.fixture
def chat() -> Iterator[ChatServer]:
    server = ChatServer()
    yield server
    server.close()


@pytest.fixture(scope="session")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One loop for all servers: gRPC's still look for it when they are collected."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)


@pytest.fixture
def host_adapter(loop: asyncio.AbstractEventLoop) -> Iterator[Callable[[Adapter], Served]]:
    """Serves an adapter over real sockets until the test's end."""
    started: list[tuple[Server, Served]] = []

    def start(adapter: Adapter) -> Served:
        server = asyncio.run_coroutine_threadsafe(_serve(adapter), loop).result(60)
        served = Served(server.address, process=None)  # type: ignore[arg-type]
        started.append((server, served))
        return served

    yield start
    for server, served in started:
        served.channel.close()
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(60)


@pytest.fixture
def through(chat: ChatServer, host_adapter: Callable[[Adapter], Served]) -> Through:
    """Starts the service with options on top of the server's address and model; the server's notes begin after it."""

    def start(**options: Any) -> Served:
        served = host_adapter(OpenaiAdapter({"base_url": chat.url, "model": MODEL, "max_retries": 0, **options}))
        chat.then()
        return served

    return start


async def _serve(adapter: Adapter) -> Server:
    """The gRPC server, made on the loop that it runs on."""
    server = Server(adapter, ServerOptions(drain_seconds=0))
    await server.start()
    return server
