"""Tables of the report: a polars frame and columns that say how to write it become cells with their exact values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from omnigap_orchestrator.report import words
from omnigap_orchestrator.report.media import Medium

Row = Mapping[str, Any]
"""One row of a frame, as polars gives it by name; it does not leave this floor."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell as the page shows it.

    Attributes:
        exact: the full value, for CSV; None: what is shown is the value.
        low, high: of an interval; CSV gives them columns of their own.
        tone: `loss` or `gain`, tinted by `strength` (0 to 100).
        fine: small print, shown on demand.
        medium: a picture to see or a recording to hear, in place of words.
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
class Column:
    """A column: its heading, how a row becomes its cell, and the glossary's word for it.

    `optional`: left out of a table in which it has nothing to say.
    """

    label: str
    cell: Callable[[Row], Cell]
    definition: str = ""
    numeric: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    key: str
    caption: str
    headings: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    small: str = ""
    note: str = ""
    heat: bool = False
    # What the switch of a heat table brings out: the small print of its cells.
    more: str = "intervals and n"


def make_table(
    frame: pl.DataFrame,
    key: str,
    caption: str,
    columns: Sequence[Column],
    *,
    small: str = "",
    note: str = "",
    heat: bool = False,
) -> Table:
    """Every row of the frame through every column; the first column is the row's heading."""
    written = [(column, [column.cell(row) for row in frame.iter_rows(named=True)]) for column in columns]
    kept = [(c, cells) for c, cells in written if not c.optional or any(_says(cell) for cell in cells)]
    rows = tuple(zip(*(cells for _, cells in kept), strict=True))
    return Table(key, caption, tuple(column for column, _ in kept), rows, small, note, heat)


def optional(column: Column) -> Column:
    return replace(column, optional=True)


def _says(cell: Cell) -> bool:
    return cell.shown not in ("", words.NOTHING) or cell.medium is not None


def text(key: str, label: str, *, css: str = "", write: Callable[[str], str] = str, definition: str = "") -> Column:
    return Column(label, lambda row: Cell(words.NOTHING if row[key] is None else write(row[key]), css=css), definition)


def condition(key: str = "condition", label: str = "Condition") -> Column:
    return Column(label, lambda row: Cell(row[key], title=words.condition_words(row[key])), "condition")


def count(key: str, label: str, *, definition: str = "", zero_soft: bool = False) -> Column:
    def cell(row: Row) -> Cell:
        value = row[key]
        return Cell(words.count(value), _exact(value), css="soft" if zero_soft and not value else "")

    return Column(label, cell, definition, numeric=True)


def percent(key: str, label: str, *, definition: str = "", digits: int = 1) -> Column:
    def cell(row: Row) -> Cell:
        return Cell(words.percent(row[key], digits), _exact(row[key], 100), title=row.get("reason") or "")

    return Column(label, cell, definition, numeric=True)


def points(key: str, label: str, *, definition: str = "", signed: bool = True) -> Column:
    def cell(row: Row) -> Cell:
        return Cell(words.points(row[key], signed=signed), _exact(row[key], 100), title=row.get("reason") or "")

    return Column(label, cell, definition, numeric=True)


def interval(low: str, high: str, label: str, *, difference: bool = True, definition: str = "interval") -> Column:
    def cell(row: Row) -> Cell:
        shown = words.interval(row[low], row[high], difference=difference)
        return Cell(shown, low=_exact(row[low], 100) or "", high=_exact(row[high], 100) or "", css="soft")

    return Column(label, cell, definition, numeric=True)


def seconds_interval(low: str, high: str, label: str) -> Column:
    def cell(row: Row) -> Cell:
        if not (words.known(row[low]) and words.known(row[high])):
            return Cell(words.NOTHING, low="", high="")
        return Cell(f"[{row[low]:.3f}, {row[high]:.3f}]", low=_exact(row[low]), high=_exact(row[high]), css="soft")

    return Column(label, cell, numeric=True)


def number(key: str, label: str, *, digits: int = 2, definition: str = "") -> Column:
    return Column(label, lambda r: Cell(words.number(r[key], digits), _exact(r[key])), definition, numeric=True)


def p_value(key: str, label: str, *, definition: str = "") -> Column:
    return Column(label, lambda row: Cell(words.p_value(row[key]), _exact(row[key])), definition, numeric=True)


def method(key: str = "method", label: str = "Interval by") -> Column:
    return Column(label, lambda row: Cell(words.method(row[key]), css="soft method"), "interval")


def tint(difference: float | None, full: float = 0.4) -> tuple[str, int]:
    """Tone and strength of a gap: the colour grows with it and is full at `full`."""
    if difference is None or not words.known(difference) or abs(difference) < 0.0005:
        return "", 0
    return ("loss" if difference < 0 else "gain"), round(6 + 36 * min(abs(difference) / full, 1.0))


def hundred(value: float | None) -> str:
    """A share in percent, for CSV."""
    return _exact(value, 100)


def _exact(value: float | None, scale: float = 1) -> str:
    """The value for CSV, in the unit of its heading; empty where there is none."""
    return "" if value is None or not words.known(value) else f"{value * scale:.10g}"
