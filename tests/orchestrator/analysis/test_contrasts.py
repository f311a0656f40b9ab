"""Tests of Holm and Benjamini-Hochberg against statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from omnigap_orchestrator.analysis.contrasts import benjamini_hochberg, holm


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
