"""`openai-asr`: the posted form, the transcript and its statistics, and requests that are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from omnigap.errors import ContractError
from omnigap.media import AudioClip, decode_audio
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason
from omnigap_orchestrator.extras.conform.check import Status
from omnigap_orchestrator.extras.conform.suite import conform
from omnigap_services.openai_server.transcription import TranscriptionAdapter
from omnigap_services.options import OptionsError
from tests.helpers.chat_server import MODEL, ChatServer, Handler, cut_off, failing, sending, tone
from tests.helpers.serve_process import Served
from tests.helpers.served_doubles import Serve
from tests.services.openai_server.audio_server import audio_server, transcript

CLIP = AudioClip(tone(1.0, 16_000), 16_000)
KEY = "sk-test-8f3a91c07d"


@pytest.fixture
def server() -> Iterator[ChatServer]:
    found = audio_server()
    yield found
    found.close()


@pytest.fixture
def service(server: ChatServer, host_adapter: Callable[[Any], Served]) -> Callable[..., Served]:
    """Starts the service with further options; the server's recorded requests begin after its start."""

    def start(**options: Any) -> Served:
        served = host_adapter(
            TranscriptionAdapter({"base_url": server.url, "model": MODEL, "max_retries": 0, **options})
        )
        server.then()
        return served

    return start


def test_a_clip_is_posted_with_its_language_at_temperature_0_and_no_prompt(
    server: ChatServer, service: Callable[..., Served]
) -> None:
    served = service(extra_body={"seed": 7})
    served.ask(CLIP, language="ko-KR")
    body = dict(server.asked[-1].body)
    file = decode_audio(body.pop("file"), "audio/wav")
    assert (file.sample_rate, file.seconds) == (16_000, 1.0)
    assert np.allclose(file.samples, CLIP.samples, atol=1e-4)
    assert float(body.pop("temperature")) == 0.0
    assert body == {
        "path": "/v1/audio/transcriptions",
        "model": MODEL,
        "language": "ko",
        "response_format": "verbose_json",
        "seed": "7",
    }


def test_verbose_json_has_the_diagnostics_of_the_default_service(service: Callable[..., Served]) -> None:
    reply = service().ask(CLIP)
    found = dict(reply.complete.diagnostics)
    assert reply.text == "Paris."
    # Four and two tokens with their end marks: (-0.2 * 4 - 0.8 * 2) / 6.
    assert found["avg_logprob"] == pytest.approx(-0.4)
    assert found["no_speech_prob"] == 0.01
    assert found["duration_s"] == 1.0
    assert found["compression_ratio"] > 0
    assert reply.complete.usage.output_tokens == 4
    assert reply.complete.detected_language == "english"


def test_json_has_the_text_only(server: ChatServer, service: Callable[..., Served]) -> None:
    reply = service(response_format="json", send_language=False).ask(CLIP)
    assert reply.text == "Paris."
    assert set(reply.complete.diagnostics) == {"duration_s", "compression_ratio", "retries"}
    assert "language" not in server.asked[-1].body
    assert reply.complete.detected_language == "en"


def test_input_that_could_steer_the_transcript_is_refused_before_it_is_sent(
    server: ChatServer, service: Callable[..., Served]
) -> None:
    served = service(languages=["en"])
    for parts, fields in (
        ((CLIP, "The answer is Paris."), {}),
        ((CLIP,), {"system_prompt": "Paris"}),
        ((CLIP,), {"decoding": pb.Decoding(temperature=0.4)}),
        ((CLIP,), {"decoding": pb.Decoding(beam_size=5)}),
        ((CLIP,), {"language": "ko"}),
    ):
        with pytest.raises(ContractError) as caught:
            served.ask(*parts, **fields)  # type: ignore[arg-type]
        assert caught.value.reason is Reason.BAD_REQUEST
    assert server.asked == []
    with pytest.raises(OptionsError, match="prompt"):
        TranscriptionAdapter({"model": MODEL, "extra_body": {"prompt": "Paris"}})


