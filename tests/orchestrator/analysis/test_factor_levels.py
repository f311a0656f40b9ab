"""Tests of gaps by level, and of the finding whether a gap belongs to the modality or to a level."""

from __future__ import annotations

import numpy as np
import pandas
import polars as pl
import pytest
import statsmodels.formula.api as smf
from scipy.stats import norm
from statsmodels.stats.anova import anova_lm

from omnigap_orchestrator.analysis import IntervalOptions, MissingRule, analyse
from omnigap_orchestrator.analysis.factor_levels import TwoWay, level_gaps, spreads
from tests.orchestrator.analysis.made_up_results import drawn, table

ITEMS = 120


def run(accuracies: dict[str, float], reference: float = 0.9, seed: int = 3, column: str = "font") -> pl.DataFrame:
    """Typed questions, and the same drawn once in each font, each font with its own accuracy."""
    rng = np.random.default_rng(seed)
    ease = rng.normal(size=ITEMS)
    rows: list[dict[str, object]] = []
    for i in range(ITEMS):
        for replicate, (level, accuracy) in enumerate(accuracies.items()):
            same = {"item_id": f"q{i}", "replicate": replicate}
            rows.append({**same, "condition": "t2t", "score": float(norm.cdf(ease[i]) < reference)})
            right = float(norm.cdf(0.8 * ease[i] + 0.6 * rng.normal()) < accuracy)
            rows.append({**same, "condition": "i2t", "score": right, column: level})
    return table(rows)


def found(results: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, object]]:
    options = IntervalOptions()
    by_level = level_gaps(results, "t2t", MissingRule(), options)
    (spread,) = spreads(results, "t2t", options, by_level).rows(named=True)
    return by_level, spread


def test_one_unreadable_font_is_a_gap_of_the_level() -> None:
    by_level, spread = found(run({"Sans": 0.9, "Mono": 0.9, "Blackletter": 0.3}))
    gaps = dict(zip(by_level["level"], by_level["estimate"], strict=True))
    assert gaps["Blackletter"] < -0.4
    assert abs(gaps["Sans"]) < 0.1
    assert spread["finding"] == "level"
    assert spread["p_levels"] < 0.001
    assert spread["level_sd"] > 0.2
    assert (spread["lowest"], spread["highest"]) == (
        pytest.approx(gaps["Blackletter"]),
        pytest.approx(max(gaps.values())),
    )


def test_equal_gaps_of_many_fonts_are_a_gap_of_the_modality() -> None:
    by_level, spread = found(run({f"font {n}": 0.6 for n in range(8)}))
    assert by_level["p_adjusted"].max() < 0.05
    assert spread["finding"] == "modality"
    assert spread["high_beyond"] < 0
    assert spread["level_sd"] < 0.05


def test_two_fonts_do_not_generalise() -> None:
    _, spread = found(run({"Sans": 0.7, "Serif": 0.5}))
    assert spread["finding"] == "these_levels"
    assert spread["low_beyond"] < spread["low"] < spread["high"] < 0 < spread["high_beyond"]


def test_fonts_without_loss_have_no_gap() -> None:
    _, spread = found(run({"Sans": 0.9, "Serif": 0.9}))
    assert spread["finding"] == "no_gap"


def test_the_gap_of_a_level_is_that_of_a_run_with_this_level_only() -> None:
    results = run({"Sans": 0.8, "Serif": 0.6})
    by_level, _ = found(results)
    for row in by_level.iter_rows(named=True):
        single = results.filter((pl.col("font") == row["level"]) | (pl.col("condition") == "t2t"))
        gap = (
            analyse(single).frames["gaps"].filter(pooling="item_weighted", missing="answered_pairs").row(0, named=True)
        )
        assert [row[k] for k in ("estimate", "low", "high", "n")] == [gap[k] for k in ("estimate", "low", "high", "n")]


def test_numeric_levels() -> None:
    by_level, spread = found(run({120.0: 0.8, 240.0: 0.4}, column="words_per_minute"))  # type: ignore[dict-item]
    assert by_level["level"].to_list() == ["120", "240"]
    assert spread["factor"] == "words_per_minute"


def test_confounded_factors_are_named() -> None:
    results = run({"Sans": 0.8, "Serif": 0.6}).with_columns(
        font_size=pl.when(pl.col("font") == "Sans").then(20).otherwise(pl.when(pl.col("font") == "Serif").then(40))
    )
    options = IntervalOptions()
    rows = spreads(results, "t2t", options, level_gaps(results, "t2t", MissingRule(), options))
    assert dict(zip(rows["factor"], rows["mixed_with"], strict=True)) == {"font": "font_size", "font_size": "font"}
    crossed = pl.concat([results, results.with_columns(font_size=60 - pl.col("font_size"))])
    rows = spreads(crossed, "t2t", options, level_gaps(crossed, "t2t", MissingRule(), options))
    assert set(rows["mixed_with"]) == {""}


def test_items_without_every_level_are_left_out_and_counted() -> None:
    results = run({"Sans": 0.8, "Serif": 0.6})
    gone = (pl.col("item_id") == "q5") & (pl.col("font") == "Serif")
    _, spread = found(results.filter(~gone.fill_null(False)))
    assert (spread["items"], spread["left_out"]) == (ITEMS - 1, 1)


