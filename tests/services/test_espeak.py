"""The `espeak` service: voices, rates, and reproducible samples."""

from __future__ import annotations

import numpy as np
import pytest

from omnigap.errors import ContractError
from omnigap.media import AudioClip
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, Reason
from omnigap_services.espeak.adapter import EspeakAdapter
from omnigap_services.options import OptionsError
from tests.helpers.serve_process import Serve, Served

TEXT = "The capital of France is Paris."


def spoken(served: Served, text: str = TEXT, **fields: object) -> AudioClip:
    reply = served.ask(text, output=Modality.SPEECH, **fields)
    assert reply.text == text
    assert reply.audio is not None
    return reply.audio


def test_a_text_becomes_16_khz_speech_of_a_plausible_length(espeak: Served) -> None:
    clip = spoken(espeak)
    assert clip.sample_rate == 16_000
    assert 1.0 < clip.seconds < 4.0
    assert np.sqrt(np.mean(clip.samples**2)) > 0.01


def test_only_text_to_speech_is_supported(espeak: Served) -> None:
    described = espeak.describe()
    native = [c for c in described.conditions if c.support == pb.SUPPORT_NATIVE]
    assert [(c.input, c.output) for c in native] == [(pb.MODALITY_TEXT, pb.MODALITY_SPEECH)]
    assert described.architecture == pb.ARCHITECTURE_UNSPECIFIED
    with pytest.raises(ContractError) as caught:
        espeak.ask(TEXT)
    assert caught.value.reason is Reason.UNSUPPORTED_CONDITION


def test_every_voice_is_different(espeak: Served) -> None:
    voices = espeak.describe().voices
    assert [voice.name for voice in voices[:2]] == ["en-us", "en-us+f3"]
    sounds = [spoken(espeak, voice=pb.VoiceSettings(name=voice.name)).samples.tobytes() for voice in voices]
    assert len(set(sounds)) == len(voices)


@pytest.mark.parametrize("voice", ["en-us", "en-us+f3", "ko"])
def test_samples_do_not_depend_on_earlier_requests(espeak: Served, voice: str) -> None:
    settings = pb.VoiceSettings(name=voice)
    first = spoken(espeak, voice=settings)
    spoken(espeak, "Something else, in another voice.", voice=pb.VoiceSettings(name="en-us+f1"))
    again = spoken(espeak, voice=settings)
    assert np.array_equal(first.samples, again.samples)


def test_another_process_gives_the_same_samples(espeak: Served, serve: Serve) -> None:
    other = serve("espeak")
    assert other.describe().digest == espeak.describe().digest
    for voice in ("en-us", "en-us+f3"):
        settings = pb.VoiceSettings(name=voice)
        assert np.array_equal(spoken(espeak, voice=settings).samples, spoken(other, voice=settings).samples)


def test_the_rate_changes_the_duration(espeak: Served) -> None:
    seconds = [spoken(espeak, voice=pb.VoiceSettings(words_per_minute=rate)).seconds for rate in (80, 175, 450)]
    assert seconds[0] > 1.5 * seconds[1] > 1.5 * seconds[2]
    assert seconds[1] == spoken(espeak).seconds


@pytest.mark.parametrize("rate", [79, 451])
def test_a_rate_out_of_range_is_refused_with_the_range(espeak: Served, rate: float) -> None:
    with pytest.raises(ContractError, match="80 to 450") as caught:
        spoken(espeak, voice=pb.VoiceSettings(words_per_minute=rate))
    assert caught.value.reason is Reason.BAD_REQUEST


def test_an_unknown_voice_is_refused_with_the_known_ones(espeak: Served) -> None:
    with pytest.raises(ContractError, match="en-us, en-us\\+f3") as caught:
        spoken(espeak, voice=pb.VoiceSettings(name="klingon"))
    assert caught.value.reason is Reason.BAD_REQUEST


def test_the_language_selects_the_voice_if_none_is_named(espeak: Served) -> None:
    korean = spoken(espeak, "안녕하세요", voice=pb.VoiceSettings(name="ko"))
    assert np.array_equal(spoken(espeak, "안녕하세요", language="ko-KR").samples, korean.samples)
    assert np.array_equal(spoken(espeak, language="en").samples, spoken(espeak).samples)
    with pytest.raises(ContractError, match="'sw'"):
        spoken(espeak, language="sw")


def test_a_text_without_words_is_refused(espeak: Served) -> None:
    with pytest.raises(ContractError) as caught:
        spoken(espeak, "\u200b")
    assert caught.value.reason is Reason.BAD_REQUEST


def test_the_digest_covers_the_library_version_and_the_defaults(espeak: Served, serve: Serve) -> None:
    settings = espeak.describe().settings
    assert settings["espeak_ng"]
    assert settings["library.espeakng-loader"]
    assert serve("espeak", {"voice": "en-us+f3"}).describe().digest != espeak.describe().digest


@pytest.mark.parametrize("rate", [0, 79, 451])
def test_a_default_rate_out_of_range_is_refused(rate: int) -> None:
    with pytest.raises(OptionsError, match=rf"'words_per_minute' is {rate}"):
        EspeakAdapter({"words_per_minute": rate})
