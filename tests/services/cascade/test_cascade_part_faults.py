"""Parts that are away, full, another one or broken; and callers that go away while a part works."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator

import grpc
import pytest
from cascade_parts import CLIP, SAID, Composed, Parts, a_brain, able, compose, writes
from served import Served
from served_doubles import PATIENCE_S, RATE, Double, Serve, ServeWire, Wire, audio, complete, text

from omnigap.errors import ContractError
from omnigap.rpc_errors import from_rpc_error, to_status
from omnigap.v1 import model_service_pb2 as pb
from omnigap.v1.model_service_pb2_grpc import ModelServiceStub
from omnigap.vocabulary import Modality, Reason
from omnigap_services.adapter import Adapter, Turn
from omnigap_services.cascade import part_client
from omnigap_services.cascade.adapter import CascadeAdapter
from omnigap_services.server import Server, ServerOptions

StartAt = Callable[[Adapter, int], "asyncio.Future[Server]"]


@pytest.fixture
async def start_at() -> AsyncIterator[StartAt]:
    """Serves an adapter on a port (0: a free one), for servers that end before their test does."""
    servers: list[Server] = []

    async def start(adapter: Adapter, port: int = 0) -> Server:
        server = Server(adapter, ServerOptions(port=port, drain_seconds=0))
        servers.append(server)
        await server.start()
        return server

    yield start  # type: ignore[misc]
    for server in servers:
        await server.stop()


async def with_brain_at(host: Serve, address: str, **options: object) -> Served:
    """A cascade with a brain that reads and writes, and nothing else."""
    places = {"brain": address, "ears": "none", "reader": "none", "direct": [], "wait_s": 20}
    return Served(await host(CascadeAdapter({**places, **options})), process=None)  # type: ignore[arg-type]


async def refusal(served: Served, *parts: object, **fields: object) -> ContractError:
    """The error that a question gets; fails where it is answered."""
    try:
        reply = await asyncio.to_thread(served.ask, *parts, **fields)  # type: ignore[arg-type]
    except ContractError as error:
        return error
    raise AssertionError(f"answered instead of refused: {reply}")


async def ask(served: Served, *parts: object, **fields: object) -> str:
    return (await asyncio.to_thread(served.ask, *parts, **fields)).text  # type: ignore[arg-type]


def answers(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
    yield text(SAID)
    yield complete()


async def test_a_brain_that_dies_fails_what_it_worked_on_and_serves_again_when_it_is_back(
    host: Serve, host_wire: ServeWire
) -> None:
    brain = Wire(answers)
    cascade = await with_brain_at(host, await host_wire(brain))
    brain.delay_s = PATIENCE_S
    before = len(brain.asked)
    question = asyncio.create_task(refusal(cascade, "Where?"))
    await brain.until_asked(before + 1)
    await brain.stop()
    cut_off = await question
    assert (cut_off.reason, brain.address in cut_off.message) == (Reason.UPSTREAM_UNAVAILABLE, True)
    away = await refusal(cascade, "Where?")
    assert (away.reason, "the brain at" in away.message) == (Reason.UPSTREAM_UNAVAILABLE, True)
    brain.delay_s = 0
    await brain.start()
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                assert await ask(cascade, "Where?") == SAID
                break
            except ContractError as error:
                assert error.reason is Reason.UPSTREAM_UNAVAILABLE


async def test_another_brain_in_its_place_is_refused_until_the_cascade_is_started_again(
    host: Serve, start_at: StartAt
) -> None:
    first = await start_at(a_brain("t2t"), 0)
    cascade = await with_brain_at(host, first.address)
    await first.stop()
    second = a_brain("t2t", weights_revision="2")
    await start_at(second, first.port)
    second.asked.clear()
    async with asyncio.timeout(PATIENCE_S):
        changed = await refusal(cascade, "Where?")
        while "has changed" not in changed.message:  # Until the connection is made anew.
            assert changed.reason is Reason.UPSTREAM_UNAVAILABLE
            changed = await refusal(cascade, "Where?")
    assert "restart the cascade" in changed.message
    assert second.asked == []


async def test_a_brain_that_still_loads_is_waited_for(host: Serve, host_wire: ServeWire) -> None:
    class Loading(Wire):
        told = 0

        async def Describe(  # noqa: N802
            self, request: pb.DescribeRequest, context: grpc.aio.ServicerContext
        ) -> pb.DescribeResponse:
            self.told += 1
            if self.told <= 2:
                status = to_status(ContractError(Reason.NOT_READY, "it is still loading"))
                await context.abort(status.code, status.details, status.trailing_metadata)
            return await super().Describe(request, context)

    brain = Loading(answers)
    cascade = await with_brain_at(host, await host_wire(brain))
    assert brain.told == 3
    assert await ask(cascade, "Where?") == SAID


async def test_a_brain_that_loads_for_too_long_is_told_with_its_key(host: Serve) -> None:
    server = Server(a_brain("t2t"), ServerOptions(drain_seconds=0))
    await server.bind()
    try:
        with pytest.raises(ContractError, match=r"no brain answers at .* \(the service is still loading.*wait_s"):
            await with_brain_at(host, server.address, wait_s=0.1)
    finally:
        await server.stop()


async def test_a_brain_that_is_full_is_asked_again(host: Serve, host_wire: ServeWire) -> None:
    """It serves others as well."""

    def full_twice(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        if len(brain.asked) <= 3:
            raise ContractError(Reason.BUSY, "its queue is full")
        yield from answers(request)

    brain = Wire(answers)
    cascade = await with_brain_at(host, await host_wire(brain))
    brain.asked.clear()
    brain.respond = full_twice
    assert await ask(cascade, "Where?") == SAID
    assert len(brain.asked) == 4


async def test_a_brain_that_stays_full_makes_the_cascade_busy(
    host: Serve, host_wire: ServeWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        raise ContractError(Reason.BUSY, "its queue is full")
        yield

    brain = Wire(answers)
    cascade = await with_brain_at(host, await host_wire(brain))
    brain.respond = full
    monkeypatch.setattr(part_client, "_BUSY_PATIENCE_S", 0.1)
    busy = await refusal(cascade, "Where?")
    assert busy.reason is Reason.BUSY
    assert busy.message == f"the brain at {brain.address}: its queue is full"


async def test_no_more_calls_reach_a_part_than_it_declares(host: Serve, host_wire: ServeWire) -> None:
    brain = Wire(answers, max_concurrent=3, delay_s=0.05)
    cascade = await with_brain_at(host, await host_wire(brain))
    replies = await asyncio.gather(*(ask(cascade, f"Question {number}?") for number in range(20)))
    assert replies == [SAID] * 20
    assert 1 < brain.most_in_flight <= 3


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (Reason.BAD_REQUEST, Reason.BAD_REQUEST),
        (Reason.TOO_LARGE, Reason.TOO_LARGE),
        (Reason.OUT_OF_MEMORY, Reason.OUT_OF_MEMORY),
        (Reason.MODEL_ERROR, Reason.MODEL_ERROR),
        (Reason.DRAINING, Reason.UPSTREAM_UNAVAILABLE),
        (Reason.CANCELLED, Reason.UPSTREAM_UNAVAILABLE),
        (Reason.UNSUPPORTED_CONDITION, Reason.MODEL_ERROR),
    ],
)
async def test_the_brains_own_errors_are_told_as_its_own(
    host: Serve, host_wire: ServeWire, reason: Reason, told: Reason
) -> None:
    def fails(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        yield text("It is")
        raise ContractError(reason, "because of X")

    brain = Wire(answers)
    cascade = await with_brain_at(host, await host_wire(brain))
    brain.respond = fails
    error = await refusal(cascade, "Where?")
    assert error.reason is told
    assert f"brain at {brain.address}" in error.message
    assert "because of X" in error.message


async def test_half_an_answer_is_no_answer(host: Serve, host_wire: ServeWire) -> None:
    brain = Wire(answers)
    cascade = await with_brain_at(host, await host_wire(brain))
    brain.respond = lambda request: iter([text("It is")])
    assert (await refusal(cascade, "Where?")).reason is Reason.INCOMPLETE_STREAM


async def test_audio_that_changes_its_rate_is_bad_media(host: Serve, host_wire: ServeWire) -> None:
    def two_rates(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        other = audio("b")
        other.delta.audio.sample_rate_hz = 8_000
        yield from (text("ignored"), audio("a"), other, complete())

    class Singer(Wire):
        async def Describe(self, request: pb.DescribeRequest, context: object) -> pb.DescribeResponse:  # noqa: N802
            card = await super().Describe(request, context)
            card.output_sample_rate_hz = RATE
            return card

    voice = Singer(lambda request: iter([text("ignored"), audio("a"), complete()]))
    cascade = await compose(host, a_brain("t2t"), Parts(voice=None), tts=await host_wire(voice))
    voice.respond = two_rates
    error = await refusal(cascade.served, "Where?", output=Modality.SPEECH)
    assert error.reason is Reason.BAD_MEDIA
    assert "16000 to 8000 Hz" in error.message


class Waiting:
    """An answer that waits until nobody waits for it."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.stopped = threading.Event()

    def __call__(self, turn: Turn) -> None:
        self.entered.set()
        while not turn.cancelled:
            if self.stopped.wait(0.005):
                return
        self.stopped.set()


