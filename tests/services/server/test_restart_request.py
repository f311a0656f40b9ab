"""An adapter that asks for a restart: health, refusals, `outdated`, and answers that are still running."""

from __future__ import annotations

import asyncio
import threading

import pytest

from omnigap.client import GenerateClient
from omnigap.limits import MAX_OUTDATED_CHARS
from omnigap.vocabulary import Reason
from omnigap_services.adapter import Card
from omnigap_services.server import Server, ServerOptions
from tests.services.server.model_double import PATIENCE_S, Double, Gate, Start, entered
from tests.services.server.test_lifecycle import NOT_SERVING, SERVING, health


async def test_new_calls_are_refused_and_running_ones_answered(running: Start) -> None:
    gate = Gate()
    adapter = Double(gate)
    served = await running(adapter, ServerOptions(drain_seconds=PATIENCE_S))
    digest = (await served.caller.describe()).digest
    call = asyncio.create_task(served.caller.ask("hello"))
    await entered(gate)
    assert await health(served) == SERVING
    await asyncio.to_thread(adapter.request_restart, "the TTS has changed")
    assert await served.server.restart_requested() == "the TTS has changed"
    refusal = await served.caller.refusal("too late")
    assert refusal.reason is Reason.DRAINING
    assert "(the TTS has changed)" in refusal.message
    assert await health(served) == NOT_SERVING
    described = await served.caller.describe()
    assert (described.outdated, described.digest) == ("the TTS has changed", digest)
    gate.open.set()
    assert (await call).text == "hello"
    assert await served.server.stop()


async def test_the_first_of_many_requests_counts(running: Start) -> None:
    adapter = Double()
    served = await running(adapter)
    threads = [threading.Thread(target=adapter.request_restart, args=(f"reason {number}",)) for number in range(20)]
    for thread in threads:
        thread.start()
    why = await served.server.restart_requested()
    for thread in threads:
        thread.join()
    await served.caller.describe()
    assert (await served.caller.describe()).outdated == why == served.server.restart_reason


async def test_after_a_request_during_load_no_call_is_accepted(running: Start) -> None:
    class Changing(Double):
        def load(self) -> Card:
            self.request_restart("a part changed")
            return super().load()

    served = await running(Changing())
    assert await served.server.restart_requested() == "a part changed"
    assert await health(served) == NOT_SERVING
    assert (await served.caller.refusal("hello")).reason is Reason.DRAINING


async def test_a_request_without_a_reason_counts(running: Start) -> None:
    adapter = Double()
    served = await running(adapter)
    adapter.request_restart(" ")
    assert await served.server.restart_requested()
    assert await health(served) == NOT_SERVING


def test_an_adapter_without_a_server_may_ask_too() -> None:
    async def made() -> Double:
        return Double()

    asyncio.run(made()).request_restart("no effect")


async def test_a_request_after_the_loop_has_closed_is_ignored() -> None:
    adapter = Double()

    async def serve() -> None:
        server = Server(adapter, ServerOptions(drain_seconds=0))
        await server.start()
        await server.stop()

    await asyncio.to_thread(asyncio.run, serve())
    adapter.request_restart("too late")


@pytest.mark.parametrize("why", ["a\x1b[31mred\nline", "x" * 5_000, "\u202e" * 5_000, "/tmp/\udcff"])
async def test_the_reason_is_bounded_and_printable(why: str) -> None:
    server = Server(Double(), ServerOptions(drain_seconds=0), lambda: why)
    await server.start()
    try:
        async with GenerateClient(server.address) as client:
            outdated = (await client.describe()).outdated
    finally:
        await server.stop()
    assert outdated and outdated.isprintable()
    assert len(outdated) <= MAX_OUTDATED_CHARS