def test_clusters_are_one_row_and_the_gap_is_over_items() -> None:
    results = run({"Sans": 0.8, "Serif": 0.6})
    number = pl.col("item_id").str.slice(1).cast(pl.Int64)
    grouped = results.with_columns(cluster=pl.format("c{}", (number // 3).clip(0, 20)))
    _, single = found(results)
    _, together = found(grouped)
    gap = analyse(grouped).frames["gaps"].filter(pooling="item_weighted", missing="answered_pairs").row(0, named=True)
    assert together["estimate"] == pytest.approx(gap["estimate"])
    assert together["items"] == single["items"] == ITEMS
    assert together["high_beyond"] >= together["high"]


def test_without_variation_both_intervals_are_equal() -> None:
    _, spread = found(run({"Sans": 1.0, "Serif": 1.0}, reference=1.0))
    assert (spread["estimate"], spread["low_beyond"], spread["high_beyond"]) == (0, spread["low"], spread["high"])
    assert spread["p_levels"] is None


def test_without_levels_the_tables_are_empty() -> None:
    analysis = analyse(drawn(30))
    assert analysis.frames["levels"].is_empty()
    assert analysis.frames["spreads"].is_empty()


def test_mean_squares_match_statsmodels() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(30, 4)) + rng.normal(size=30)[:, None] + np.array([0.0, 0.3, -0.2, 0.1])
    item, level = np.indices(values.shape)
    frame = pandas.DataFrame({"y": values.ravel(), "item": item.ravel(), "level": level.ravel()})
    squares = anova_lm(smf.ols("y ~ C(item) + C(level)", frame).fit())
    anova = TwoWay.of(values)
    assert anova.p_levels == pytest.approx(squares["PR(>F)"]["C(level)"], abs=1e-8)
    assert anova.ms_level == pytest.approx(squares["mean_sq"]["C(level)"], abs=1e-8)
    assert anova.ms_residual == pytest.approx(squares["mean_sq"]["Residual"], abs=1e-8)


def test_the_interval_beyond_the_levels_covers_the_population_mean() -> None:
    rng = np.random.default_rng(7)
    draws, inside, narrow = 800, 0, 0
    for _ in range(draws):
        levels, items = rng.normal(0, 0.15, 6), rng.normal(0, 0.3, 60)
        values = -0.1 + items[:, None] + levels[None, :] + rng.normal(0, 0.3, (60, 6))
        inside += abs(values.mean() + 0.1) <= TwoWay.of(values).half_width_beyond(0.95)
        half = 1.96 * values.mean(axis=1).std(ddof=1) / np.sqrt(60)
        narrow += abs(values.mean() + 0.1) <= half
    # Three Monte-Carlo standard errors around 95 %; an interval that treats these levels as all levels misses more.
    assert inside / draws == pytest.approx(0.95, abs=3 * np.sqrt(0.95 * 0.05 / draws) + 0.01)
    assert narrow / draws < 0.85


@pytest.mark.parametrize("levels", [2, 3])
def test_the_interval_beyond_few_levels_covers_the_population_mean(levels: int) -> None:
    rng = np.random.default_rng(8)
    draws, inside = 1500, 0
    for _ in range(draws):
        items, drawn_levels = rng.normal(0, 0.3, 300), rng.normal(0, 0.1, levels)
        values = items[:, None] + drawn_levels[None, :] + rng.normal(0, 0.3, (300, levels))
        inside += abs(values.mean()) <= TwoWay.of(values).half_width_beyond(0.95)
    assert inside / draws >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / draws)


@pytest.mark.parametrize("shape", [(1, 3), (3, 1)])
def test_one_item_or_one_level_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at least 2"):
        TwoWay.of(np.zeros(shape))


def test_a_failed_cell_with_a_score_is_not_counted() -> None:
    results = run({"Sans": 0.9, "Mono": 0.6})
    lost = (pl.col("item_id") == "q0") & (pl.col("condition") == "i2t") & (pl.col("font") == "Mono")
    scored = results.with_columns(outcome=pl.when(lost).then(pl.lit("failed")).otherwise("outcome"))
    _, spread = found(scored.with_columns(score=pl.when(lost).then(0.0).otherwise("score")))
    _, empty = found(scored.with_columns(score=pl.when(lost).then(None).otherwise("score")))
    assert spread == empty
    assert (spread["items"], spread["left_out"]) == (ITEMS - 1, 1)


def test_items_without_any_score_are_left_out_and_counted() -> None:
    results = run({"Sans": 0.9, "Mono": 0.6})
    lost = (pl.col("item_id") == "q0") & (pl.col("condition") == "i2t")
    failed = results.with_columns(
        outcome=pl.when(lost).then(pl.lit("failed")).otherwise("outcome"),
        score=pl.when(lost).then(None).otherwise("score"),
    )
    _, spread = found(failed)
    assert (spread["items"], spread["left_out"]) == (ITEMS - 1, 1)


def test_a_level_may_have_any_name() -> None:
    _, named = found(run({"Sans": 0.9, "base": 0.5}))
    _, other = found(run({"Sans": 0.9, "zero": 0.5}))
    assert named["estimate"] == other["estimate"]


def test_a_refused_level_gives_no_finding() -> None:
    results = run({"Sans": 0.9, "Mono": 0.6})
    lost = pl.col("item_id").is_in([f"q{i}" for i in range(10)]) & (pl.col("font") == "Mono").fill_null(False)
    failed = results.with_columns(outcome=pl.when(lost).then(pl.lit("failed")).otherwise("outcome"))
    analysis = analyse(failed)
    assert dict(analysis.frames["levels"].select("level", pl.col("estimate").is_null()).iter_rows()) == {
        "Mono": True,
        "Sans": False,
    }
    assert analysis.frames["spreads"].is_empty()