async def waiting_cascade(host: Serve, **card: object) -> tuple[Composed, Waiting]:
    cascade = await compose(host, a_brain("t2t", **card), Parts(None, None, None), ears="none", reader="none")
    cascade.brain.answer = waiting = Waiting()
    return cascade, waiting


def call_of(cascade: Composed, channel: grpc.aio.Channel, timeout_s: float = PATIENCE_S) -> grpc.aio.UnaryStreamCall:
    request = pb.GenerateRequest(parts=[pb.InputPart(text="Where?")], output=pb.MODALITY_TEXT)
    return ModelServiceStub(channel).Generate(request, timeout=timeout_s)


async def test_a_caller_that_goes_away_stops_the_brain(host: Serve) -> None:
    cascade, waiting = await waiting_cascade(host)
    async with grpc.aio.insecure_channel(cascade.served.address) as channel:
        call = call_of(cascade, channel)
        reading = asyncio.create_task(call.read())
        assert await asyncio.to_thread(waiting.entered.wait, PATIENCE_S)
        call.cancel()
        assert await asyncio.to_thread(waiting.stopped.wait, PATIENCE_S)
        await asyncio.gather(reading, return_exceptions=True)
    cascade.brain.answer = writes(SAID)
    assert (await cascade.ask("Where?")).text == SAID


