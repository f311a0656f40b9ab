"""Columns that many tables of an analysis share: those of an interval, of an estimate, and of a contrast."""

from __future__ import annotations

import polars as pl

Columns = dict[str, pl.DataType | type[pl.DataType]]

INTERVAL_COLUMNS: Columns = {
    "estimate": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "method": pl.String,
    # Items (or pairs) and clusters behind the estimate, and items that were planned for it.
    "n": pl.Int64,
    "clusters": pl.Int64,
    "planned": pl.Int64,
}
"""An estimate, its interval, and what it stands on."""

ESTIMATE_COLUMNS: Columns = {
    # Null together with the limits when refused; `reason` then says why. With an estimate, `reason` says on what
    # part of the plan it stands, and is null when that is all of it.
    "estimate": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "method": pl.String,
    "se": pl.Float64,
    # Items (for contrasts: pairs) and clusters behind the estimate.
    "n": pl.Int64,
    "clusters": pl.Int64,
    # Items planned and supported in all the conditions involved, and those of them that lack a score somewhere.
    "planned": pl.Int64,
    "lacking": pl.Int64,
    # What the estimate can become when the missing scores are filled in the worst and the best way.
    "bound_low": pl.Float64,
    "bound_high": pl.Float64,
    "reason": pl.String,
}
"""What every estimated number of a table carries."""

CONTRAST_COLUMNS: Columns = {
    **ESTIMATE_COLUMNS,
    # Discordant pairs of a binary two-condition contrast: b lost (right in the reference only), c gained.
    "b": pl.Int64,
    "c": pl.Int64,
    "mcnemar_p": pl.Float64,
    # The p that enters the family: exact McNemar where valid, else the interval's own test.
    "p": pl.Float64,
    "p_method": pl.String,
    "p_adjusted": pl.Float64,
    "adjustment": pl.String,
    "family": pl.String,
}
