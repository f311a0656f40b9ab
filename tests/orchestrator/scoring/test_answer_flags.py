"""Flags follow from what was measured on an answer."""

import pytest

from omnigap.vocabulary import FinishReason, Flag
from omnigap_orchestrator.scoring import AsrFacts, AudioFacts, answer_flags

SOUND = AudioFacts(seconds=2.0, rms=0.05, peak=0.5)


def test_a_good_answer_has_no_flags() -> None:
    assert answer_flags("Paris") == frozenset()
    assert (
        answer_flags("It is Paris.", audio=SOUND, transcript="it's paris", asr=AsrFacts(-0.2, 0.01, 1.1)) == frozenset()
    )


@pytest.mark.parametrize("audio", [AudioFacts(2.0, 0.0, 0.0), AudioFacts(2.0, 1e-4, 0.02), AudioFacts(0.01, 0.1, 0.5)])
def test_quiet_or_empty_audio_is_silent(audio: AudioFacts) -> None:
    assert answer_flags("Paris", audio=audio, transcript="paris") == {Flag.SILENT}


def test_nothing_heard_is_silent() -> None:
    assert answer_flags("Paris", audio=SOUND, transcript=" ... ") == {Flag.SILENT}


def test_audio_that_was_not_listened_to_yet_is_not_silent() -> None:
    assert answer_flags("Paris", audio=SOUND) == frozenset()


def test_a_text_answer_is_never_silent() -> None:
    assert answer_flags("") == frozenset()


def test_an_answer_that_hit_its_length_is_truncated() -> None:
    assert answer_flags("Paris is", finish_reason=FinishReason.LENGTH) == {Flag.TRUNCATED}


def test_audio_too_short_for_its_text_is_truncated() -> None:
    text = "the capital of france has been the city of paris for a very long time indeed"
    assert answer_flags(text, audio=AudioFacts(1.0, 0.05, 0.5)) == {Flag.TRUNCATED}
    assert answer_flags(text, audio=AudioFacts(4.0, 0.05, 0.5)) == frozenset()


@pytest.mark.parametrize("heard", ["the capital of france", "the capital of france is", "The capital of France is Par"])
def test_a_transcript_that_stops_early_is_truncated(heard: str) -> None:
    assert answer_flags("The capital of France is Paris.", audio=SOUND, transcript=heard) == {Flag.TRUNCATED}


def test_a_last_word_that_lacks_one_letter_is_misspelt_not_cut() -> None:
    assert answer_flags("shell", audio=SOUND, transcript="shel") == frozenset()


@pytest.mark.parametrize(
    "heard", ["The capital of France is Paris", "capital of france is paris", "the capital is paris"]
)
def test_a_transcript_with_its_tail_is_not(heard: str) -> None:
    assert answer_flags("The capital of France is Paris.", audio=SOUND, transcript=heard) == frozenset()


@pytest.mark.parametrize(
    "asr", [AsrFacts(avg_logprob=-1.2), AsrFacts(compression_ratio=2.6), AsrFacts(no_speech_prob=0.7)]
)
def test_whispers_own_thresholds_make_a_transcript_suspect(asr: AsrFacts) -> None:
    assert answer_flags("Paris", audio=SOUND, transcript="paris", asr=asr) == {Flag.SUSPECT_TRANSCRIPT}


def test_the_thresholds_themselves_are_not_suspect() -> None:
    assert answer_flags("Paris", audio=SOUND, transcript="paris", asr=AsrFacts(-1.0, 0.6, 2.4)) == frozenset()


def test_refusals_and_foreign_scripts_are_flagged_in_what_is_scored() -> None:
    assert answer_flags("I don't know.") == {Flag.REFUSED}
    assert answer_flags("Paris", finish_reason=FinishReason.REFUSED) == {Flag.REFUSED}
    assert answer_flags("I don't know.", audio=SOUND, transcript="i don't know") == {Flag.REFUSED}
    assert answer_flags("Париж") == {Flag.WRONG_LANGUAGE}
    assert answer_flags("서울", language="ko") == frozenset()
