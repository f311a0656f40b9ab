"""Tests of disparity, imbalance and spread against figures that XModBench published."""

import numpy as np
import polars as pl
import pytest

from omnigap_orchestrator.analysis import AnalysisOptions, MissingRule, analyse
from omnigap_orchestrator.analysis.set_level import disparity, imbalance, spread
from tests.orchestrator.analysis.made_up_results import drawn, paired

GEMINI = {"a2t": 71.0, "a2v": 58.9, "t2a": 64.4, "t2v": 79.8, "v2a": 60.8, "v2t": 88.6}
QWEN = {"a2t": 62.0, "a2v": 48.0, "t2a": 55.4, "t2v": 59.6, "v2a": 50.5, "v2t": 76.3}


@pytest.mark.parametrize(("accuracies", "published"), [(GEMINI, -48.7), (QWEN, -37.4)])
def test_published_disparities(accuracies: dict[str, float], published: float) -> None:
    assert disparity(accuracies, "t", "a", via="v") == pytest.approx(published, abs=1e-9)


def test_imbalance_and_spread() -> None:
    assert disparity(GEMINI, "t", "v", via="a") == pytest.approx((58.9 - 71.0) + (60.8 - 64.4))
    assert imbalance(GEMINI, "t", "v") == pytest.approx(79.8 - 88.6)
    assert spread(GEMINI) == pytest.approx(np.std(list(GEMINI.values())))


def test_a_missing_condition_is_an_error() -> None:
    with pytest.raises(KeyError, match="v2a"):
        disparity({"v2t": 1.0}, "t", "a", via="v")


def test_a_table_of_six_directions_has_every_measure() -> None:
    rng = np.random.default_rng(1)
    frames = [paired([1], [1]).clear()]
    for name, accuracy in GEMINI.items():
        scores = (rng.random(200) < accuracy / 100).astype(float)
        frames.append(paired(scores, scores, name=name).filter(pl.col("condition") == name))
    result = analyse(pl.concat(frames), AnalysisOptions(reference="v2t"))
    held = result.frames["accuracy"].filter(pooling="item_weighted", missing="answered_only")
    acc = dict(held.select("condition", "estimate").iter_rows())
    found = dict(result.frames["set_level"].select("measure", "value").iter_rows())
    assert found["disparity t vs a (sum of two gaps)"] == pytest.approx(disparity(acc, "t", "a", via="v"))
    assert found["imbalance t<->v"] == pytest.approx(acc["t2v"] - acc["v2t"])
    assert result.frames["gaps"]["condition"].n_unique() == 5


def test_a_run_has_the_spread_and_one_imbalance() -> None:
    measures = analyse(drawn(50)).frames["set_level"]["measure"].to_list()
    assert measures == ["spread", "imbalance s<->t"]


def test_a_refused_condition_is_left_out_of_set_level_measures() -> None:
    lost = (pl.col("condition") == "t2s") & (pl.col("item_id") < "q0000010")
    results = drawn(50).with_columns(outcome=pl.when(lost).then(pl.lit("failed")).otherwise("outcome"))
    (row,) = analyse(results).frames["set_level"].iter_rows(named=True)
    assert (row["measure"], row["conditions"], row["n"]) == ("spread", 5, 50)
    shown = analyse(results, AnalysisOptions(missing=MissingRule(allow=True))).frames["set_level"]
    assert shown["measure"].to_list() == ["spread", "imbalance s<->t"]
