"""Tests of the comparison of two ASR scorers on the same answers."""

from __future__ import annotations

import polars as pl
import pytest

from omnigap_orchestrator.analysis import IntervalOptions, MissingRule, analyse
from omnigap_orchestrator.extras.asr_correction.corrected import calibrated
from tests.orchestrator.analysis.made_up_results import table

RULE, OPTIONS = MissingRule(), IntervalOptions(draws=499)


def test_scorers_are_compared_on_answers_that_both_transcribed() -> None:
    """The second has transcribed three of four answers and is right on all; the first is right on two of these."""
    first, second = [1.0, 1.0, 0.0, 1.0], [1.0, 1.0, 1.0, None]
    rows = [{"item_id": f"q{i}", "condition": "t2t", "score": 1.0} for i in range(4)]
    rows += [
        {"item_id": f"q{i}", "condition": "t2s", "score": a, "second_score": b}
        for i, (a, b) in enumerate(zip(first, second, strict=True))
    ]
    (row,) = analyse(table(rows)).frames["calibrated"].iter_rows(named=True)
    assert (row["raw"], row["n"]) == (0.75, 4)
    assert row["second_first"] == pytest.approx(2 / 3)
    assert (row["second_scorer"], row["second_n"], row["second_cells"]) == (1.0, 3, 3)
    assert row["second_difference"] == pytest.approx(1 / 3)
    assert row["second_low"] < 1 / 3 < row["second_high"] and row["second_method"] == "tango"
    assert (row["second_gap"], row["second_gap_n"]) == (0.0, 3)
    assert row["second_first_gap"] == pytest.approx(-1 / 3)


def test_a_spoken_reference_is_that_of_each_scorer() -> None:
    """By the first scorer 2 of 4 against 3 of 4, by the second 4 of 4 against 3 of 4."""
    transcribed = {"t2s": ([1, 1, 1, 0], [1, 1, 1, 0]), "s2s": ([1, 1, 0, 0], [1, 1, 1, 1])}
    rows = [
        {"item_id": f"q{i}", "condition": name, "score": float(a), "second_score": float(b)}
        for name, (first, second) in transcribed.items()
        for i, (a, b) in enumerate(zip(first, second, strict=True))
    ]
    found = calibrated(table(rows), (), RULE, OPTIONS, reference="t2s")
    row = found.row(by_predicate=pl.col("condition") == "s2s", named=True)
    assert (row["second_first_gap"], row["second_gap"], row["second_gap_n"]) == (-0.25, 0.25, 4)


def test_replicates_are_averaged_within_the_item() -> None:
    """One item transcribed twice (1 and 0 by the second), one once: 3 answers, 2 items, mean (.5 + 1) / 2."""
    rows = [
        {"item_id": item, "condition": "t2s", "replicate": r, "score": 1.0, "second_score": s}
        for item, r, s in (("a", 0, 1.0), ("a", 1, 0.0), ("b", 0, 1.0))
    ]
    (row,) = calibrated(table(rows), (), RULE, OPTIONS).iter_rows(named=True)
    assert (row["second_scorer"], row["second_n"], row["second_cells"]) == (0.75, 2, 3)
