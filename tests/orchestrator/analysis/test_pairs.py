"""Tests of item scores: invalid tables are refused."""

from __future__ import annotations

import polars as pl
import pytest

from omnigap_orchestrator.analysis import (
    item_scores,
)
from tests.orchestrator.analysis.made_up_results import paired


def test_an_item_id_with_two_tasks_is_refused() -> None:
    results = pl.concat([paired([1], [1]), paired([1], [1], name="i2t", task="other")])
    with pytest.raises(ValueError, match="'q0' has more than one task"):
        item_scores(results)


def test_a_score_outside_the_unit_interval_is_refused() -> None:
    with pytest.raises(ValueError, match=r"score 1\.5 of item 'q0' in t2t"):
        item_scores(paired([1.5], [1]))


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ValueError, match="outcome"):
        item_scores(paired([1], [1]).drop("outcome"))
