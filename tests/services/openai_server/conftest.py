"""The adapter behind the project's gRPC server, in front of an HTTP server that the test scripts."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from chat_server import MODEL, ChatServer
from served import Served
from through import Through

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
def through(chat: ChatServer, loop: asyncio.AbstractEventLoop) -> Iterator[Through]:
    """Starts the service with options on top of the server's address and model; the server's notes begin after it."""
    started: list[tuple[Server, Served]] = []

    def start(**options: Any) -> Served:
        adapter = OpenaiAdapter({"base_url": chat.url, "model": MODEL, "max_retries": 0, **options})
        server = asyncio.run_coroutine_threadsafe(_serve(adapter), loop).result(60)
        served = Served(server.address, process=None)  # type: ignore[arg-type]
        started.append((server, served))
        chat.then()
        return served

    yield start
    for server, served in started:
        served.channel.close()
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(60)


async def _serve(adapter: OpenaiAdapter) -> Server:
    """The gRPC server, made on the loop that it runs on."""
    server = Server(adapter, ServerOptions(drain_seconds=0))
    await server.start()
    return server
