"""Tests of word and entity errors of transcripts against clips and own texts."""

from __future__ import annotations

import polars as pl
import pytest

from omnigap_orchestrator.extras.asr_correction.transcript_errors import (
    GOLDS_SCHEMA,
    errors_by_voice,
    transcript_errors,
)
from tests.orchestrator.extras.asr_correction.calibration_clips import clips


def test_word_and_entity_errors_are_pooled_against_known_and_own_texts() -> None:
    spoken_texts = clips(
        [("q1", "gold", "New York City", True), ("q1", "distractor", "Moby Dick", False)]
    ).with_columns(transcript=pl.Series(["new york city", "moby tick"]))
    results = pl.DataFrame(
        {
            "model": "m",
            "condition": "t2s",
            "item_id": ["q1", "q2"],
            "outcome": "answered",
            "own_text": ["It is New York City.", "It is Rome."],
            "transcript": ["it is new york silly", "it is rome"],
        }
    )
    golds = pl.DataFrame(
        [("q1", "en", ["New York City", "NYC"]), ("q2", "en", ["Rome"])], schema=GOLDS_SCHEMA, orient="row"
    )
    rows = transcript_errors(results, golds, spoken_texts).to_dicts()
    by_clip = next(row for row in rows if row["against"] == "calibration" and row["answer_type"] is None)
    assert (by_clip["wer_errors"], by_clip["wer_words"]) == (1, 5)
    assert by_clip["ne_fnr"] == pytest.approx(0.5)
    own = next(row for row in rows if row["against"] == "own_text")
    assert (own["wer_errors"], own["wer_words"]) == (1, 8)
    assert own["wer"] == pytest.approx(1 / 8)
    # The same under Whisper's normaliser, which has no rule that matters here.
    assert (own["wer_errors_whisper"], own["wer_words_whisper"]) == (1, 8)
    assert by_clip["wer_whisper"] == pytest.approx(1 / 5)
    counted = results.with_columns(wer_errors_whisper=pl.Series([2, 1]), wer_words_whisper=pl.Series([5, 3]))
    own = transcript_errors(counted, golds).row(0, named=True)
    # What the score stage has counted is taken over.
    assert (own["wer"], own["wer_whisper"]) == (pytest.approx(1 / 8), pytest.approx(3 / 8))
    # One of the four words of the two entities is wrong.
    assert own["ne_wer"] == pytest.approx(1 / 4)
    assert own["entities"] == 2


def test_errors_of_a_voice_leave_confusables_out() -> None:
    kinds = ("gold", "distractor", "confusable")
    spoken = clips([(f"q{kind}", kind, f"some {kind}", False) for kind in kinds]).with_columns(
        transcript=pl.Series(["some gold", "some dragon", "wrong"])
    )
    found = errors_by_voice(spoken)
    assert found is not None
    assert found.select("cluster", "wer_errors", "wer_words").rows() == [("some gold", 0, 2), ("some distractor", 1, 2)]


def test_truncated_speech_lowers_coverage() -> None:
    results = pl.DataFrame(
        {
            "model": "m",
            "condition": "t2s",
            "item_id": ["q1", "q2"],
            "outcome": "answered",
            "own_text": ["It is Lima, the capital of Peru.", "It is Rome."],
            # A substituted word is covered, an inserted one covers nothing.
            "transcript": ["it is lemur", "well it is rome"],
        }
    )
    golds = pl.DataFrame([("q1", "en", ["Lima"]), ("q2", "en", ["Rome"])], schema=GOLDS_SCHEMA, orient="row")
    (row,) = transcript_errors(results, golds).to_dicts()
    # The normaliser drops articles: it is lima capital of peru; it is rome.
    assert row["wer_words"] == 9
    assert row["coverage"] == pytest.approx(6 / 9)
