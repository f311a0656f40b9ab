"""Tests of counts by outcome, ASR diagnostics, flags and errors."""

from __future__ import annotations

import polars as pl
import pytest

from omnigap_orchestrator.analysis import analyse
from tests.orchestrator.analysis.made_up_results import all_outcomes, table


def test_every_cell_is_counted_once() -> None:
    row = analyse(all_outcomes()).frames["conditions"].row(0, named=True)
    counts = {
        k: row[k] for k in ("cells", "planned", "answered", "scored", "unscored", "unsupported", "failed", "pending")
    }
    assert counts == {
        "cells": 10,
        "planned": 9,
        "answered": 6,
        "scored": 5,
        "unscored": 1,
        "unsupported": 1,
        "failed": 2,
        "pending": 1,
    }


def test_flags_and_errors_are_counted_per_condition() -> None:
    rows = [
        {"item_id": f"q{i}", "condition": "s2s", "score": 0.0, "flags": ["silent", "refused"] if i < 3 else []}
        for i in range(4)
    ]
    flags = analyse(table(rows)).frames["flags"]
    assert flags.select("flag", "cells", "answered", "share").rows() == [
        ("refused", 3, 4, 0.75),
        ("silent", 3, 4, 0.75),
    ]
    errors = analyse(all_outcomes()).frames["errors"]
    assert ("s2s", "failed", "MODEL_ERROR", 1, "boom") in errors.drop("model").rows()
    assert errors["cells"].sum() == 4


def test_word_error_rate_is_pooled_over_words() -> None:
    rows = [
        {"item_id": "q1", "condition": "t2s", "transcript": "a"},
        {"item_id": "q2", "condition": "t2s", "transcript": " "},
    ]
    results = table(rows).with_columns(wer_errors=pl.Series([1, 0]), wer_words=pl.Series([1, 9]))
    row = analyse(results).frames["asr"].row(0, named=True)
    assert row["wer"] == pytest.approx(0.1)
    assert (row["transcribed"], row["empty"], row["wer_cells"]) == (2, 1, 2)
    assert row["wer_whisper"] is None
    assert analyse(table(rows)).frames["asr"]["wer"][0] is None


def test_word_error_rates_of_both_normalisers_have_their_own_words() -> None:
    rows = [{"item_id": f"q{i}", "condition": "t2s", "transcript": "a"} for i in range(3)]
    results = table(rows).with_columns(
        wer_errors=pl.Series([1, 0, 0]),
        wer_words=pl.Series([1, 4, 5]),
        # A text that has words under one normaliser only, and one that was scored before there were two.
        wer_errors_whisper=pl.Series([2, 1, None]),
        wer_words_whisper=pl.Series([0, 4, None]),
    )
    row = analyse(results).frames["asr"].row(0, named=True)
    assert (row["wer"], row["wer_words"], row["wer_cells"]) == (0.1, 10, 3)
    assert (row["wer_whisper"], row["wer_errors_whisper"], row["wer_words_whisper"]) == (0.25, 1, 4)
