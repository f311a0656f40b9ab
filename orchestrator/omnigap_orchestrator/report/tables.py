"""Tables of the report: typed rows and column definitions become cells with a shown and an exact value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import polars as pl

from omnigap_orchestrator.analysis.table import rows_of, schema_of
from omnigap_orchestrator.report import formatting
from omnigap_orchestrator.report.media import Medium

RowT = TypeVar("RowT")
RowT_contra = TypeVar("RowT_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table.

    Attributes:
        exact: the value in full precision, for CSV; None if `shown` is the value.
        low, high: limits of an interval; separate columns in CSV.
        tone: `loss` or `gain`; the colour has `strength` (0 to 100).
        fine: small print, shown on demand.
        medium: an image or a recording to show instead of text.
    """

    shown: str
    exact: str | None = None
    css: str = ""
    title: str = ""
    tone: str = ""
    strength: int = 0
    fine: str = ""
    low: str | None = None
    high: str | None = None
    medium: Medium | None = None


@dataclass(frozen=True, slots=True)
class Column(Generic[RowT_contra]):
    """A column: its heading, the function from row to cell, and its key in the glossary.

    Attributes:
        optional: omit the column if all its cells are empty.
        keys: the fields that the function reads; `make_table` checks them against the type of the rows.
    """

    label: str
    cell: Callable[[RowT_contra], Cell]
    definition: str = ""
    numeric: bool = False
    optional: bool = False
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the page.

    Attributes:
        small: remark after the caption.
        note: remark under the table.
        heat: a table of tinted cells, with a switch that shows their small print.
        more: label of that switch.
    """

    key: str
    caption: str
    headings: tuple[Column[Any], ...]
    rows: tuple[tuple[Cell, ...], ...]
    small: str = ""
    note: str = ""
    heat: bool = False
    more: str = "intervals and n"


def make_table(
    frame: pl.DataFrame,
    row_type: type[RowT],
    key: str,
    caption: str,
    columns: Sequence[Column[RowT]],
    *,
    small: str = "",
    note: str = "",
    heat: bool = False,
) -> Table:
    """Applies every column to every row of the frame; the first column is the heading of the row.

    Raises:
        TypeError: a column reads a field that the row type lacks; checked for empty frames too.
        ColumnNotFoundError: the frame lacks a field of the row type.
    """
    # Checked by name, because without rows no function of a column runs, and a wrong field would go unnoticed.
    if unknown := {name for column in columns for name in column.keys} - set(schema_of(row_type)):
        raise TypeError(f"table {key!r}: {row_type.__name__} has no {', '.join(sorted(unknown))}")
    found = rows_of(frame, row_type)
    written = [(column, [column.cell(row) for row in found]) for column in columns]
    # An optional column is omitted only if it is empty in every row, so it can't hide a single value.
    kept = [(c, cells) for c, cells in written if not c.optional or any(_has_content(cell) for cell in cells)]
    rows = tuple(zip(*(cells for _, cells in kept), strict=True))
    return Table(key, caption, tuple(column for column, _ in kept), rows, small, note, heat)


def optional(column: Column[RowT]) -> Column[RowT]:
    return replace(column, optional=True)


def _has_content(cell: Cell) -> bool:
    return cell.shown not in ("", formatting.NOTHING) or cell.medium is not None


def text(
    key: str, label: str, *, css: str = "", write: Callable[[str], str] = str, definition: str = ""
) -> Column[Any]:
    def cell(value: Any) -> Cell:
        return Cell(formatting.NOTHING if value is None else write(value), css=css)

    return _of(key, label, cell, definition, numeric=False)


def condition(key: str = "condition", label: str = "Condition") -> Column[Any]:
    return _of(key, label, lambda name: Cell(name, title=formatting.condition_words(name)), "condition", numeric=False)


def method(key: str = "method", label: str = "Interval by") -> Column[Any]:
    return _of(key, label, lambda name: Cell(formatting.method(name), css="soft method"), "interval", numeric=False)


def count(key: str, label: str, *, definition: str = "", zero_soft: bool = False) -> Column[Any]:
    def cell(value: Any) -> Cell:
        return Cell(formatting.count(value), _exact(value), css="soft" if zero_soft and not value else "")

    return _of(key, label, cell, definition)


def number(key: str, label: str, *, digits: int = 2, definition: str = "") -> Column[Any]:
    return _of(key, label, lambda value: Cell(formatting.number(value, digits), _exact(value)), definition)


def p_value(key: str, label: str, *, definition: str = "") -> Column[Any]:
    return _of(key, label, lambda value: Cell(formatting.p_value(value), _exact(value)), definition)


def percent(key: str, label: str, *, definition: str = "", digits: int = 1) -> Column[Any]:
    return _share(key, label, lambda value: formatting.percent(value, digits), definition)


def points(key: str, label: str, *, definition: str = "", signed: bool = True) -> Column[Any]:
    return _share(key, label, lambda value: formatting.points(value, signed=signed), definition)


def interval(low: str, high: str, label: str, *, difference: bool = True, definition: str = "interval") -> Column[Any]:
    def cell(row: Any) -> Cell:
        limits = getattr(row, low), getattr(row, high)
        # In CSV, limits are in the unit of the heading too: points or percent, not shares.
        exact = [_exact(limit, 100) for limit in limits]
        return Cell(formatting.interval(*limits, difference=difference), low=exact[0], high=exact[1], css="soft")

    return Column(label, cell, definition, numeric=True, keys=(low, high))


def seconds_interval(low: str, high: str, label: str) -> Column[Any]:
    def cell(row: Any) -> Cell:
        limits = getattr(row, low), getattr(row, high)
        if not all(formatting.known(limit) for limit in limits):
            # Empty limits, not None: the cell must still fill both CSV columns of the interval.
            return Cell(formatting.NOTHING, low="", high="")
        return Cell("[{:.3f}, {:.3f}]".format(*limits), low=_exact(limits[0]), high=_exact(limits[1]), css="soft")

    return Column(label, cell, numeric=True, keys=(low, high))


def _of(key: str, label: str, cell: Callable[[Any], Cell], definition: str, numeric: bool = True) -> Column[Any]:
    """A column of the values of one field."""
    return Column(label, lambda row: cell(getattr(row, key)), definition, numeric, keys=(key,))


def _share(key: str, label: str, write: Callable[[float | None], str], definition: str) -> Column[Any]:
    """A share in percent; the tooltip is the row's `reason`, if it has one."""

    def cell(row: Any) -> Cell:
        value = getattr(row, key)
        return Cell(write(value), _exact(value, 100), title=getattr(row, "reason", None) or "")

    return Column(label, cell, definition, numeric=True, keys=(key,))


def tint(difference: float | None, full: float = 0.4) -> tuple[str, int]:
    """Tone and strength of a gap; the strength grows with the gap up to `full`."""
    if difference is None or not formatting.known(difference) or abs(difference) < 0.0005:
        return "", 0
    # From 6 to 42 of 100: the smallest gap is visible, and text on the largest keeps its contrast.
    return ("loss" if difference < 0 else "gain"), round(6 + 36 * min(abs(difference) / full, 1.0))


def hundred(value: float | None) -> str:
    """A share in percent, for CSV."""
    return _exact(value, 100)


def _exact(value: float | None, scale: float = 1) -> str:
    """The value for CSV, in the unit of the heading; empty if there is none."""
    # Ten significant digits: without the noise of binary fractions, such as 8.299999999999999.
    return "" if value is None or not formatting.known(value) else f"{value * scale:.10g}"
