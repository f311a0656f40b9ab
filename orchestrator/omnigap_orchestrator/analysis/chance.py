"""The chance of each item: the expected score of a guess."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import polars as pl

from omnigap.vocabulary import AnswerType
from omnigap_orchestrator.analysis.pairs import FloatArray, ModelScores
from omnigap_orchestrator.analysis.table import Derived

FREE_FORM = (AnswerType.NUMBER, AnswerType.DATE, AnswerType.ENTITY, AnswerType.WORD, AnswerType.PHRASE)
"""Answer types whose answers are too many to be guessed: their chance is 0 in a table that does not give it."""


def item_chances(results: pl.DataFrame, chance: float | None = None) -> dict[str, float]:
    """The known chance of guessing an item right, by item id.

    Args:
        results: the column `chance`; where it is null, an `answer_type` of `FREE_FORM` that no judge rated has 0.
        chance: one value for all items, which goes before the column.

    Returns:
        Items of unknown chance are left out.
    """
    if chance is not None:
        return dict.fromkeys(results["item_id"].unique(), chance)
    known = pl.lit(None, pl.Float64)
    if "chance" in results.columns:
        # Other tools write NaN for an unknown chance.
        known = pl.col("chance").cast(pl.Float64).fill_nan(None)
    if "answer_type" in results.columns:
        judged = pl.col("judge_digest").is_not_null() if "judge_digest" in results.columns else pl.lit(False)
        free = pl.col("answer_type").is_in([kind.value for kind in FREE_FORM]) & ~judged
        known = pl.coalesce(known, pl.when(free).then(0.0))
    found = results.select("item_id", known=known).drop_nulls("known").unique("item_id", keep="first")
    return dict(found.select("item_id", "known").iter_rows())


CHANCES = Derived(lambda given: item_chances(given.results, given.options.chance))
"""The known chances by item id, which several tables use."""


def chance_array(scores: ModelScores, chances: Mapping[str, float]) -> FloatArray:
    """The chance of each item, NaN if unknown, shape (items,)."""
    return np.array([chances.get(str(item), math.nan) for item in scores.items], dtype=np.float64)
