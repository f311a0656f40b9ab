"""The TTS stage: Markdown is removed from spoken text, and audio is passed on unchanged unless its rate differs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from omnigap.answer import Answer
from omnigap.client import GenerateClient
from omnigap.errors import ContractError
from omnigap.media import encode_pcm16
from omnigap.media.audio import PCM
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason
from omnigap_services.cascade import tts
from omnigap_services.cascade.tts import plain_text
from omnigap_services.server import stream
from tests.helpers.served_doubles import RATE, Serve, ServeWire, Wire, complete, sound, text
from tests.services.cascade.cascade_parts import Composed, Parts, an_llm, compose

QUESTION = pb.GenerateRequest(parts=[pb.InputPart(text="Where?")], output=pb.MODALITY_SPEECH)


class Voice(Wire):
    """A TTS service that declares its rate and sends the events that a test sets."""

    async def Describe(self, request: pb.DescribeRequest, context: object) -> pb.DescribeResponse:  # noqa: N802
        card = await super().Describe(request, context)
        card.output_sample_rate_hz = RATE
        return card


def chunk(data: bytes, rate: int = RATE) -> pb.GenerateResponse:
    return pb.GenerateResponse(
        delta=pb.Delta(audio=pb.Audio(data=data, mime_type=PCM, sample_rate_hz=rate, channels=1))
    )


async def spoken(host: Serve, host_wire: ServeWire, *responses: pb.GenerateResponse) -> Callable[[], object]:
    """A cascade whose TTS service sends these events; the returned function asks it."""
    voice = Voice(lambda request: iter([chunk(b"\0\0"), complete()]))
    cascade: Composed = await compose(host, an_llm("t2t"), Parts(tts=None), tts=await host_wire(voice))

    def respond(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        yield from responses

    voice.respond = respond

    async def ask() -> Answer:
        async with GenerateClient(cascade.served.address) as client:
            return await client.generate(QUESTION, timeout_s=30)

    return ask


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the conversions between float and PCM16, in the order of the calls."""
    made: list[str] = []
    for module, name in ((stream, "encode_pcm16"), (tts, "pcm16_to_float")):
        real = getattr(module, name)

        def counted(*arguments: object, real: Callable[..., object] = real, name: str = name) -> object:
            made.append(name)
            return real(*arguments)

        monkeypatch.setattr(module, name, counted)
    return made


async def test_speech_at_the_rate_of_the_cascade_keeps_its_bytes(
    host: Serve, host_wire: ServeWire, conversions: list[str]
) -> None:
    pieces = [encode_pcm16(sound("a")), b"\x00\x80\xff\x7f\x01\x00", encode_pcm16(sound("b"))]
    ask = await spoken(host, host_wire, text("ignored"), *(chunk(piece) for piece in pieces), complete())
    conversions.clear()
    answer = await ask()
    assert answer.pcm == b"".join(pieces)
    assert answer.usage.output_audio_seconds == pytest.approx(len(answer.pcm) / 2 / RATE)
    assert conversions == []


async def test_speech_at_another_rate_is_decoded_and_encoded_once(
    host: Serve, host_wire: ServeWire, conversions: list[str]
) -> None:
    pieces = [encode_pcm16(sound("a")), encode_pcm16(sound("b"))]
    ask = await spoken(host, host_wire, *(chunk(piece, 2 * RATE) for piece in pieces), complete())
    conversions.clear()
    answer = await ask()
    assert answer.sample_rate == RATE
    assert len(answer.pcm) == pytest.approx(len(b"".join(pieces)) / 2, rel=0.01)
    assert conversions == ["pcm16_to_float", "encode_pcm16"]


@pytest.mark.parametrize(
    ("responses", "reason", "says"),
    [
        ((chunk(b"\0\0"), complete(), chunk(b"\0\0")), Reason.MODEL_ERROR, "continued after `complete`"),
        ((chunk(b"\0\0"), complete(), complete()), Reason.MODEL_ERROR, "continued after `complete`"),
        ((chunk(b"\0\0\0"), complete()), Reason.MODEL_ERROR, "half a sample is missing"),
    ],
    ids=["audio after complete", "a second complete", "half a sample"],
)
async def test_a_tts_service_that_breaks_the_contract_fails_the_answer(
    host: Serve, host_wire: ServeWire, responses: tuple[pb.GenerateResponse, ...], reason: Reason, says: str
) -> None:
    ask = await spoken(host, host_wire, *responses)
    with pytest.raises(ContractError, match=says) as caught:
        await ask()
    assert caught.value.reason is reason
    assert "the TTS service at" in caught.value.message


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("**Paris**", "Paris"),
        ("The capital is ***Paris***, *not* __Lyon__.", "The capital is Paris, not Lyon."),
        ("**The _Nile_ flows there.**", "The Nile flows there."),
        ("It is `Paris`.", "It is Paris."),
        ("~~Lyon~~ Paris", "Lyon Paris"),
        ("## Answer\n\n- Paris\n* Rome\n+ Bonn", "Answer\n\nParis\nRome\nBonn"),
        ("> Paris", "Paris"),
        ("```text\nParis\n```", "Paris\n"),
        ('[Paris](https://example.org/a_(b) "the city")', "Paris"),
        ("Paris\n\n---\nRome", "Paris\n\nRome"),
        ("- [x] Paris", "Paris"),
        ("It is Paris! \U0001f60a\u2728", "It is Paris!"),
        ("\u2705 Paris, \U0001f468\u200d\U0001f373 \u2764\ufe0f", "Paris,"),
        ("| City | River |\n|---|:---:|\n| Paris | Seine |", "City, River\nParis, Seine"),
    ],
)
def test_markdown_is_removed(written: str, spoken: str) -> None:
    assert plain_text(written) == spoken


@pytest.mark.parametrize(
    "text",
    [
        "Paris",
        "2 * 3 * 4 = 24",
        "2*3*4",
        "snake_case_name and __init__py",
        "-5 degrees, 7 - 2, $5",
        "1. Paris\n2. Rome",
        "C# and #1",
        "5 > 3",
        "A [B] (C)",
        "F\u266f and B\u266d, 21 \u00b0C, |x| = 2",
    ],
)
def test_other_text_is_unchanged(text: str) -> None:
    assert plain_text(text) == text


@pytest.mark.parametrize("text", ["*", "**", "", "****", "`", "[", "_" * 50])
def test_marks_without_text_do_not_fail(text: str) -> None:
    assert isinstance(plain_text(text), str)
