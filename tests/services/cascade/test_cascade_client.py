"""Services that are unavailable, busy, replaced or broken, and callers that go away during a call."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import grpc
import pytest

from omnigap.errors import ContractError
from omnigap.rpc_errors import from_rpc_error, to_status
from omnigap.v1 import model_service_pb2 as pb
from omnigap.v1.model_service_pb2_grpc import ModelServiceStub
from omnigap.vocabulary import Modality, Reason
from omnigap_services.adapter import Turn
from omnigap_services.cascade import client
from omnigap_services.cascade.adapter import CascadeAdapter
from omnigap_services.server import Server, ServerOptions
from tests.helpers.serve_process import Served
from tests.helpers.served_doubles import PATIENCE_S, RATE, Double, Serve, ServeWire, Wire, audio, complete, text
from tests.services.cascade.cascade_parts import ANSWER, CLIP, Composed, Parts, able, an_llm, compose, writes


async def with_llm_at(host: Serve, address: str, **options: object) -> Served:
    """A cascade of a text LLM without stages."""
    places = {"llm": address, "asr": "none", "ocr": "none", "direct": [], "wait_s": 20}
    return Served(await host(CascadeAdapter({**places, **options})), process=None)  # type: ignore[arg-type]


async def refusal(served: Served, *parts: object, **fields: object) -> ContractError:
    """The error that a question gets; fails if it is answered."""
    try:
        reply = await asyncio.to_thread(served.ask, *parts, **fields)  # type: ignore[arg-type]
    except ContractError as error:
        return error
    raise AssertionError(f"answered instead of refused: {reply}")


async def ask(served: Served, *parts: object, **fields: object) -> str:
    return (await asyncio.to_thread(served.ask, *parts, **fields)).text  # type: ignore[arg-type]


def answers(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
    yield text(ANSWER)
    yield complete()


async def test_an_llm_that_stops_fails_its_calls_and_is_used_again_after_a_restart(
    host: Serve, host_wire: ServeWire
) -> None:
    llm = Wire(answers)
    cascade = await with_llm_at(host, await host_wire(llm))
    llm.delay_s = PATIENCE_S
    before = len(llm.asked)
    question = asyncio.create_task(refusal(cascade, "Where?"))
    await llm.until_asked(before + 1)
    await llm.stop()
    cut_off = await question
    assert (cut_off.reason, llm.address in cut_off.message) == (Reason.UPSTREAM_UNAVAILABLE, True)
    unavailable = await refusal(cascade, "Where?")
    assert (unavailable.reason, "the LLM at" in unavailable.message) == (Reason.UPSTREAM_UNAVAILABLE, True)
    llm.delay_s = 0
    await llm.start()
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                assert await ask(cascade, "Where?") == ANSWER
                break
            except ContractError as error:
                assert error.reason is Reason.UPSTREAM_UNAVAILABLE


async def test_the_cascade_waits_for_an_llm_that_is_loading(host: Serve, host_wire: ServeWire) -> None:
    class Loading(Wire):
        described = 0

        async def Describe(  # noqa: N802
            self, request: pb.DescribeRequest, context: grpc.aio.ServicerContext
        ) -> pb.DescribeResponse:
            self.described += 1
            if self.described <= 2:
                status = to_status(ContractError(Reason.NOT_READY, "it is still loading"))
                await context.abort(status.code, status.details, status.trailing_metadata)
            return await super().Describe(request, context)

    llm = Loading(answers)
    cascade = await with_llm_at(host, await host_wire(llm))
    assert llm.described == 3
    assert await ask(cascade, "Where?") == ANSWER


async def test_an_llm_that_loads_longer_than_wait_s_is_an_error_with_its_option(host: Serve) -> None:
    server = Server(an_llm("t2t"), ServerOptions(drain_seconds=0))
    await server.bind()
    try:
        with pytest.raises(ContractError, match=r"no LLM answers at .* \(the service is still loading.*wait_s"):
            await with_llm_at(host, server.address, wait_s=0.1)
    finally:
        await server.stop()


async def test_a_busy_llm_is_asked_again(host: Serve, host_wire: ServeWire) -> None:
    def full_twice(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        if len(llm.asked) <= 3:
            raise ContractError(Reason.BUSY, "its queue is full")
        yield from answers(request)

    llm = Wire(answers)
    cascade = await with_llm_at(host, await host_wire(llm))
    llm.asked.clear()
    llm.respond = full_twice
    assert await ask(cascade, "Where?") == ANSWER
    assert len(llm.asked) == 4


async def test_an_llm_that_stays_busy_makes_the_cascade_busy(
    host: Serve, host_wire: ServeWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        raise ContractError(Reason.BUSY, "its queue is full")
        yield

    llm = Wire(answers)
    cascade = await with_llm_at(host, await host_wire(llm))
    llm.respond = full
    monkeypatch.setattr(client, "_BUSY_PATIENCE_S", 0.1)
    busy = await refusal(cascade, "Where?")
    assert busy.reason is Reason.BUSY
    assert f"LLM at {llm.address}" in busy.message


async def test_a_service_gets_no_more_concurrent_calls_than_it_declares(host: Serve, host_wire: ServeWire) -> None:
    llm = Wire(answers, max_concurrent=3, delay_s=0.05)
    cascade = await with_llm_at(host, await host_wire(llm))
    replies = await asyncio.gather(*(ask(cascade, f"Question {number}?") for number in range(20)))
    assert replies == [ANSWER] * 20
    assert 1 < llm.most_in_flight <= 3


@pytest.mark.parametrize(
    ("reason", "expected"),
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
async def test_errors_of_the_llm_name_the_llm(
    host: Serve, host_wire: ServeWire, reason: Reason, expected: Reason
) -> None:
    def fails(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        yield text("It is")
        raise ContractError(reason, "because of X")

    llm = Wire(answers)
    cascade = await with_llm_at(host, await host_wire(llm))
    llm.respond = fails
    error = await refusal(cascade, "Where?")
    assert error.reason is expected
    assert f"LLM at {llm.address}" in error.message
    assert "because of X" in error.message


async def test_a_stream_without_complete_is_an_error(host: Serve, host_wire: ServeWire) -> None:
    llm = Wire(answers)
    cascade = await with_llm_at(host, await host_wire(llm))
    llm.respond = lambda request: iter([text("It is")])
    assert (await refusal(cascade, "Where?")).reason is Reason.INCOMPLETE_STREAM


async def test_a_card_that_violates_the_contract_is_refused_at_the_start(host: Serve, host_wire: ServeWire) -> None:
    llm = Wire(answers, name="llm\x1b[2J")
    with pytest.raises(ContractError, match=r"can't be used: .* name 'llm\\x1b") as caught:
        await with_llm_at(host, await host_wire(llm))
    assert caught.value.reason is Reason.UPSTREAM_UNAVAILABLE


async def test_audio_with_two_rates_is_a_model_error(host: Serve, host_wire: ServeWire) -> None:
    def two_rates(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        other = audio("b")
        other.delta.audio.sample_rate_hz = 8_000
        yield from (text("ignored"), audio("a"), other, complete())

    class Speaker(Wire):
        async def Describe(self, request: pb.DescribeRequest, context: object) -> pb.DescribeResponse:  # noqa: N802
            card = await super().Describe(request, context)
            card.output_sample_rate_hz = RATE
            return card

    voice = Speaker(lambda request: iter([text("ignored"), audio("a"), complete()]))
    cascade = await compose(host, an_llm("t2t"), Parts(tts=None), tts=await host_wire(voice))
    voice.respond = two_rates
    error = await refusal(cascade.served, "Where?", output=Modality.SPEECH)
    assert error.reason is Reason.MODEL_ERROR
    assert "16000 to 8000 Hz" in error.message


class Waiting:
    """An answer that runs until its turn is cancelled."""

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
    cascade = await compose(host, an_llm("t2t", **card), Parts(None, None, None), asr="none", ocr="none")
    cascade.llm.answer = waiting = Waiting()
    return cascade, waiting


def call_of(cascade: Composed, channel: grpc.aio.Channel, timeout_s: float = PATIENCE_S) -> grpc.aio.UnaryStreamCall:
    request = pb.GenerateRequest(parts=[pb.InputPart(text="Where?")], output=pb.MODALITY_TEXT)
    return ModelServiceStub(channel).Generate(request, timeout=timeout_s)


async def test_a_cancelled_call_cancels_the_llm(host: Serve) -> None:
    cascade, waiting = await waiting_cascade(host)
    async with grpc.aio.insecure_channel(cascade.served.address) as channel:
        call = call_of(cascade, channel)
        reading = asyncio.create_task(call.read())
        assert await asyncio.to_thread(waiting.entered.wait, PATIENCE_S)
        call.cancel()
        assert await asyncio.to_thread(waiting.stopped.wait, PATIENCE_S)
        await asyncio.gather(reading, return_exceptions=True)
    cascade.llm.answer = writes(ANSWER)
    assert (await cascade.ask("Where?")).text == ANSWER


async def test_an_expired_deadline_cancels_the_llm(host: Serve) -> None:
    cascade, waiting = await waiting_cascade(host)
    async with grpc.aio.insecure_channel(cascade.served.address) as channel:
        with pytest.raises(grpc.RpcError) as late:
            async for _ in call_of(cascade, channel, timeout_s=1.0):
                pass
    assert from_rpc_error(late.value).reason is Reason.DEADLINE_EXCEEDED
    assert await asyncio.to_thread(waiting.stopped.wait, PATIENCE_S)


async def test_a_queued_question_is_dropped_when_its_caller_is_gone(host: Serve) -> None:
    cascade, waiting = await waiting_cascade(host, max_concurrent=1)
    async with grpc.aio.insecure_channel(cascade.served.address) as channel:
        first = call_of(cascade, channel)
        reading = asyncio.create_task(first.read())
        assert await asyncio.to_thread(waiting.entered.wait, PATIENCE_S)
        with pytest.raises(grpc.RpcError):
            async for _ in call_of(cascade, channel, timeout_s=0.5):
                pass
        asked = len(cascade.llm.asked)
        cascade.llm.answer = writes(ANSWER)
        first.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        assert (await cascade.ask("Whither?")).text == ANSWER
    assert [request.parts for request in cascade.llm.asked[asked:]] == [("Whither?",)]


async def test_an_llm_that_exceeds_timeout_s_is_an_error_with_its_option(host: Serve) -> None:
    waiting = Waiting()
    llm = an_llm("t2t")
    cascade = await compose(host, llm, Parts(None, None, None), asr="none", ocr="none", timeout_s=0.5)
    llm.answer = waiting
    error = await refusal(cascade.served, "Where?")
    assert error.reason is Reason.DEADLINE_EXCEEDED
    assert "timeout_s" in error.message
    assert await asyncio.to_thread(waiting.stopped.wait, PATIENCE_S)


async def test_an_asr_service_without_s2t_is_refused_at_the_start(host: Serve) -> None:
    tts = await host(Double(writes("ignored"), name="voice", conditions=able("t2s")))
    llm = await host(an_llm("t2t"))
    with pytest.raises(ContractError, match=r"no ASR service answers at .*does not support s2t.*set asr"):
        await host(CascadeAdapter({"llm": llm, "asr": tts}))


async def test_a_tts_service_without_a_rate_is_refused_at_the_start(host: Serve) -> None:
    silent = await host(Double(writes("ignored"), name="voice", conditions=able("t2s"), output_sample_rate_hz=0))
    llm = await host(an_llm("t2t"))
    with pytest.raises(ContractError, match=r"the TTS service at .* declares output_sample_rate_hz = 0"):
        await host(CascadeAdapter({"llm": llm, "tts": silent}))


async def test_direct_must_be_supported_by_the_llm(host: Serve) -> None:
    llm = await host(an_llm("t2t", "i2t"))
    with pytest.raises(ContractError, match=r"direct names s2t.*mind supports i2t, t2t"):
        await host(CascadeAdapter({"llm": llm, "direct": ["i2t", "s2t"]}))


def test_an_unreachable_llm_is_named_with_its_option() -> None:
    with pytest.raises(ContractError, match=r"no LLM answers at 127\.0\.0\.1:9.*wait_s.*set llm"):
        CascadeAdapter({"llm": "127.0.0.1:9", "wait_s": 0.2}).load()


async def test_a_second_clip_is_refused_if_asr_is_a_stage(host: Serve) -> None:
    cascade = await compose(host, an_llm("t2t"))
    error = await refusal(cascade.served, CLIP, CLIP)
    assert error.reason is Reason.BAD_REQUEST
    assert "one carrier" in error.message


async def test_calls_are_spread_over_the_containers_of_a_scaled_llm(host: Serve, host_wire: ServeWire) -> None:
    wires = [Wire(answers, host="127.0.0.2")]
    await host_wire(wires[0])
    wires.append(Wire(answers, host="127.0.0.3", port=wires[0].port))
    await host_wire(wires[1])
    cascade = await with_llm_at(host, f"ipv4:{','.join(wire.address for wire in wires)}")
    async with asyncio.timeout(PATIENCE_S):
        while not all(wire.asked for wire in wires):
            assert await ask(cascade, "Where?") == ANSWER
