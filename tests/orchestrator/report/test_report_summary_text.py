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


def test_what_the_items_cannot_show_is_named_beside_what_is_significant() -> None:
    few = plain(summary_of({"t2t": 0.5, "s2t": 0.3, "i2t": 0.45}, items=60).significance)
    found = re.search(r"With 60 pairs, the smallest gap .* with 80 % power is about (\d+) to (\d+), depending", few)
    assert found is not None
    # z * sqrt(variance / n) with the variance of a fifth, and of a twentieth, of the items lost.
    high, low = (100 * 2.802 * np.sqrt(rate * (1 - rate) / 59) for rate in (0.2, 0.05))
    assert (int(found[1]), int(found[2])) == (round(low), round(high))


def test_items_that_detect_the_target_gap_need_no_such_sentence() -> None:
    assert "smallest gap" not in plain(summary_of({"t2t": 0.9, "s2t": 0.89}, items=3000).significance)


def test_a_contrast_without_differences_has_no_smallest_gap() -> None:
    """Equal answers have no variance from which one would follow."""
    assert "smallest gap" not in plain(summary_of({"t2t": 0.5, "t2s": 0.5}, items=60).significance)


def test_what_the_transcript_changes_stands_beside_the_gaps(run: FakeRun, analysis: Analysis) -> None:
    spoken = run.results.filter(pl.col("condition") == "t2s")
    loss = 100 * (spoken["score"] - spoken["own_text_score"]).mean()  # type: ignore[operator]
    assert loss < 0
    summary = summarise(analysis, "cascade")
    assert f"t2s \u2212{abs(loss):.1f}" in plain(summary.spoken)
    assert "By its own text, " in plain(summary.headline)
    assert "scored by the model's own text (t2s, s2s, i2s)" in plain(summary.significance).replace("&#39;", "'")


def test_a_gap_that_only_the_transcript_has_is_no_reason_to_avoid_a_condition() -> None:
    """Own texts of all answers right; the transcripts of half of them wrong."""
    rows = [
        ("m", f"i{n:03}", "all", f"i{n:03}", condition, "answered", score, "Paris", 1.0, "paris")
        for n in range(100)
        for condition in CONDITIONS
        for score in [float(condition.endswith("t") or n % 2)]
    ]
    names = ["model", "item_id", "task", "cluster", "condition", "outcome", "score", "own_text", "own_text_score"]
    table = pl.DataFrame(rows, schema=[*names, "transcript"], orient="row")
    own = summarise(analyse(table), "m")
    assert "avoid" not in plain(own.recommendation) and "show the answer as text" not in plain(own.recommendation)
    assert "t2s \u221250.0" in plain(own.spoken)
    heard = summarise(analyse(table.drop("own_text", "own_text_score")), "m")
    assert "By our transcripts of its speech" in plain(heard.headline)
    assert "how much the loss" in plain(heard.recommendation) or "calibrate" in plain(heard.recommendation)
    assert plain(heard.spoken) == ""


def test_an_interval_that_excludes_0_without_a_significant_test_is_explained() -> None:
    """Six of 200 items lost in s2t alone: p = .031, times eight in the family."""
    rates = dict.fromkeys(CONDITIONS, 0.7)
    rates["s2t"] = 0.67
    significance = plain(summary_of(rates, items=200).significance)
    assert "interval of s2t" in significance
    assert "it corrects for 8 comparisons in one family" in significance


def test_an_effect_over_all_conditions_is_named_where_no_single_gap_is_significant() -> None:
    """i2t and i2s lose 8 of 400 items each, not the same ones: p = .008 for each, and far less for both together."""
    rows = []
    for n in range(400):
        for condition in CONDITIONS:
            lost = n in {"i2t": range(8), "i2s": range(8, 16)}.get(condition, ())
            rows.append(("m", f"i{n:03}", "all", f"i{n:03}", condition, "answered", float(not lost)))
    names = ["model", "item_id", "task", "cluster", "condition", "outcome", "score"]
    analysis = analyse(pl.DataFrame(rows, schema=names, orient="row"))
    effect = analysis.frames["headline_effects"].filter(
        effect="image input", pooling="item_weighted", missing="answered_pairs"
    )
    gaps = analysis.frames["headline_gaps"].filter(pooling="item_weighted", missing="answered_pairs")
    headline = plain(summarise(analysis, "m").headline)
    assert effect["p_adjusted"][0] < 0.05 <= gaps["p_adjusted"].min()  # type: ignore[operator]
    assert (
        "no single condition differs significantly, but over all conditions: image input by \u22122.0"
        in headline.lower()
    )


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
