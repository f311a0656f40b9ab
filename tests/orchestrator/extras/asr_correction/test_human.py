"""Tests of scores and gaps that are estimated from human labels."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from omnigap_orchestrator.analysis import IntervalOptions, MissingRule
from omnigap_orchestrator.extras.asr_correction.human import LABELS_SCHEMA, human
from tests.orchestrator.analysis.made_up_results import table

OPTIONS = IntervalOptions()


def answers(n: int = 400) -> tuple[pl.DataFrame, dict[str, bool]]:
    """Spoken answers that the scorer takes for wrong too often, text answers, and the truth by item."""
    rng = np.random.default_rng(2)
    truth = rng.random(n) < 0.8
    transcribed = truth & (rng.random(n) < 0.85)
    text = truth | (rng.random(n) < 0.1)
    names = [f"q{i}" for i in range(n)]
    both = [
        pl.DataFrame({"item_id": names, "condition": name, "score": score.astype(float)})
        for name, score in (("t2s", transcribed), ("t2t", text))
    ]
    frame = pl.concat(both).with_columns(
        model=pl.lit("m"), task=pl.lit("t"), cluster=pl.col("item_id"), outcome=pl.lit("answered"), replicate=0
    )
    return frame, dict(zip(names, truth.tolist(), strict=True))


def labelled(results: pl.DataFrame, truth: dict[str, bool], per_stratum: int) -> pl.DataFrame:
    spoken = results.filter(condition="t2s")
    parts = [spoken.filter(score=score).sample(per_stratum, seed=3) for score in (0.0, 1.0)]
    sizes = [spoken.filter(score=score).height for score in (0.0, 1.0)]
    rows = [
        ("m", "t2s", item, 0, float(truth[item]), per_stratum / size)
        for part, size in zip(parts, sizes, strict=True)
        for item in part["item_id"]
    ]
    return pl.DataFrame(rows, schema=LABELS_SCHEMA, orient="row")


def test_human_labels_move_score_and_gap_to_the_truth() -> None:
    results, truth = answers()
    score, gap = human(results, labelled(results, truth, 60), OPTIONS).iter_rows(named=True)
    true = np.mean(list(truth.values()))
    assert score["raw"] < true - 0.05
    assert abs(score["estimate"] - true) < 2.5 * score["se"]
    text = results.filter(condition="t2t")["score"].mean()
    assert gap["estimate"] == pytest.approx(score["estimate"] - text)
    assert gap["se"] < score["se"]
    assert (score["labelled"], score["undecided"], score["n"]) == (120, 0, 400)
    assert 0.8 < score["agreement"] < 0.95


def test_unsure_labels_are_counted_and_not_used() -> None:
    results, truth = answers()
    labels = labelled(results, truth, 60)
    unsure = labels.with_columns(label=pl.when(pl.int_range(pl.len()) % 10 != 0).then("label"))
    score = human(results, unsure, OPTIONS).row(0, named=True)
    assert (score["labelled"], score["undecided"]) == (108, 12)
    assert abs(score["estimate"] - np.mean(list(truth.values()))) < 3 * score["se"]


def test_labels_without_probability_count_as_drawn_equally() -> None:
    results, truth = answers()
    spoken = results.filter(condition="t2s").sample(100, seed=4)["item_id"]
    rows = [("m", "t2s", item, 0, float(truth[item]), None) for item in spoken]
    score = human(results, pl.DataFrame(rows, schema=LABELS_SCHEMA, orient="row"), OPTIONS).row(0, named=True)
    assert score["lam"] > 0.3
    true = np.mean(list(truth.values()))
    assert abs(score["estimate"] - true) < 3 * score["se"]
    assert score["se"] < np.sqrt(true * (1 - true) / 100)


def test_an_invalid_inclusion_probability_is_refused() -> None:
    results, truth = answers()
    labels = labelled(results, truth, 5).with_columns(inclusion_probability=pl.lit(0.0))
    with pytest.raises(ValueError, match=r"inclusion_probability 0.0 lies outside"):
        human(results, labels, OPTIONS)


def test_a_labelled_reference_is_estimated_from_its_labels() -> None:
    rng = np.random.default_rng(11)
    n = 3000
    truth = {"text": rng.random(n) < 0.6, "spoken": rng.random(n) < 0.5}
    # The scorer accepts half of the wrong answers of the reference, and none of the condition.
    scored = {"text": truth["text"] | (rng.random(n) < 0.5), "spoken": truth["spoken"]}
    rows = [
        {"item_id": f"q{i:04}", "condition": name, "score": float(scored[name][i])} for name in truth for i in range(n)
    ]
    asked = rng.choice(n, 600, replace=False)
    labels = pl.DataFrame(
        [("alpha", name, f"q{i:04}", 0, float(truth[name][i]), None) for name in truth for i in asked],
        schema=LABELS_SCHEMA,
        orient="row",
    )
    found = human(table(rows), labels, IntervalOptions(), reference="text")
    (gap,) = found.filter(quantity="gap").rows(named=True)
    real = float(truth["spoken"].mean() - truth["text"].mean())
    assert gap["raw"] < real - 0.15
    assert gap["low"] < real < gap["high"] < gap["low"] + 0.12
    # With labels of the condition only, the scores of the reference are taken as true.
    condition_only = human(table(rows), labels.filter(condition="spoken"), IntervalOptions(), reference="text")
    assert condition_only.filter(quantity="gap")["estimate"].item() == pytest.approx(gap["raw"], abs=0.01)


def test_replicates_with_a_labelled_reference_give_no_gap() -> None:
    rows = [
        {"item_id": f"q{i}", "condition": name, "score": 1.0, "replicate": replicate}
        for name in ("text", "spoken")
        for i in range(5)
        for replicate in (0, 1)
    ]
    labels = pl.DataFrame(
        [("alpha", name, f"q{i}", 0, 1.0, None) for name in ("text", "spoken") for i in range(5)],
        schema=LABELS_SCHEMA,
        orient="row",
    )
    (gap,) = human(table(rows), labels, IntervalOptions(), reference="text").filter(quantity="gap").rows(named=True)
    assert gap["estimate"] is None
    assert "label one replicate" in gap["reason"]


def test_a_gap_with_labels_is_refused_for_missing_answers() -> None:
    results, truth = answers()
    labels = labelled(results, truth, 60)
    lost = (pl.col("condition") == "t2t") & pl.col("item_id").is_in([f"q{i}" for i in range(20)])
    failed = results.with_columns(outcome=pl.when(lost).then(pl.lit("failed")).otherwise("outcome"))
    score, gap = human(failed, labels, OPTIONS).iter_rows(named=True)
    assert score["estimate"] is not None
    assert (gap["raw"], gap["estimate"], gap["low"]) == (None, None, None)
    assert "20 of 400" in gap["reason"]
    _, shown = human(failed, labels, OPTIONS, rule=MissingRule(allow=True)).iter_rows(named=True)
    assert shown["estimate"] is not None
