"""The adapter behind the project's gRPC server, in front of an HTTP server that the test scripts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from chat_server import MODEL, ChatServer
from in_process import Host
from served import Served
from through import Through

from omnigap_services.openai_server.adapter import OpenaiAdapter


@pytest.fixture
def chat() -> Iterator[ChatServer]:
    server = ChatServer()
    yield server
    server.close()


@pytest.fixture
def through(chat: ChatServer, host_adapter: Host) -> Through:
    """Starts the service with options on top of the server's address and model; the server's notes begin after it."""

    def start(**options: Any) -> Served:
        served = host_adapter(OpenaiAdapter({"base_url": chat.url, "model": MODEL, "max_retries": 0, **options}))
        chat.then()
        return served

    return start
