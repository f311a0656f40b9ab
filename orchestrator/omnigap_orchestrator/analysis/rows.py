"""Row types: a frozen dataclass gives a table its columns and types, and each of its rows as an object.

The fields of a dataclass start with those of its *last* base, so `class GapRow(ContrastColumns, _GapKey)` has the
columns of `_GapKey`, then those of `ContrastColumns`, then its own.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import polars as pl

RowT = TypeVar("RowT")

_TYPES: dict[Any, type[pl.DataType]] = {str: pl.String, int: pl.Int64, float: pl.Float64, bool: pl.Boolean}


def schema_of(row_type: type[Any]) -> pl.Schema:
    """The columns of a row type in order: str, int, float or bool, each also `| None`.

    Raises:
        TypeError: for a field of another type.
    """
    hints = get_type_hints(row_type)
    return pl.Schema({field.name: _column_type(row_type, field.name, hints[field.name]) for field in fields(row_type)})


def _column_type(row_type: type[Any], name: str, hint: Any) -> type[pl.DataType]:
    if get_origin(hint) is UnionType:
        (hint,) = [part for part in get_args(hint) if part is not NoneType]
    if hint not in _TYPES:
        raise TypeError(f"{row_type.__name__}.{name}: a column holds str, int, float or bool, not {hint}")
    return _TYPES[hint]


def rows_of(frame: pl.DataFrame, row_type: type[RowT]) -> list[RowT]:
    """Every row of a frame as an object; columns that the type does not name are left out.

    Raises:
        ColumnNotFoundError: the frame lacks a column of the type.
    """
    return [row_type(*values) for values in frame.select(schema_of(row_type).names()).iter_rows()]


@dataclass(frozen=True)
class IntervalColumns:
    """An estimate, its interval, and the data behind it."""

    estimate: float | None
    low: float | None
    high: float | None
    method: str | None
    # Items (or pairs) and clusters behind the estimate, and items that were planned for it.
    n: int
    clusters: int
    planned: int


@dataclass(frozen=True)
class EstimateColumns:
    """Every estimated number, with what is missing of it."""

    # Null together with the limits when refused; `reason` then says why. With an estimate, `reason` says on what
    # part of the plan it is based, and is null when that is all of it.
    estimate: float | None
    low: float | None
    high: float | None
    method: str | None
    se: float | None
    # Items (for contrasts: pairs) and clusters behind the estimate.
    n: int
    clusters: int
    # Items planned and supported in all the conditions involved, and those of them that lack a score somewhere.
    planned: int
    lacking: int
    # What the estimate can become when the missing scores are filled in the worst and the best way.
    bound_low: float | None
    bound_high: float | None
    reason: str | None


@dataclass(frozen=True)
class ContrastColumns(EstimateColumns):
    """An estimated difference of conditions, with its tests."""

    # Discordant pairs of a binary two-condition contrast: b lost (right in the reference only), c gained.
    b: int | None
    c: int | None
    mcnemar_p: float | None
    # The p that enters the family: exact McNemar where valid, else the interval's own test.
    p: float | None
    p_method: str | None
    p_adjusted: float | None
    adjustment: str | None
    family: str | None
