"""Tests of variance components against a fitted ANOVA and a mixed model."""

import numpy as np
import pandas
import polars as pl
import pytest
import statsmodels.formula.api as smf
from statsmodels.stats.anova import anova_lm

from omnigap_orchestrator.analysis.variance import crossed, one_way, variance_components
from tests.orchestrator.analysis.made_up_results import drawn


def made(items: int = 60, levels: int = 5, seed: int = 2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 0.3, (items, levels))
    return 0.5 + rng.normal(0, 0.5, items)[:, None] + rng.normal(0, 0.2, levels)[None, :] + noise


def long(scores: np.ndarray) -> pandas.DataFrame:
    item, level = np.indices(scores.shape)
    return pandas.DataFrame({"y": scores.ravel(), "item": item.ravel(), "level": level.ravel()})


def test_crossed_components_match_the_anova_table() -> None:
    scores = made()
    table = anova_lm(smf.ols("y ~ C(item) + C(level)", long(scores)).fit())
    squares = table["sum_sq"] / table["df"]
    found = crossed(scores)
    assert found.residual == pytest.approx(squares["Residual"], abs=1e-10)
    assert found.item == pytest.approx((squares["C(item)"] - squares["Residual"]) / 5, abs=1e-10)
    assert found.level == pytest.approx((squares["C(level)"] - squares["Residual"]) / 60, abs=1e-10)


def test_one_way_components_match_a_mixed_model() -> None:
    scores = made()
    fit = smf.mixedlm("y ~ 1", long(scores), groups="item").fit(reml=True)
    found = one_way(scores)
    assert found.item == pytest.approx(float(fit.cov_re.iloc[0, 0]), rel=1e-2)
    assert found.residual == pytest.approx(float(fit.scale), rel=1e-2)


@pytest.mark.parametrize("shape", [(1, 5), (5, 1)])
def test_components_of_one_item_or_level_are_refused(shape: tuple[int, int]) -> None:
    for function in (crossed, one_way):
        with pytest.raises(ValueError, match="at least 2"):
            function(np.zeros(shape))


def test_a_font_effect_is_separated_from_the_items() -> None:
    scores = made(items=40, levels=4)
    clipped = np.clip(scores, 0, 1)
    results = drawn(40, replicates=4).filter(pl.col("condition") == "i2t").sort("item_id", "replicate")
    results = results.with_columns(
        score=pl.Series(clipped.ravel()), font=pl.lit("font ") + pl.col("replicate").cast(pl.String)
    )
    row = variance_components(results).row(0, named=True)
    expected = crossed(clipped)
    assert (row["factor"], row["levels"], row["items"], row["left_out"]) == ("font", 4, 40, 0)
    assert row["level_variance"] == pytest.approx(expected.level)
    assert 0 < row["share_level"] < 1


def test_items_without_every_level_are_left_out_and_counted() -> None:
    results = drawn(30, replicates=3).filter(pl.col("condition") == "s2t")
    results = results.filter(~((pl.col("item_id") == "q0000003") & (pl.col("replicate") == 1)))
    row = variance_components(results).row(0, named=True)
    assert (row["factor"], row["items"], row["left_out"]) == ("replicate", 29, 1)
    assert row["level_variance"] is None


def test_one_replicate_has_no_components() -> None:
    assert variance_components(drawn(20)).is_empty()