async def test_a_deadline_that_passes_stops_the_brain(host: Serve) -> None:
    cascade, waiting = await waiting_cascade(host)
    async with grpc.aio.insecure_channel(cascade.served.address) as channel:
        with pytest.raises(grpc.RpcError) as late:
            async for _ in call_of(cascade, channel, timeout_s=1.0):
                pass
    assert from_rpc_error(late.value).reason is Reason.DEADLINE_EXCEEDED
    assert await asyncio.to_thread(waiting.stopped.wait, PATIENCE_S)


async def test_a_question_that_waits_for_its_place_gives_it_up_when_nobody_waits(host: Serve) -> None:
    cascade, waiting = await waiting_cascade(host, max_concurrent=1)
    async with grpc.aio.insecure_channel(cascade.served.address) as channel:
        first = call_of(cascade, channel)
        reading = asyncio.create_task(first.read())
        assert await asyncio.to_thread(waiting.entered.wait, PATIENCE_S)
        with pytest.raises(grpc.RpcError):
            async for _ in call_of(cascade, channel, timeout_s=0.5):
                pass
        asked = len(cascade.brain.asked)
        cascade.brain.answer = writes(SAID)
        first.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        assert (await cascade.ask("Whither?")).text == SAID
    assert [request.parts for request in cascade.brain.asked[asked:]] == [("Whither?",)]


async def test_a_brain_that_takes_too_long_is_told_with_its_key(host: Serve) -> None:
    waiting = Waiting()
    brain = a_brain("t2t")
    cascade = await compose(host, brain, Parts(None, None, None), ears="none", reader="none", timeout_s=0.5)
    brain.answer = waiting
    error = await refusal(cascade.served, "Where?")
    assert error.reason is Reason.DEADLINE_EXCEEDED
    assert "timeout_s" in error.message
    assert await asyncio.to_thread(waiting.stopped.wait, PATIENCE_S)


async def test_ears_that_do_not_hear_are_refused_at_the_start(host: Serve) -> None:
    mute = await host(Double(writes("ignored"), name="voice", conditions=able("t2s")))
    brain = await host(a_brain("t2t"))
    with pytest.raises(ContractError, match=r"no ASR service answers at .*does not answer s2t.*set ears"):
        await host(CascadeAdapter({"brain": brain, "ears": mute}))


async def test_a_voice_without_a_rate_is_refused_at_the_start(host: Serve) -> None:
    silent = await host(Double(writes("ignored"), name="voice", conditions=able("t2s"), output_sample_rate_hz=0))
    brain = await host(a_brain("t2t"))
    with pytest.raises(ContractError, match=r"the TTS service at .* declares output_sample_rate_hz = 0"):
        await host(CascadeAdapter({"brain": brain, "tts": silent}))


async def test_a_condition_that_the_brain_lacks_cannot_be_direct(host: Serve) -> None:
    brain = await host(a_brain("t2t", "i2t"))
    with pytest.raises(ContractError, match="direct names s2t, but the brain mind answers i2t, t2t: leave it out"):
        await host(CascadeAdapter({"brain": brain, "direct": ["i2t", "s2t"]}))


def test_a_missing_brain_is_named_with_its_option() -> None:
    with pytest.raises(ContractError, match=r"no brain answers at 127\.0\.0\.1:9.*wait_s.*set brain"):
        CascadeAdapter({"brain": "127.0.0.1:9", "wait_s": 0.2}).load()


async def test_a_second_clip_is_refused_where_others_hear(host: Serve) -> None:
    cascade = await compose(host, a_brain("t2t"))
    error = await refusal(cascade.served, CLIP, CLIP)
    assert error.reason is Reason.BAD_REQUEST
    assert "one carrier" in error.message
