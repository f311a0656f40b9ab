"""Summary sentences of a model: each must follow from the numbers."""

from __future__ import annotations

import re

import numpy as np
import polars as pl

from omnigap_orchestrator.analysis import Analysis, analyse
from omnigap_orchestrator.report.summary_text import ModelSummary, summarise
from tests.orchestrator.report.fake_run import FakeRun

CONDITIONS = ("t2t", "s2t", "i2t", "t2s", "s2s", "i2s")


def summary_of(rates: dict[str, float], items: int = 300, missing: int = 0, outcome: str = "failed") -> ModelSummary:
    """A model that is right on the first `rate * items` items of each condition; nested, so that gaps are exact."""
    rows = []
    for condition, rate in rates.items():
        for n in range(items):
            lost = condition != "t2t" and n < missing
            rows.append(
                (
                    "m",
                    "native_omni",
                    f"i{n:04}",
                    f"task {n % 3}",
                    f"i{n:04}",
                    condition,
                    {"t": "text", "s": "speech"}[condition[-1]],
                    outcome if lost else "answered",
                    None if lost else float(n < rate * items),
                )
            )
    names = ["model", "architecture", "item_id", "task", "cluster", "condition", "output", "outcome", "score"]
    table = pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None)
    return summarise(analyse(table), "m")


def plain(markup: str) -> str:
    return re.sub(r"<[^>]+>", "", str(markup))


def test_headline_names_the_largest_significant_loss() -> None:
    summary = summary_of(dict(zip(CONDITIONS, (0.9, 0.8, 0.88, 0.85, 0.6, 0.8), strict=True)))
    headline = plain(summary.headline)
    assert "90.0 %" in headline
    assert "(s2s): 30.0 points" in headline
    assert "\u221217.5" in plain(summary.effects)
    assert "text input" in plain(summary.recommendation)


def test_significance_counts_and_names_the_significant_gaps() -> None:
    summary = summary_of({"t2t": 0.9, "s2t": 0.9, "s2s": 0.6})
    assert plain(summary.significance).startswith("1 of 2 gaps (s2s) is significant")
    assert "300 pairs" in plain(summary.significance)


def test_loss_after_text_generation_is_reported_for_t2s(run: FakeRun, analysis: Analysis) -> None:
    spoken = run.results.filter(pl.col("condition") == "t2s")
    loss = 100 * (spoken["score"] - spoken["own_text_score"]).mean()  # type: ignore[operator]
    assert loss < 0
    assert f"In t2s, \u2212{abs(loss):.1f} points" in plain(summarise(analysis, "cascade").effects)


def test_absence_of_significance_is_not_reported_as_absence_of_a_gap() -> None:
    rates = np.full(6, 0.7)
    rates[4] = 0.69
    summary = summary_of(dict(zip(CONDITIONS, rates, strict=True)))
    assert "may be chance" in plain(summary.headline)
    recommendation = plain(summary.recommendation)
    assert "does not show that there is no cost" in recommendation
    assert "enough items to detect a gap of 3.0 points" in recommendation


def test_recommendation_gives_the_number_of_items_needed() -> None:
    """One of 48 items is lost: variance 1/48, and 2.8016^2 / 48 / .03^2 = 181.7."""
    recommendation = plain(summary_of({"t2t": 0.75, "t2s": 35 / 48, "s2t": 0.75}, items=48).recommendation)
    assert "a gap of 3.0 points takes up to 182 items (80 % power), and this run has 48" in recommendation


def test_gain_is_not_reported_as_a_loss() -> None:
    summary = summary_of({"t2t": 0.5, "s2t": 0.8})
    assert "higher in s2t, by 30.0 points" in plain(summary.headline)
    assert "avoid" not in plain(summary.recommendation)


def test_refused_gaps_give_their_reason_instead_of_a_number() -> None:
    summary = summary_of(dict.fromkeys(CONDITIONS, 0.7), missing=30)
    assert "30 of 300 planned pairs" in plain(summary.headline)
    assert "5 gaps refused" in plain(summary.significance)
    assert "150 failed cells" in plain(summary.recommendation)


def test_pending_cells_come_before_any_advice() -> None:
    rates = dict(zip(CONDITIONS, (0.9, 0.5, 0.5, 0.5, 0.5, 0.5), strict=True))
    recommendation = plain(summary_of(rates, missing=2, outcome="pending").recommendation)
    assert "10 cells are pending" in recommendation
    assert "avoid" not in recommendation


def test_model_without_the_reference_condition_has_no_gap() -> None:
    assert "no scored answers in t2t" in plain(summary_of({"s2t": 0.5}).headline)


def test_a_model_at_the_floor_gets_no_sentence_about_gaps() -> None:
    summary = summary_of(dict.fromkeys(CONDITIONS, 0.02))
    assert "No gap can be measured: at most 2.0 % is right in any condition." in plain(summary.headline)
    assert plain(summary.recommendation).startswith("Look at the answers first")
    assert "modality" not in plain(summary.recommendation)


def test_one_condition_above_the_floor_is_enough_for_the_ordinary_sentences() -> None:
    summary = summary_of({"t2t": 0.02, "s2t": 0.02, "i2t": 0.2})
    assert "No gap can be measured" not in plain(summary.headline)


def test_pending_cells_come_before_the_floor() -> None:
    summary = summary_of({"t2t": 0.0, "s2t": 0.0}, missing=3, outcome="pending")
    assert plain(summary.recommendation).startswith("Finish the run first")
