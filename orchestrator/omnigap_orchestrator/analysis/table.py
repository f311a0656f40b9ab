"""Declaration of analysis tables: row types give columns, `Table` adds a name and a function.

A row type is a frozen dataclass. The fields of a dataclass start with those of its *last* base, so
`class GapRow(ContrastColumns, _GapKey)` has the columns of `_GapKey`, then those of `ContrastColumns`, then its own.
"""

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
    """The columns of a row type in order; a field is str, int, float or bool, optionally `| None`.

    Raises:
        TypeError: a field has another type.
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
    """The rows of a frame as objects; columns that are not fields of `row_type` are ignored.

    Raises:
        ColumnNotFoundError: the frame lacks a column of the type.
    """
    return [row_type(*values) for values in frame.select(schema_of(row_type).names()).iter_rows()]


@dataclass(frozen=True)
class IntervalColumns:
    """An estimate with its interval and sample sizes."""

    estimate: float | None
    low: float | None
    high: float | None
    method: str | None
    # Items (or pairs) and clusters that the estimate is based on, and planned items.
    n: int
    clusters: int
    planned: int


@dataclass(frozen=True)
class EstimateColumns:
    """An estimate with its interval, sample sizes and missing data."""

    # Null, like the limits, if refused; `reason` then gives the reason. With an estimate, `reason` names the part of
    # the plan that it is based on, null for the whole plan.
    estimate: float | None
    low: float | None
    high: float | None
    method: str | None
    se: float | None
    # Items (for contrasts: pairs) and clusters that the estimate is based on.
    n: int
    clusters: int
    # Items planned and supported in all conditions involved, and those of them that lack a score.
    planned: int
    lacking: int
    # The estimate with missing scores filled in in the worst and in the best way.
    bound_low: float | None
    bound_high: float | None
    reason: str | None


@dataclass(frozen=True)
class ContrastColumns(EstimateColumns):
    """An estimated contrast of conditions with its tests."""

    # Discordant pairs of a binary two-condition contrast: b lost (right in the reference only), c gained.
    b: int | None
    c: int | None
    # The p-value that enters the family: a sign-flip test over clusters, or the interval's own where that is stricter.
    p: float | None
    p_method: str | None
    p_adjusted: float | None
    adjustment: str | None
    family: str | None


@dataclass(frozen=True)
class FamilyColumns(ContrastColumns):
    """A contrast of one model, also adjusted over all models of the analysis."""

    # Over the same kind of family of all models; equal to `p_adjusted` for one model.
    p_adjusted_models: float | None


T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, eq=False)
class Derived(Generic[T_co]):
    """A value that tables are computed from, such as the score matrices; computed once per analysis.

    Compared by identity, as the key under which an `AnalysisInput` caches the value.
    """

    compute: Callable[[AnalysisInput], T_co]


@dataclass(frozen=True, eq=False)
class Table(Derived[pl.DataFrame], Generic[RowT]):
    """One table of the analysis.

    It is declared in the module that computes it, and listed in `summary.py` or by an extra, in the order of
    summary.json.

    Attributes:
        name: key in summary.json.
        row: dataclass whose fields are the columns.
        compute: function of the `AnalysisInput`, which may read other tables from it.
    """

    name: str
    row: type[RowT]

    @property
    def schema(self) -> pl.Schema:
        return schema_of(self.row)


@dataclass(frozen=True, slots=True)
class AnalysisInput:
    """The data that tables are computed from; `given[table]` is another table, computed on first use.

    Attributes:
        results: a frame of `RESULTS_SCHEMA`, or any frame with the columns that `analyse` names.
        controls: control cells; None without any.
        evidence: what extras know about the run in addition to its results, by the name of the extra.
        idle: answers to single questions on an idle service (`IDLE_SCHEMA`); None without any.
    """

    results: pl.DataFrame
    options: AnalysisOptions
    controls: pl.DataFrame | None
    evidence: Mapping[str, object]
    idle: pl.DataFrame | None = None
    _known: dict[Derived[Any], Any] = field(default_factory=dict, repr=False)

    def __getitem__(self, derived: Derived[T]) -> T:
        """The value of a table or derived value, computed on first use and cached."""
        if derived not in self._known:
            self._known[derived] = derived.compute(self)
        return cast(T, self._known[derived])

    @property
    def idle_answers(self) -> pl.DataFrame:
        """The answers on an idle service; an empty frame without any."""
        return self.results.clear() if self.idle is None else self.idle

    @property
    def control_cells(self) -> pl.DataFrame:
        """The control cells; an empty frame without any."""
        if self.controls is not None:
            return self.controls
        return self.results.clear().with_columns(control=pl.lit(None, pl.String))


@dataclass(frozen=True, slots=True)
class Tables:
    """Computed tables by name, in order."""

    frames: Mapping[str, pl.DataFrame]

    def frame(self, of: Table[Any]) -> pl.DataFrame:
        """The frame of a table; raises KeyError if it was not computed."""
        return self.frames[of.name]

    def rows(self, of: Table[RowT]) -> list[RowT]:
        return rows_of(self.frames[of.name], of.row)

    def tables_json(self) -> dict[str, Any]:
        """Every table as a list of rows, as plain JSON values."""
        return {name: frame.to_dicts() for name, frame in self.frames.items()}
