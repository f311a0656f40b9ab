"""`openai-speech`: the posted body, the audio that comes back, and errors."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import numpy as np
import pytest

from omnigap.errors import ContractError
from omnigap.media import encode_pcm16, encode_wav
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, Reason
from omnigap_orchestrator.extras.conform.check import Status
from omnigap_orchestrator.extras.conform.suite import conform
from omnigap_services.openai_server.speech import SpeechAdapter
from omnigap_services.options import OptionsError
from tests.helpers.chat_server import MODEL, PATIENCE_S, ChatServer, Handler, Silence, failing, reset, tone
from tests.helpers.serve_process import Served
from tests.helpers.served_doubles import Serve
from tests.services.openai_server.audio_server import audio_server, sending_bytes, speech

TEXT = "The capital of France is Paris."
KEY = "sk-test-8f3a91c07d"


@pytest.fixture
def voices() -> Iterator[ChatServer]:
    server = audio_server()
    yield server
    server.close()


@pytest.fixture
def service(voices: ChatServer, host_adapter: Callable[[Any], Served]) -> Callable[..., Served]:
    """Starts the service with further options; the server's recorded requests begin after its start."""

    def start(**options: Any) -> Served:
        served = host_adapter(SpeechAdapter({"base_url": voices.url, "model": MODEL, "max_retries": 0, **options}))
        voices.then()
        return served

    return start


def body_of(voices: ChatServer, served: Served, **fields: Any) -> dict[str, Any]:
    served.ask(TEXT, output=Modality.SPEECH, **fields)
    return voices.asked[-1].body


def test_a_text_is_posted_and_its_audio_returned(voices: ChatServer, service: Callable[..., Served]) -> None:
    served = service(voices=["af_heart", "am_puck"])
    reply = served.ask(TEXT, output=Modality.SPEECH)
    assert voices.asked[-1].body == {
        "path": "/v1/audio/speech",
        "model": MODEL,
        "input": TEXT,
        "voice": "af_heart",
        "response_format": "wav",
    }
    assert reply.text == TEXT
    assert reply.audio is not None
    assert (reply.audio.sample_rate, reply.audio.seconds) == (24_000, 1.0)
    assert reply.complete.diagnostics["audio_seconds"] == 1.0
    assert [voice.name for voice in served.describe().voices] == ["af_heart", "am_puck"]


def test_voice_rate_seed_and_extra_fields_are_sent(voices: ChatServer, service: Callable[..., Served]) -> None:
    served = service(
        voices=["a", "b"],
        words_per_minute=160,
        seed_field="seed",
        instructions="Speak slowly.",
        extra_body={"task_type": "CustomVoice"},
    )
    body = body_of(voices, served, voice=pb.VoiceSettings(name="b", words_per_minute=200), decoding=pb.Decoding(seed=9))
    assert body["voice"] == "b"
    assert body["speed"] == 1.25
    assert body["seed"] == 9
    assert body["instructions"] == "Speak slowly."
    assert body["task_type"] == "CustomVoice"
    plain = body_of(voices, served)
    assert plain["seed"] == 0
    assert "speed" not in plain


def test_the_items_language_chooses_the_voice_and_an_unknown_one_is_refused(
    voices: ChatServer, service: Callable[..., Served]
) -> None:
    served = service(voices=["heart", "alpha"], languages=["en", "ko"], language_voices={"ko": "alpha"})
    assert body_of(voices, served, language="ko-KR")["voice"] == "alpha"
    assert body_of(voices, served, language="en-GB")["voice"] == "heart"
    assert {v.name: v.language for v in served.describe().voices} == {"heart": "en", "alpha": "ko"}
    with pytest.raises(ContractError, match="'fr'") as caught:
        served.ask(TEXT, output=Modality.SPEECH, language="fr")
    assert caught.value.reason is Reason.BAD_REQUEST


def test_a_voice_of_the_items_region_is_preferred_to_one_of_its_language(
    voices: ChatServer, service: Callable[..., Served]
) -> None:
    served = service(voices=["ana", "bia"], language_voices={"pt-PT": "ana", "pt-BR": "bia"})
    assert body_of(voices, served, language="pt-BR")["voice"] == "bia"
    assert body_of(voices, served, language="pt")["voice"] == "ana"


