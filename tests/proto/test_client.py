"""One Generate call: a stream counts as an answer only if it is complete and follows the contract."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import pytest

from omnigap.answer import Answer, StreamCollector
from omnigap.client import GenerateClient
from omnigap.errors import NO_AUDIO, ContractError
from omnigap.media import encode_pcm16
from omnigap.media.audio import PCM, WAV
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import FinishReason, Reason
from tests.helpers.served_doubles import PATIENCE_S, RATE, ServeWire, Wire, audio, complete, plain, sound, text

SPEECH = pb.GenerateRequest(parts=[pb.InputPart(text="Say it.")], output=pb.MODALITY_SPEECH)


async def generate(host_wire: ServeWire, *responses: pb.GenerateResponse) -> Answer:
    def respond(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        yield from responses

    async with GenerateClient(await host_wire(Wire(respond))) as client:
        return await client.generate(SPEECH, timeout_s=30)


def chunk(data: bytes, mime_type: str = PCM, rate: int = RATE, channels: int = 1) -> pb.GenerateResponse:
    part = pb.Audio(data=data, mime_type=mime_type, sample_rate_hz=rate, channels=channels)
    return pb.GenerateResponse(delta=pb.Delta(audio=part))


async def test_deltas_are_joined_in_order(host_wire: ServeWire) -> None:
    answer = await generate(
        host_wire,
        text("Pa"),
        audio("first"),
        pb.GenerateResponse(delta=pb.Delta(reasoning="capital of France")),
        text("ris"),
        audio("second"),
        complete("abc"),
    )
    assert answer.own_text == "Paris"
    assert answer.reasoning == "capital of France"
    assert answer.pcm == encode_pcm16(sound("first")) + encode_pcm16(sound("second"))
    assert answer.audio_seconds == pytest.approx(0.4)
    assert answer.finish_reason is FinishReason.STOP
    assert answer.digest == "abc"


async def test_stream_without_complete_raises(host_wire: ServeWire) -> None:
    with pytest.raises(ContractError, match="ended the stream without `complete`") as caught:
        await generate(host_wire, text("Par"))
    assert caught.value.reason is Reason.INCOMPLETE_STREAM


@pytest.mark.parametrize(
    ("responses", "reason", "message"),
    [
        ((complete(), text("more")), Reason.MODEL_ERROR, "continued after `complete`"),
        ((chunk(b"\0\0", WAV), complete()), Reason.MODEL_ERROR, "'audio/wav' with 1 channels at 16000 Hz"),
        ((chunk(b"\0\0", rate=0), complete()), Reason.MODEL_ERROR, "at 0 Hz"),
        ((chunk(b"\0\0\0\0", channels=2), complete()), Reason.MODEL_ERROR, "with 2 channels"),
        ((chunk(b"\0\0"), chunk(b"\0\0", rate=8_000), complete()), Reason.MODEL_ERROR, "16000 to 8000 Hz"),
        ((chunk(b"\0\0\0"), complete()), Reason.MODEL_ERROR, "half a sample is missing"),
        ((pb.GenerateResponse(complete=pb.Complete()),), Reason.MODEL_ERROR, "gave no finish reason"),
    ],
    ids=["after complete", "a file", "no rate", "stereo", "another rate", "half a sample", "no finish reason"],
)
async def test_contract_violations_raise_with_their_reason(
    host_wire: ServeWire, responses: tuple[pb.GenerateResponse, ...], reason: Reason, message: str
) -> None:
    with pytest.raises(ContractError, match=message) as caught:
        await generate(host_wire, *responses)
    assert caught.value.reason is reason


async def test_speech_answer_without_any_audio_raises_and_empty_audio_is_an_answer(host_wire: ServeWire) -> None:
    with pytest.raises(ContractError, match=f"{NO_AUDIO}, only the text 'Paris'") as caught:
        await generate(host_wire, text("Paris"), complete())
    assert caught.value.reason is Reason.MODEL_ERROR
    with pytest.raises(ContractError, match="and no text either"):
        await generate(host_wire, complete())
    empty = await generate(host_wire, text("Paris"), chunk(b""), complete())
    assert (empty.pcm, empty.sample_rate, empty.audio_seconds) == (b"", RATE, 0.0)


async def test_refusal_needs_no_audio(host_wire: ServeWire) -> None:
    done = pb.GenerateResponse(complete=pb.Complete(finish_reason=pb.FINISH_REASON_REFUSED))
    answer = await generate(host_wire, text("I can't say."), done)
    assert (answer.finish_reason, answer.sample_rate) == (FinishReason.REFUSED, 0)


async def test_text_answer_may_be_empty_and_has_no_audio(host_wire: ServeWire) -> None:
    request = pb.GenerateRequest(parts=[pb.InputPart(text="Say it.")], output=pb.MODALITY_TEXT)
    for responses, fault in (((complete(),), ""), ((text("Paris"), chunk(b"\0\0"), complete()), "audio in a text")):
        async with GenerateClient(await host_wire(Wire(lambda _, given=responses: iter(given)))) as client:
            if not fault:
                assert (await client.generate(request, timeout_s=30)).own_text == ""
                continue
            with pytest.raises(ContractError, match=fault) as caught:
                await client.generate(request, timeout_s=30)
            assert caught.value.reason is Reason.MODEL_ERROR


async def test_unreachable_address_is_a_transport_error(host_wire: ServeWire) -> None:
    wire = Wire(plain)
    address = await host_wire(wire)
    await wire.stop()
    async with GenerateClient(address) as client:
        assert not await client.serving(timeout_s=2)
        with pytest.raises(ContractError) as caught:
            await client.describe(timeout_s=2)
    assert caught.value.reason is Reason.TRANSPORT


async def test_on_delta_receives_deltas_until_a_violation(host_wire: ServeWire) -> None:
    def respond(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        yield from (text("Pa"), chunk(b"\0\0\1\1"), chunk(b"\0"), text("never"), complete())

    passed: list[str | bytes] = []
    async with GenerateClient(await host_wire(Wire(respond))) as client:
        with pytest.raises(ContractError, match="half a sample"):
            await client.generate(SPEECH, 30, lambda delta: passed.append(delta.text or delta.audio.data))
    assert passed == ["Pa", b"\0\0\1\1"]


def test_collector_keeps_a_broken_stream() -> None:
    collector = StreamCollector("model:1")
    for response in (text("Pa"), complete("a"), text("ris"), chunk(b"\0"), complete("b")):
        collector.add(response)
    assert (collector.text, collector.pcm, collector.late) == ("Paris", b"\0", 3)
    assert [done.digest for done in collector.completes] == ["a", "b"]
    with pytest.raises(ContractError, match="continued after `complete`"):
        collector.answer()


@pytest.mark.parametrize("scheme", ["", "dns:///"])
async def test_a_client_of_one_address_of_a_name_sends_the_name(scheme: str) -> None:
    """A gateway that serves several names at one address needs it."""
    received, seen = bytearray(), asyncio.Event()
    name = b"demo.example:"

    async def gateway(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # An empty SETTINGS frame: the client then sends its headers.
        writer.write(b"\0\0\0\4\0\0\0\0\0")
        while not seen.is_set() and (data := await reader.read(4096)):
            received.extend(data)
            if name in received:
                seen.set()
        writer.close()

    server = await asyncio.start_server(gateway, "127.0.0.2", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, GenerateClient(f"{scheme}{name.decode()}{port}", ip="127.0.0.2") as client:
        assert client.address == f"{scheme}demo.example:{port} (127.0.0.2)"
        check = asyncio.create_task(client.health(timeout_s=PATIENCE_S))
        await asyncio.wait_for(seen.wait(), PATIENCE_S)
        check.cancel()
    assert b"dns:///" not in received and b"127.0.0.2" not in received


async def test_spread_calls_use_all_addresses_and_leave_out_one_that_is_gone(host_wire: ServeWire) -> None:
    wires = [Wire(plain, host="127.0.0.2")]
    await host_wire(wires[0])
    wires.append(Wire(plain, host="127.0.0.3", port=wires[0].port))
    await host_wire(wires[1])
    target = f"ipv4:{','.join(wire.address for wire in wires)}"
    request = pb.GenerateRequest(request_id="1", parts=[pb.InputPart(text="hello")], output=pb.MODALITY_TEXT)
    async with GenerateClient(target, spread=True) as client, asyncio.timeout(PATIENCE_S):
        while not all(wire.asked for wire in wires):
            await client.generate(request, PATIENCE_S)
        await wires[0].stop()
        asked = len(wires[1].asked)
        while len(wires[1].asked) < asked + 3:
            with contextlib.suppress(ContractError):
                await client.generate(request, PATIENCE_S)
