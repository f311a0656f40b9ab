"""The own text beside a spoken answer: whether a model gives one at all, and what an empty one is worth."""

from __future__ import annotations

import polars as pl

from omnigap.vocabulary import Outcome

_BLANK = pl.col("own_text").str.strip_chars() == ""


def gives_own_text(by: tuple[str, ...] = ("model", "condition")) -> pl.Expr:
    """True in the conditions of a model where any answer has an own text.

    A service that sends none leaves every text empty, as no event of the contract says "there is none": one text among
    the answers tells that the empty ones are answers of nothing.
    """
    answered = pl.col("outcome") == Outcome.ANSWERED.value
    return (answered & ~_BLANK).fill_null(False).any().over(by)


def own_text_scored(results: pl.DataFrame) -> pl.DataFrame:
    """`own_text_score` with 0 for an own text that is empty where the model gives own texts.

    Null stays null: nothing was sent, or (in a table without `own_text`) nobody says.
    """
    if "own_text" not in results.columns:
        return results
    nothing = (pl.col("outcome") == Outcome.ANSWERED.value) & _BLANK & gives_own_text()
    filled = pl.when(nothing.fill_null(False)).then(0.0).otherwise(pl.col("own_text_score"))
    return results.with_columns(own_text_score=pl.coalesce("own_text_score", filled))