@pytest.mark.parametrize(("own", "message"), [(0, "set words_per_minute"), (160, "40 to 640")])
def test_a_rate_that_is_unknown_or_out_of_range_is_refused(
    service: Callable[..., Served], own: float, message: str
) -> None:
    with pytest.raises(ContractError, match=message) as caught:
        service(words_per_minute=own).ask(TEXT, output=Modality.SPEECH, voice=pb.VoiceSettings(words_per_minute=700))
    assert caught.value.reason is Reason.BAD_REQUEST


def streamed_header(size: int) -> bytes:
    """A WAV file whose sizes were written before they were known."""
    pcm = encode_pcm16(tone(0.5, 16_000))
    head = b"RIFF" + struct.pack("<I", size) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 16_000, 32_000, 2, 16)
    return head + b"LIST" + struct.pack("<I", 4) + b"INFO" + b"data" + struct.pack("<I", size) + pcm


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF], ids=["zero", "four gigabytes", "two"])
def test_a_wav_with_wrong_sizes_is_read_to_its_end(
    voices: ChatServer, service: Callable[..., Served], size: int
) -> None:
    served = service(output_sample_rate_hz=16_000)
    voices.then(sending_bytes(streamed_header(size), "audio/wav"))
    reply = served.ask(TEXT, output=Modality.SPEECH)
    assert reply.audio is not None
    assert (reply.audio.sample_rate, reply.audio.seconds) == (16_000, 0.5)
    assert np.allclose(reply.audio.samples, tone(0.5, 16_000), atol=1e-4)


def test_audio_at_the_headers_rate_is_resampled_to_the_cards_rate(
    voices: ChatServer, service: Callable[..., Served]
) -> None:
    served = service()
    voices.then(speech(tone(1.0, 44_100), 44_100))
    reply = served.ask(TEXT, output=Modality.SPEECH)
    assert reply.audio is not None
    assert reply.audio.sample_rate == 24_000
    assert reply.audio.seconds == pytest.approx(1.0, abs=0.01)
    assert reply.complete.diagnostics["audio_rate_hz"] == 44_100


@pytest.mark.parametrize(
    ("content_type", "seconds"),
    [("audio/pcm", 1.0), ("audio/pcm;rate=12000;channels=1", 2.0)],
    ids=["options", "content type"],
)
def test_raw_pcm_is_read_at_the_rate_of_its_content_type_or_of_the_options(
    voices: ChatServer, service: Callable[..., Served], content_type: str, seconds: float
) -> None:
    served = service(audio_format="pcm", pcm_sample_rate_hz=24_000)
    voices.then(sending_bytes(encode_pcm16(tone(1.0, 24_000)) + b"\0", content_type))  # and half a sample
    reply = served.ask(TEXT, output=Modality.SPEECH)
    assert voices.asked[-1].body["response_format"] == "pcm"
    assert reply.audio is not None
    assert reply.audio.seconds == pytest.approx(seconds, abs=0.01)


@pytest.mark.parametrize(
    ("data", "content_type", "message"),
    [
        (json.dumps({"error": "no such voice"}).encode(), "application/json", "no such voice"),
        (b"", "audio/wav", "silent"),
        (encode_wav(b"", 24_000), "audio/wav", "silent"),
        (encode_wav(encode_pcm16(np.zeros(24_000, np.float32)), 24_000), "audio/wav", "silent"),
        (b"ID3\x04 not a wav file", "audio/mpeg", "cannot be read"),
    ],
    ids=["json", "nothing", "no sample", "silence", "mp3"],
)
def test_an_answer_without_speech_is_an_error(
    voices: ChatServer, service: Callable[..., Served], data: bytes, content_type: str, message: str
) -> None:
    served = service()
    voices.then(sending_bytes(data, content_type))
    with pytest.raises(ContractError, match=message) as caught:
        served.ask(TEXT, output=Modality.SPEECH)
    assert caught.value.reason is Reason.MODEL_ERROR


