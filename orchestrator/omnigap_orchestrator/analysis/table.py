"""A table of the analysis: its name, its row type, and the function that computes it from the results.

Each is declared in the file that computes it, and listed in `summary.TABLES`, whose order is that of summary.json.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

import polars as pl

from omnigap_orchestrator.analysis.options import AnalysisOptions
from omnigap_orchestrator.analysis.rows import RowT, rows_of, schema_of

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Instrument:
    """What is known of the ASR scorer beside the results.

    Attributes:
        clips: the table of a calibration that fits them; None without one.
        golds: a frame of `GOLDS_SCHEMA`; None leaves out the errors on words and answers.
        labels: a frame of `LABELS_SCHEMA`; None without human labels.
        refused: why there is a calibration that must not be used; empty otherwise.
        note: what a reader should know of the one that is used.
    """

    clips: pl.DataFrame | None = None
    golds: pl.DataFrame | None = None
    labels: pl.DataFrame | None = None
    refused: str = ""
    note: str = ""


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
        instrument: what is known of the ASR scorer.
    """

    results: pl.DataFrame
    options: AnalysisOptions
    controls: pl.DataFrame | None
    instrument: Instrument
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