def test_regions_of_languages_are_ignored(server: ChatServer, service: Callable[..., Served]) -> None:
    served = service(language="pt-BR", languages=["pt-BR"])
    for asked in ("pt-BR", "pt", "pt-PT", ""):
        served.ask(CLIP, language=asked)
        assert server.asked[-1].body["language"] == "pt"
    with pytest.raises(ContractError, match="'en' is not in the option languages"):
        served.ask(CLIP, language="en")


def test_a_default_language_that_is_not_listed_is_refused() -> None:
    with pytest.raises(OptionsError, match=r"language is 'en', .*\(pt-BR\)"):
        TranscriptionAdapter({"model": MODEL, "languages": ["pt-BR"]})


def test_long_digital_silence_is_not_sent(server: ChatServer, service: Callable[..., Served]) -> None:
    silence = np.zeros(35 * 16_000, np.float32)
    long = AudioClip(np.concatenate([silence, tone(0.5, 16_000), silence]), 16_000)
    reply = service().ask(long)
    assert reply.complete.diagnostics["duration_s"] == pytest.approx(70.5)
    sent = decode_audio(server.asked[-1].body["file"], "audio/wav")
    assert sent.seconds == pytest.approx(1.5, abs=0.01)


def test_an_error_beside_a_text_is_an_error(server: ChatServer, service: Callable[..., Served]) -> None:
    served = service()
    server.then(sending({"text": "", "error": {"code": 429, "message": "slow down"}}))
    with pytest.raises(ContractError, match="slow down") as failed:
        served.ask(AudioClip(tone(0.5, 16_000), 16_000))
    assert failed.value.reason is Reason.RATE_LIMITED


def test_digital_silence_has_an_empty_transcript_and_is_not_sent(
    server: ChatServer, service: Callable[..., Served]
) -> None:
    reply = service().ask(AudioClip(np.zeros(16_000, np.float32), 16_000))
    assert (reply.text, reply.complete.diagnostics["no_speech_prob"]) == ("", 1.0)
    assert server.asked == []


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (failing(429), Reason.RATE_LIMITED),
        (failing(500, "CUDA out of memory"), Reason.OUT_OF_MEMORY),
        (cut_off, Reason.UPSTREAM_UNAVAILABLE),
        (sending({"words": []}), Reason.MODEL_ERROR),
        (sending(["Paris"]), Reason.MODEL_ERROR),
    ],
    ids=["rate", "memory", "cut off", "no text", "a list"],
)
def test_errors_are_mapped_to_the_contracts_reasons(
    server: ChatServer, service: Callable[..., Served], fault: Any, reason: Reason
) -> None:
    served = service()
    server.then(fault)
    with pytest.raises(ContractError) as caught:
        served.ask(CLIP)
    assert caught.value.reason is reason


def test_invalid_statistics_are_left_out(server: ChatServer, service: Callable[..., Served]) -> None:
    served = service()
    server.then(transcript("Paris", segments=[{"avg_logprob": None, "tokens": None, "no_speech_prob": "low"}, 3]))
    reply = served.ask(CLIP)
    assert reply.text == "Paris"
    assert set(reply.complete.diagnostics) == {"duration_s", "compression_ratio", "retries"}


def test_the_key_goes_to_the_server_and_nowhere_else(
    server: ChatServer,
    service: Callable[..., Served],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def echoing(handler: Handler, body: dict[str, Any]) -> None:
        handler.send(f"welcome {handler.headers['Authorization']}".encode())

    monkeypatch.setenv("TEST_ASR_KEY", KEY)
    served = service(api_key_env="TEST_ASR_KEY")
    server.then(echoing)
    with pytest.raises(ContractError) as caught:
        served.ask(CLIP)
    assert server.asked[-1].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in caught.value.message + str(served.describe()) + caplog.text


async def test_openai_asr_conforms(server: ChatServer, host: Serve) -> None:
    found = await conform(await host(TranscriptionAdapter({"base_url": server.url, "model": MODEL})))
    assert [result for result in found.results if result.status in (Status.FAILED, Status.WARNING)] == []
    assert sum(result.status is Status.PASSED for result in found.results) >= 30
