"""Tests of McNemar, Holm and Benjamini-Hochberg against statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from omnigap_orchestrator.analysis.contrasts import benjamini_hochberg, holm, mcnemar_exact


@pytest.mark.parametrize(("b", "c"), [(0, 0), (0, 5), (7, 1), (6, 16), (30, 30), (120, 80), (1500, 1400)])
def test_exact_mcnemar_matches_statsmodels(b: int, c: int) -> None:
    theirs = mcnemar([[10, b], [c, 10]], exact=True).pvalue if b + c else 1.0
    assert mcnemar_exact(b, c) == pytest.approx(theirs, abs=1e-10)
    assert mcnemar_exact(b, c) == mcnemar_exact(c, b)


def test_negative_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="b=-1"):
        mcnemar_exact(-1, 3)


@pytest.mark.parametrize(("ours", "method"), [(holm, "holm"), (benjamini_hochberg, "fdr_bh")])
def test_corrections_match_statsmodels(ours: object, method: str) -> None:
    rng = np.random.default_rng(1)
    for n in (1, 2, 5, 60):
        p = np.round(rng.random(n) ** 3, 3)
        np.testing.assert_allclose(ours(p), multipletests(p, method=method)[1], atol=1e-12)


@pytest.mark.parametrize("correct", [holm, benjamini_hochberg])
def test_nan_stays_nan_and_is_not_counted(correct: object) -> None:
    adjusted = correct([0.01, np.nan, 0.04])
    np.testing.assert_allclose(adjusted[[0, 2]], correct([0.01, 0.04]))
    assert np.isnan(adjusted[1])
    assert correct([]).shape == (0,)
