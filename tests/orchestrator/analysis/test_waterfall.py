"""Tests of the steps of a gap."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from omnigap_orchestrator.analysis import IntervalOptions, MissingRule
from omnigap_orchestrator.analysis.waterfall import waterfall
from tests.orchestrator.analysis.made_up_results import drawn, table, with_own_texts

OPTIONS = IntervalOptions(draws=299)


def with_own_text(results: pl.DataFrame, seed: int = 5) -> pl.DataFrame:
    """Own texts that are right where the transcript is, and sometimes where it is not."""
    luck = pl.Series(np.random.default_rng(seed).random(results.height) < 0.3)
    own = pl.when(luck).then(1.0).otherwise(pl.col("score"))
    return results.with_columns(own_text_score=pl.when(pl.col("output") == "speech").then(own))


def two_pass(results: pl.DataFrame, seed: int = 6) -> pl.DataFrame:
    held = results.filter(pl.col("condition").is_in(["s2t", "i2t"]))
    drawn_ = pl.Series((np.random.default_rng(seed).random(held.height) < 0.75).astype(float))
    return held.with_columns(score=drawn_, control=pl.lit("two-pass"))


def steps(frame: pl.DataFrame, condition: str) -> dict[str, float]:
    return dict(frame.filter(condition=condition).sort("order").select("step", "estimate").iter_rows())


@pytest.mark.parametrize("graded", [False, True])
@pytest.mark.parametrize("cluster_size", [1, 4])
def test_the_steps_add_up_to_the_gap_exactly(graded: bool, cluster_size: int) -> None:
    results = with_own_text(drawn(100, models=("alpha", "beta"), graded=graded, cluster_size=cluster_size))
    frame = waterfall(results, MissingRule(), OPTIONS, two_pass(results))
    assert frame.select("model", "condition").unique().height == 10
    for part in frame.partition_by("model", "condition"):
        gap = part.filter(step="gap")["estimate"][0]
        assert part.filter(pl.col("step") != "gap")["estimate"].sum() == pytest.approx(gap, abs=1e-14)


def test_s2s_has_four_steps() -> None:
    results = with_own_text(drawn(80))
    found = steps(waterfall(results, MissingRule(), OPTIONS, two_pass(results)), "s2s")
    assert list(found) == ["perception", "input_reasoning", "output_mode", "synthesis_and_asr", "gap"]


def test_without_controls_and_own_texts_the_steps_are_input_and_output() -> None:
    results = drawn(80)
    frame = waterfall(results, MissingRule(), OPTIONS)
    assert list(steps(frame, "i2s")) == ["input", "output", "gap"]
    assert list(steps(frame, "s2t")) == ["input", "gap"]
    assert list(steps(frame, "t2s")) == ["output", "gap"]


def test_published_steps_of_step_audio() -> None:
    """Step-Audio-2-mini on Spoken-MQA: 75.32 as text, 32.45 in its own text, 28.67 transcribed."""
    n = 2_500
    rows = []
    for condition, accuracy, own in (
        ("t2t", 0.8, None),
        ("s2t", 0.7532, None),
        ("t2s", 0.5, 0.5),
        ("s2s", 0.2867, 0.3245),
    ):
        for i in range(n):
            row = {"item_id": f"q{i:05d}", "condition": condition, "score": float(i < accuracy * n)}
            rows.append(row if own is None else {**row, "own_text_score": float(i < own * n)})
    found = steps(waterfall(table(rows), MissingRule(), OPTIONS), "s2s")
    assert found["output_mode"] == pytest.approx(-0.4287, abs=4e-4)
    assert found["synthesis_and_asr"] == pytest.approx(-0.0378, abs=4e-4)


def test_the_chain_uses_items_with_all_scores() -> None:
    results = with_own_text(drawn(100))
    held = two_pass(results).filter(pl.col("item_id") < "q0000040")
    frame = waterfall(results, MissingRule(), OPTIONS, held)
    assert frame.filter(condition="s2t")["n"].unique().to_list() == [40]
    assert frame.filter(condition="t2s")["n"].unique().to_list() == [100]


def test_a_chain_with_too_many_missing_scores_is_refused() -> None:
    results = drawn(100).with_columns(
        outcome=pl.when((pl.col("condition") == "s2t") & (pl.col("item_id") < "q0000005"))
        .then(pl.lit("failed"))
        .otherwise(pl.col("outcome"))
    )
    frame = waterfall(results, MissingRule(), OPTIONS).filter(condition="s2s")
    assert frame["estimate"].null_count() == frame.height == 3
    assert "5 of 100" in frame["reason"][0]


def test_an_empty_own_text_is_wrong_and_not_missing() -> None:
    """Five of 100 answers have an empty own text: output mode loses 5 points, synthesis and ASR gain 5."""
    frame = waterfall(with_own_texts([("", None)] * 4 + [(" ", 0.0)]), MissingRule(), OPTIONS)
    found = steps(frame, "t2s")
    assert found == pytest.approx({"output_mode": -0.05, "synthesis_and_asr": 0.05, "gap": 0.0})
    assert frame["lacking"].to_list() == [0, 0, 0]


def test_a_null_own_text_is_missing() -> None:
    frame = waterfall(with_own_texts([(None, None)] * 5), MissingRule(), OPTIONS)
    assert frame["estimate"].null_count() == 3
    assert "5 of 100" in frame["reason"][0]
    few = waterfall(with_own_texts([(None, None)] * 2), MissingRule(), OPTIONS)
    assert few["n"].to_list() == [98] * 3


def test_without_own_texts_output_is_one_step() -> None:
    frame = waterfall(with_own_texts([("", None)] * 100), MissingRule(), OPTIONS)
    assert list(steps(frame, "t2s")) == ["output", "gap"]


def test_steps_use_the_studentised_bootstrap_if_data_vary_enough() -> None:
    frame = waterfall(drawn(300), MissingRule(), OPTIONS)
    assert set(frame["method"]) == {"paired_cluster_bootstrap_t"}
    few = waterfall(drawn(12), MissingRule(), OPTIONS)
    assert "paired_cluster_bootstrap_t" not in set(few["method"])


def test_no_steps_from_a_spoken_reference_and_perception_only_from_t2t() -> None:
    results = with_own_text(drawn(80))
    held = two_pass(results)
    assert waterfall(results, MissingRule(), OPTIONS, held, reference="s2s").is_empty()
    shown = waterfall(results, MissingRule(), OPTIONS, held, reference="i2t")
    assert list(steps(shown, "s2t")) == ["input", "gap"]
