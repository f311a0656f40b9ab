"""A cascade whose part changes reports NOT_SERVING and asks to be started again; nothing else makes it do so."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass

import pytest

from omnigap.client import GenerateClient
from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, Reason
from omnigap_services.cascade import client
from omnigap_services.cascade.adapter import CascadeAdapter
from omnigap_services.server import Server, ServerOptions
from tests.helpers.serve_process import Part, Served
from tests.helpers.served_doubles import PATIENCE_S, RATE, ServeWire, Wire, audio, complete, text
from tests.services.cascade.cascade_parts import CLIP, PICTURE

OPTIONS = ("llm", "asr", "ocr", "tts")
ASKED: dict[str, tuple[Part, Modality]] = {
    "llm": ("Where?", Modality.TEXT),
    "asr": (CLIP, Modality.TEXT),
    "ocr": (PICTURE, Modality.TEXT),
    "tts": ("Where?", Modality.SPEECH),
}
"""A question that reaches each part."""


class Replaceable(Wire):
    """A service by the contract, whose digest a test changes; `described` counts its Describe calls."""

    def __init__(self, name: str) -> None:
        super().__init__(self.answers, name=name, digest=f"{name}-1")
        self.described = 0
        self.version = ""

    def answers(self, request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        if request.expected_digest != self.digest:
            raise ContractError(Reason.DIGEST_MISMATCH, f"expected_digest is not {self.digest}")
        yield text("It is Paris.")
        if request.output == pb.MODALITY_SPEECH:
            yield audio("a")
        yield complete(self.digest)

    async def Describe(self, request: pb.DescribeRequest, context: object) -> pb.DescribeResponse:  # noqa: N802
        card = await super().Describe(request, context)
        card.output_sample_rate_hz = RATE
        card.version = self.version
        self.described += 1
        self._changed.set()
        return card

    async def until_described(self, more: int) -> None:
        count = self.described + more
        async with asyncio.timeout(PATIENCE_S):
            while self.described < count:
                await self._changed.wait()
                self._changed.clear()


@dataclass
class Composition:
    server: Server
    parts: dict[str, Replaceable]
    served: Served

    async def ask(self, option: str) -> pb.Complete:
        part, output = ASKED[option]
        return (await asyncio.to_thread(self.served.ask, part, output=output)).complete

    async def refusal(self, option: str) -> ContractError:
        with pytest.raises(ContractError) as refused:
            await self.ask(option)
        return refused.value

    async def health(self) -> str:
        async with GenerateClient(self.served.address) as probe:
            return await probe.health()

    async def why(self) -> str:
        async with asyncio.timeout(PATIENCE_S):
            return await self.server.restart_requested()


Compose = Callable[[], Awaitable[Composition]]


@pytest.fixture
async def compose(host_wire: ServeWire) -> AsyncIterator[Compose]:
    started: list[Composition] = []

    async def start() -> Composition:
        parts = {option: Replaceable(option) for option in OPTIONS}
        places = {option: await host_wire(part) for option, part in parts.items()}
        adapter = CascadeAdapter({**places, "direct": [], "wait_s": 20})
        server = Server(adapter, ServerOptions(drain_seconds=PATIENCE_S))
        await server.start()
        started.append(Composition(server, parts, Served(server.address, process=None)))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for each in started:
        each.served.channel.close()
        await each.server.stop()


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts are watched without pause."""
    monkeypatch.setattr(client, "_WATCH_S", 0.01)