def test_errors_are_retried_and_mapped_to_the_contracts_reasons(
    voices: ChatServer, service: Callable[..., Served]
) -> None:
    served = service(max_retries=2)
    voices.then(failing(503, retry_after_ms="1"), failing(429, retry_after_ms="1"))
    assert served.ask(TEXT, output=Modality.SPEECH).complete.diagnostics["retries"] == 2
    once = service()
    for fault, reason in ((failing(429), Reason.RATE_LIMITED), (reset, Reason.UPSTREAM_UNAVAILABLE)):
        voices.then(fault)
        with pytest.raises(ContractError) as caught:
            once.ask(TEXT, output=Modality.SPEECH)
        assert caught.value.reason is reason


def test_a_cancelled_call_closes_the_http_request(voices: ChatServer, service: Callable[..., Served]) -> None:
    served = service()
    silence = Silence()
    voices.then(silence)
    request = pb.GenerateRequest(parts=[pb.InputPart(text=TEXT)], output=pb.MODALITY_SPEECH)
    call = served.stub.Generate(request, timeout=120)
    assert silence.entered.wait(PATIENCE_S)
    call.cancel()
    assert silence.left.wait(PATIENCE_S)
    with pytest.raises(grpc.RpcError):
        next(iter(call))


def test_the_key_goes_to_the_server_and_nowhere_else(
    voices: ChatServer,
    service: Callable[..., Served],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def echoing(handler: Handler, body: dict[str, Any]) -> None:
        handler.send(f"welcome {handler.headers['Authorization']}".encode(), headers={"Content-Type": "text/json"})

    monkeypatch.setenv("TEST_VOICE_KEY", KEY)
    served = service(api_key_env="TEST_VOICE_KEY")
    served.ask(TEXT, output=Modality.SPEECH)
    assert voices.asked[-1].headers["authorization"] == f"Bearer {KEY}"
    voices.then(echoing)
    with pytest.raises(ContractError) as caught:
        served.ask(TEXT, output=Modality.SPEECH)
    assert "welcome" in caught.value.message
    assert KEY not in caught.value.message + str(served.describe()) + caplog.text


def test_the_digest_covers_revision_and_launch_but_not_the_host(service: Callable[..., Served]) -> None:
    plain = service().describe()
    for change in ({"revision": "abc"}, {"launch": "vllm serve"}, {"voices": ["b"]}, {"extra_body": {"x": 1}}):
        assert service(**change).describe().digest != plain.digest
    for same in ({"max_retries": 1}, {"concurrency": 2}, {"timeout_s": 5}):
        assert service(**same).describe().digest == plain.digest
    assert "127.0.0.1" not in str(plain.settings)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"extra_body": {"input": "x"}}, "written by the adapter"),
        ({"language_voices": {"ko": "unknown"}}, "unknown"),
        ({"base_url": "http://me:secret@host/v1"}, "api_key_env"),
        ({"api_key_env": KEY}, "api_key_env"),
        ({"voices": []}, "voices"),
        ({"audio_format": "mp3"}, "audio_format"),
    ],
)
def test_invalid_options_are_refused_by_name_without_secrets(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionsError, match=message) as caught:
        SpeechAdapter({"model": MODEL, **options})
    assert "secret" not in str(caught.value)
    assert KEY not in str(caught.value)


async def test_openai_speech_conforms(voices: ChatServer, host: Serve) -> None:
    found = await conform(await host(SpeechAdapter({"base_url": voices.url, "model": MODEL})))
    assert [result for result in found.results if result.status in (Status.FAILED, Status.WARNING)] == []
    assert sum(result.status is Status.PASSED for result in found.results) == 32


def test_raw_pcm_may_begin_with_the_byte_of_a_brace(voices: ChatServer, service: Callable[..., Served]) -> None:
    served = service(audio_format="pcm")
    samples = np.full(2_400, ord("{") / 32_768, dtype=np.float32)
    assert encode_pcm16(samples)[:1] == b"{"
    voices.then(speech(samples))
    reply = served.ask(TEXT, output=Modality.SPEECH)
    assert reply.audio is not None
    assert len(reply.audio.samples) == 2_400
