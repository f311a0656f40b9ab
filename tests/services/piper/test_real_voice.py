"""The service with a voice that others trained: en_US-joe-medium in the repository's folder `weights`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from omnigap.media import AudioClip
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality
from omnigap_services.piper.adapter import PiperAdapter
from omnigap_services.piper.options import RATES_WPM
from tests.helpers.in_process import Host
from tests.helpers.serve_process import Serve, Served

FOLDER = Path(__file__).resolve().parents[3] / "weights" / "piper"
QUESTIONS = (
    "What is the capital of France?",
    "How many apples are left if three of seven apples are eaten?",
    "Which of these animals is a mammal? A, shark. B, dolphin. C, lizard. D, eagle.",
)

pytestmark = [
    pytest.mark.real_weights,
    pytest.mark.usefixtures("real_weights"),
]


@pytest.fixture(scope="module")
def served(hosted: Host) -> Served:
    return hosted(PiperAdapter({"voices": [str(FOLDER)]}))


def spoken(served: Served, text: str, **fields: object) -> AudioClip:
    reply = served.ask(text, output=Modality.SPEECH, **fields)
    assert reply.text == text
    assert reply.audio is not None
    return reply.audio


def hashes(served: Served, fields: Mapping[str, object]) -> list[str]:
    return [hashlib.sha256(spoken(served, text, **fields).samples.tobytes()).hexdigest() for text in QUESTIONS]


def test_the_card_states_language_licence_and_recordings(served: Served) -> None:
    described = served.describe()
    assert [(voice.name, voice.language) for voice in described.voices] == [("en_US-joe-medium", "en-US")]
    assert "licence CC0" in described.weights_revision
    assert "https://github.com/NabuCasa/voice-datasets" in described.weights_revision
    assert described.output_sample_rate_hz == 22_050


def test_samples_are_the_same_after_other_texts_and_in_another_process(served: Served, serve: Serve) -> None:
    first = hashes(served, {})
    spoken(served, "Something else.", decoding=pb.Decoding(seed=9))
    assert hashes(served, {}) == first
    other = serve("omnigap_services.piper.adapter:PiperAdapter", {"voices": [str(FOLDER)]})
    assert other.describe().digest == served.describe().digest
    assert hashes(other, {}) == first
    assert not set(first) & set(hashes(served, {"decoding": pb.Decoding(seed=1)}))


def test_a_rate_is_about_that_of_the_request(served: Served) -> None:
    words = sum(len(text.split()) for text in QUESTIONS)
    for rate in (RATES_WPM[0], 205, RATES_WPM[1]):
        settings = pb.VoiceSettings(words_per_minute=rate)
        seconds = sum(spoken(served, text, voice=settings).seconds for text in QUESTIONS)
        assert 60 * words / seconds == pytest.approx(rate, rel=0.25)


def test_a_long_text_is_spoken_in_sentences_at_full_scale(served: Served) -> None:
    text = "The first sentence is short. " * 40
    clip = spoken(served, text)
    assert 40 * 1.0 < clip.seconds < 40 * 3.0
    assert np.abs(clip.samples).max() == pytest.approx(1, abs=1e-3)