@pytest.fixture
def never(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only calls show a change."""
    monkeypatch.setattr(client, "_WATCH_S", 10 * PATIENCE_S)


def is_named(why: str, part: Replaceable, option: str) -> bool:
    return all(word in why for word in (part.address, f"option {option}", f"{option}-1", f"{option}-2"))


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("option", OPTIONS)
async def test_a_change_is_found_without_traffic(compose: Compose, option: str) -> None:
    cascade = await compose()
    part = cascade.parts[option]
    before = await asyncio.to_thread(cascade.served.describe)
    assert before.outdated == ""
    part.digest = f"{option}-2"
    assert is_named(await cascade.why(), part, option)
    after = await asyncio.to_thread(cascade.served.describe)
    assert is_named(after.outdated, part, option)
    assert after.digest == before.digest
    assert await cascade.health() == "NOT_SERVING"
    assert (await cascade.refusal("llm")).reason is Reason.DRAINING


@pytest.mark.usefixtures("never")
@pytest.mark.parametrize("option", OPTIONS)
async def test_a_call_that_meets_the_change_can_be_repeated_after_the_restart(compose: Compose, option: str) -> None:
    cascade = await compose()
    part = cascade.parts[option]
    part.digest = f"{option}-2"
    met = await cascade.refusal(option)
    assert met.reason is Reason.DRAINING
    assert is_named(met.message, part, option)
    assert is_named(await cascade.why(), part, option)


@pytest.mark.usefixtures("never")
async def test_calls_in_flight_end_with_their_answer_or_can_be_repeated(compose: Compose) -> None:
    cascade = await compose()
    llm, tts = cascade.parts["llm"], cascade.parts["tts"]
    llm.delay_s = 0.5
    asked = len(llm.asked)
    written, spoken = asyncio.create_task(cascade.ask("llm")), asyncio.create_task(cascade.refusal("tts"))
    await llm.until_asked(asked + 2)
    tts.digest = "tts-2"
    llm.delay_s = 0
    assert (await cascade.refusal("tts")).reason is Reason.DRAINING
    await cascade.why()
    stopping = asyncio.create_task(cascade.server.stop())
    assert (await written).digest == cascade.server.description.digest
    assert (await spoken).reason is Reason.DRAINING
    assert await stopping


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("option", OPTIONS)
async def test_a_part_that_is_away_or_restarted_is_no_change(compose: Compose, option: str) -> None:
    cascade = await compose()
    part = cascade.parts[option]
    await part.stop()
    assert (await cascade.refusal(option)).reason is Reason.UPSTREAM_UNAVAILABLE
    assert await cascade.health() == "SERVING"
    part.version = "another"
    await part.start()
    await part.until_described(3)
    await cascade.ask(option)
    assert await cascade.health() == "SERVING"
    assert cascade.server.restart_reason == ""


@pytest.mark.usefixtures("often")
async def test_a_card_that_cannot_be_used_is_no_change(compose: Compose) -> None:
    cascade = await compose()
    cascade.parts["tts"].digest = ""
    await cascade.parts["tts"].until_described(3)
    assert cascade.server.restart_reason == ""


@pytest.mark.usefixtures("never")
@pytest.mark.parametrize("given", ["llm-2", ""])
async def test_another_digest_in_an_answer_is_a_change_if_describe_has_it_too(compose: Compose, given: str) -> None:
    """Otherwise a restart would not help: a part that breaks the contract would end the cascade again and again."""
    cascade = await compose()
    llm = cascade.parts["llm"]
    llm.respond = lambda request: iter([text("It is"), complete(given)])
    met = await cascade.refusal("llm")
    assert met.reason is Reason.UPSTREAM_UNAVAILABLE
    assert f"LLM at {llm.address} answered under another digest than it describes" in met.message
    assert await cascade.health() == "SERVING"
    llm.digest = "llm-2"
    assert (await cascade.refusal("llm")).reason is Reason.DRAINING
    assert is_named(await cascade.why(), llm, "llm")


@pytest.mark.usefixtures("often")
async def test_a_part_that_had_another_digest_for_a_moment_has_changed(compose: Compose) -> None:
    cascade = await compose()
    llm = cascade.parts["llm"]
    llm.digest = "llm-2"
    why = await cascade.why()
    llm.digest = "llm-1"
    assert is_named(why, llm, "llm")
    assert (await cascade.refusal("llm")).reason is Reason.DRAINING
    assert (await asyncio.to_thread(cascade.served.describe)).outdated == why


@pytest.mark.usefixtures("often")
async def test_a_part_that_changes_while_the_cascade_loads_ends_it_too(host_wire: ServeWire) -> None:
    asr, llm = Replaceable("asr"), Replaceable("llm")
    places = {"llm": await host_wire(llm), "asr": await host_wire(asr), "ocr": "none", "tts": "none"}

    def changes(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        asr.digest = "asr-2"
        return asr.answers(request)

    asr.respond = changes  # The warm-up's question.
    server = Server(CascadeAdapter({**places, "direct": []}), ServerOptions(drain_seconds=0))
    try:
        with pytest.raises(ContractError) as failed:
            await server.start()
        assert failed.value.reason is Reason.DRAINING
        assert "asr-2" in await server.restart_requested()
    finally:
        await server.stop()


@pytest.mark.usefixtures("never")
async def test_a_cascade_that_does_not_load_ends_the_watches_of_its_parts(
    host_wire: ServeWire, caplog: pytest.LogCaptureFixture
) -> None:
    places = {"llm": await host_wire(Replaceable("llm")), "asr": "127.0.0.1:1", "ocr": "none", "tts": "none"}
    adapter = CascadeAdapter({**places, "direct": [], "wait_s": 0.1})
    with pytest.raises(ContractError, match="no ASR service answers"):
        await asyncio.to_thread(adapter.load)
    await asyncio.to_thread(adapter.close)
    del adapter
    gc.collect()
    assert "Task was destroyed" not in caplog.text
