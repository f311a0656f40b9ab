"""Tests of the floor verdict."""

from __future__ import annotations

import polars as pl
import pytest

from omnigap_orchestrator.analysis import AnalysisOptions, analyse
from tests.orchestrator.analysis.made_up_results import SIX, table


def results(right: dict[str, int], n: int = 40, **common: object) -> pl.DataFrame:
    """`n` items in six conditions, of which `right` are right by condition."""
    return table(
        [
            {"item_id": f"q{i:03d}", "condition": c, "score": float(i < right.get(c, 0)), **common}
            for c in SIX
            for i in range(n)
        ]
    )


def floor(frame: pl.DataFrame, chance: float | None = None) -> dict[str, object]:
    return analyse(frame, AnalysisOptions(chance=chance)).frames["at_floor"].row(0, named=True)


def test_a_model_that_answers_nothing_is_at_the_floor() -> None:
    row = floor(results({}))
    assert row["at_floor"] and not row["shown"]
    assert (row["chance"], row["threshold"], row["highest"], row["conditions"]) == (0.0, 0.05, 0.0, 6)
    assert floor(results({}, n=400))["shown"]


def test_one_condition_above_the_threshold_is_enough_to_measure_a_gap() -> None:
    assert floor(results({"i2s": 2}))["at_floor"]
    row = floor(results({"i2s": 3}))
    assert not row["at_floor"] and row["condition"] == "i2s"


def test_guessing_letters_is_at_the_floor_and_knowing_them_is_not() -> None:
    guessed = results(dict.fromkeys(SIX, 12), chance=0.25)
    assert floor(guessed)["at_floor"] and floor(guessed)["threshold"] == pytest.approx(0.3)
    assert not floor(results(dict.fromkeys(SIX, 13), chance=0.25))["at_floor"]
    unknown = floor(results(dict.fromkeys(SIX, 12), answer_type="letter"))
    assert not unknown["at_floor"] and unknown["chance_unknown"] == 40


def test_without_scores_there_is_no_verdict() -> None:
    frame = results({}).with_columns(outcome=pl.lit("pending"), score=pl.lit(None, pl.Float64))
    assert analyse(frame).frames["at_floor"].is_empty()
