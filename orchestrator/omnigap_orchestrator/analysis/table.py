"""Row types: a frozen dataclass gives a table its columns and types, and each of its rows as an object.

The fields of a dataclass start with those of its *last* base, so `class GapRow(ContrastColumns, _GapKey)` has the
columns of `_GapKey`, then those of `ContrastColumns`, then its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from types import NoneType, UnionType
from typing import Any, Generic, TypeVar, cast, get_args, get_origin, get_type_hints

import polars as pl

from omnigap_orchestrator.analysis.options import AnalysisOptions

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


# A table of the analysis: its name, its row type, and the function that computes it from the results. Each is
# declared in the module that computes it, and listed in `summary.py` or by an extra, whose order is that of summary.json.

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, eq=False)
class Derived(Generic[T_co]):
    """A value that tables are computed from, such as the score matrices; computed once for each analysis.

    Compared by identity: it is the key under which an `AnalysisInput` keeps the value.
    """

    compute: Callable[[AnalysisInput], T_co]


@dataclass(frozen=True, eq=False)
class Table(Derived[pl.DataFrame], Generic[RowT]):
    """One table: `name` is its key in summary.json, the fields of `row` are its columns.

    `compute` may ask its input for other tables: these are then computed first.
    """

    name: str
    row: type[RowT]

    @property
    def schema(self) -> pl.Schema:
        return schema_of(self.row)


@dataclass(frozen=True, slots=True)
class AnalysisInput:
    """All that a table is computed from.

    Attributes:
        results: `RESULTS_SCHEMA`, or any frame with the columns that `analyse` names.
        controls: control cells; None without any.
        evidence: what extras know of the run besides its results, by the name of the extra.
    """

    results: pl.DataFrame
    options: AnalysisOptions
    controls: pl.DataFrame | None
    evidence: Mapping[str, object]
    _known: dict[Derived[Any], Any] = field(default_factory=dict, repr=False)

    def __getitem__(self, derived: Derived[T]) -> T:
        """The value of another table or derived value, computed on first use."""
        if derived not in self._known:
            self._known[derived] = derived.compute(self)
        return cast(T, self._known[derived])

    @property
    def control_cells(self) -> pl.DataFrame:
        """The control cells; a frame without rows where there are none."""
        if self.controls is not None:
            return self.controls
        return self.results.clear().with_columns(control=pl.lit(None, pl.String))


@dataclass(frozen=True, slots=True)
class Tables:
    """Computed tables, by name and in order."""

    frames: Mapping[str, pl.DataFrame]

    def frame(self, of: Table[Any]) -> pl.DataFrame:
        """Raises KeyError for a table that was not computed."""
        return self.frames[of.name]

    def rows(self, of: Table[RowT]) -> list[RowT]:
        return rows_of(self.frames[of.name], of.row)

    def tables_json(self) -> dict[str, Any]:
        """Every table as a list of rows; all of it plain JSON values."""
        return {name: frame.to_dicts() for name, frame in self.frames.items()}
