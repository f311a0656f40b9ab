"""The openai service, in front of a chat server, follows the contract."""

from __future__ import annotations

from omnigap_orchestrator.extras.conform.check import Status
from omnigap_orchestrator.extras.conform.suite import conform
from omnigap_services.openai_server.adapter import OpenaiAdapter
from tests.helpers.chat_server import MODEL, ChatServer
from tests.helpers.served_doubles import Serve


async def test_openai_conforms(host: Serve) -> None:
    chat = ChatServer()
    try:
        found = await conform(await host(OpenaiAdapter({"base_url": chat.url, "model": MODEL})))
    finally:
        chat.close()
    assert [result for result in found.results if result.status in (Status.FAILED, Status.WARNING)] == []
    assert [r.check for r in found.results if r.status is Status.SKIPPED] == ["undeclared-conditions-are-refused"]
