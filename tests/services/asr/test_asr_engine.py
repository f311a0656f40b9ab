"""The ASR engine: batched, single and repeated transcripts agree; long and silent clips are handled."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnigap.errors import ContractError
from omnigap.media import AudioClip
from omnigap.vocabulary import Reason
from omnigap_orchestrator.scoring import word_errors
from omnigap_services.asr.engine import AsrEngine
from omnigap_services.asr.options import AsrOptions
from omnigap_services.chunking import MAX_SILENCE_S, SAMPLE_RATE, cut, without_silence
from omnigap_services.espeak import library
from tests.services.asr.by_package import transcribe_by_package

TRAINED = 8 * SAMPLE_RATE
SENTENCES = [
    "The museum opens at nine in the morning.",
    "A ticket for one adult costs twelve euros.",
    "Two large paintings hang in the first room.",
    "The garden behind the house is closed in winter.",
    "Children under six years do not pay.",
]


@pytest.fixture(scope="module")
def engine() -> AsrEngine:
    return AsrEngine(AsrOptions())


def test_batched_and_single_transcripts_are_equal(engine: AsrEngine, clips: list[AudioClip]) -> None:
    batched = [transcript.text for transcript in engine.transcribe([clip.samples for clip in clips])]
    single = [engine.transcribe([clip.samples])[0].text for clip in clips]
    assert batched == single
    assert len(set(batched)) == len(clips), "different sentences gave the same text"


def test_with_full_padding_transcripts_equal_those_of_faster_whisper(clips: list[AudioClip]) -> None:
    whole = AsrEngine(AsrOptions(padding_s=0))
    batched = [transcript.text for transcript in whole.transcribe([clip.samples for clip in clips])]
    assert batched == [transcribe_by_package(whole, clip.samples) for clip in clips]


def test_the_order_of_a_batch_does_not_change_transcripts(engine: AsrEngine, clips: list[AudioClip]) -> None:
    forward = [transcript.text for transcript in engine.transcribe([clip.samples for clip in clips])]
    backward = [transcript.text for transcript in engine.transcribe([clip.samples for clip in reversed(clips)])]
    assert forward == backward[::-1]


def test_repeated_calls_give_the_same_text_and_statistics(engine: AsrEngine, clips: list[AudioClip]) -> None:
    samples = [clip.samples for clip in clips]
    assert engine.transcribe(samples) == engine.transcribe(samples)


def test_silent_clips_are_empty_and_do_not_shift_other_transcripts(engine: AsrEngine, clips: list[AudioClip]) -> None:
    silence = np.zeros(16_000, dtype=np.float32)
    transcripts = engine.transcribe([silence, clips[0].samples, silence, clips[1].samples])
    assert [bool(h.text) for h in transcripts] == [False, True, False, True]
    assert transcripts[0].no_speech_prob == 1.0
    assert transcripts[1] == engine.transcribe([clips[0].samples])[0]


def test_a_clip_of_one_sample_does_not_change_other_transcripts(engine: AsrEngine, clips: list[AudioClip]) -> None:
    click = np.array([0.5], dtype=np.float32)
    transcripts = engine.transcribe([click, clips[2].samples, click])
    assert transcripts[1] == engine.transcribe([clips[2].samples])[0]


def test_a_clip_longer_than_the_window_is_transcribed_to_its_end(engine: AsrEngine, clips: list[AudioClip]) -> None:
    pause = np.zeros(16_000, dtype=np.float32)
    parts = [part for clip in (clips[2], clips[5]) * 6 for part in (clip.samples, pause)]
    long = np.concatenate([*parts, clips[0].samples])
    assert len(long) > 31 * 16_000
    transcript = engine.transcribe([long])[0]
    assert transcript.duration_s == pytest.approx(len(long) / 16_000)
    heard = without_silence(long)
    pieces = [heard[piece.start : piece.end] for piece in cut(heard, engine.window, trained=TRAINED)]
    assert len(pieces) > 1
    assert transcript.text == " ".join(part.text for part in engine.transcribe(pieces))


@given(lead=st.floats(0, 60), trail=st.floats(0, 60), pause=st.floats(1, 60))
@settings(max_examples=12, deadline=None)
def test_digital_silence_of_any_length_adds_no_words(
    engine: AsrEngine, clips: list[AudioClip], lead: float, trail: float, pause: float
) -> None:
    """As the same clips with pauses of the longest silence that is kept."""

    def framed(*seconds: float) -> np.ndarray:
        first, middle, last = (np.zeros(round(s * SAMPLE_RATE), np.float32) for s in seconds)
        return np.concatenate([first, clips[0].samples, middle, clips[1].samples, last])

    kept = [min(s, MAX_SILENCE_S) for s in (lead, pause, trail)]
    long, short = (engine.transcribe([framed(*s)])[0] for s in ((lead, pause, trail), kept))
    assert long.text == short.text
    assert long.duration_s == pytest.approx(len(framed(lead, pause, trail)) / SAMPLE_RATE)


@pytest.mark.parametrize("voice", ["en-us", "en-us+f3"])
@pytest.mark.parametrize("silence_s", [1.0, 35.0])
def test_a_short_answer_among_silence_is_heard_alone(engine: AsrEngine, voice: str, silence_s: float) -> None:
    silence = np.zeros(int(silence_s * SAMPLE_RATE), np.float32)
    for text in ("Paris.", "Seven.", "The answer is B."):
        spoken = library.synthesise(text, voice)
        heard = engine.transcribe([np.concatenate([silence, spoken, silence])])[0].text
        assert heard == text.rstrip(".").lower()


@pytest.mark.parametrize("voice", ["en-us", "en-us+f3"])
@pytest.mark.parametrize("sentences", [5, 10])
def test_sentences_beyond_the_trained_length_are_cut_in_their_pauses(
    engine: AsrEngine, voice: str, sentences: int
) -> None:
    text = " ".join((SENTENCES * 2)[:sentences])
    transcript = engine.transcribe([library.synthesise(text, voice)])[0]
    errors = word_errors(text, transcript.text, "en")
    assert transcript.duration_s > 12
    # 1.1 to 1.2 in one piece.
    assert (errors.insertions + errors.deletions + errors.substitutions) / errors.words < 0.2
    assert 0 < transcript.stretch_s <= engine.checkpoint.trained_s


def test_speech_without_a_pause_beyond_the_trained_length_is_reported(engine: AsrEngine) -> None:
    numbers = library.synthesise(" ".join(["seven", "forty", "twelve", "nineteen"] * 8), rate_wpm=160)
    steady = engine.transcribe([numbers])[0]
    assert steady.stretch_s == pytest.approx(len(numbers) / SAMPLE_RATE, abs=0.5)
    assert steady.stretch_s > engine.checkpoint.trained_s


def test_statistics_are_in_their_ranges(engine: AsrEngine, clips: list[AudioClip]) -> None:
    for clip, transcript in zip(clips, engine.transcribe([clip.samples for clip in clips]), strict=True):
        assert transcript.avg_logprob <= 0
        assert 0 <= transcript.no_speech_prob <= 1
        assert transcript.compression_ratio > 0
        assert transcript.duration_s == pytest.approx(clip.seconds)
        assert transcript.tokens > 0


@pytest.mark.parametrize("bad", [np.zeros(0), np.array([0.1, np.nan]), np.array([np.inf, 0.0])])
def test_an_empty_or_non_finite_clip_is_refused(engine: AsrEngine, bad: np.ndarray) -> None:
    with pytest.raises(ContractError) as refused:
        engine.transcribe([bad.astype(np.float32)])
    assert refused.value.reason is Reason.BAD_MEDIA


def test_regions_are_dropped_and_an_unknown_language_is_refused(engine: AsrEngine) -> None:
    assert engine.language_code("en-GB") == "en"
    with pytest.raises(ContractError, match="'ko' is unknown"):
        engine.language_code("ko")
