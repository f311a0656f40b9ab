"""The adapter behind the project's gRPC server, with a scripted HTTP server as its upstream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from omnigap_services.openai_server.adapter import OpenaiAdapter
from tests.helpers.chat_server import MODEL, ChatServer
from tests.helpers.in_process import Host
from tests.helpers.serve_process import Served
from tests.services.openai_server.through import Through


@pytest.fixture
def chat() -> Iterator[ChatServer]:
    server = ChatServer()
    yield server
    server.close()


@pytest.fixture
def through(chat: ChatServer, host_adapter: Host) -> Through:
    """Starts the service with further options; the server's recorded requests begin after its start."""

    def start(**options: Any) -> Served:
        served = host_adapter(OpenaiAdapter({"base_url": chat.url, "model": MODEL, "max_retries": 0, **options}))
        chat.then()
        return served

    return start
