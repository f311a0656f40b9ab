"""Tables in the terminal. One that is too wide is split into several below each other, so that no number wraps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import polars as pl
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from omnigap_orchestrator.analysis import Tables
from omnigap_orchestrator.analysis.accuracy import ACCURACY, ANSWERED_ONLY, AccuracyRow
from omnigap_orchestrator.analysis.compare import ComparisonRow
from omnigap_orchestrator.analysis.contrasts import ANSWERED_PAIRS, headline
from omnigap_orchestrator.analysis.denominators import CONDITION_COUNTS
from omnigap_orchestrator.analysis.gap import GAPS, GapRow
from omnigap_orchestrator.analysis.table import ContrastColumns, rows_of
from omnigap_orchestrator.extension import extras

_PADDING = 2
"""Spaces that rich puts around a column."""


def print_table(
    console: Console,
    title: str,
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    keys: int = 1,
    fold: int | None = None,
) -> None:
    """Prints a table; if it is too wide for the terminal, as several tables that repeat the first `keys` columns.

    A column that is wider than the terminal is wrapped.

    Args:
        keys: number of columns that identify a row.
        fold: width at which the first column wraps if the table is too wide.
    """
    cells = [list(row) for row in rows]
    # Terminal cells, not characters: CJK letters take two.
    widths = [max(map(cell_len, column)) + _PADDING for column in zip(headings, *cells, strict=True)]
    if sum(widths) <= console.width:
        fold = None
    if fold is not None:
        widths[0] = min(widths[0], fold + _PADDING)
    for number, part in enumerate(split_columns(widths, keys, console.width)):
        # `Text` everywhere: rich would take brackets in names of models or tasks for markup.
        table = Table(title=None if number else Text(title, style="bold"), title_justify="left", box=None)
        for column in part:
            table.add_column(
                Text(headings[column], style="bold"),
                justify="left" if column < keys else "right",
                max_width=None if column else fold,
            )
        for row in cells:
            # In a continuation, a row that is empty in these columns is left out.
            if not number or any(row[column] for column in part[keys:]):
                table.add_row(*(Text(row[column]) for column in part))
        if number:
            console.print()
        console.print(table)


def split_columns(widths: Sequence[int], keys: int, room: int) -> list[list[int]]:
    """The column indices of each table: the keys, and as many further columns as fit, at least one."""
    first = list(range(keys))
    found, taken = [list(first)], sum(widths[:keys])
    for column in range(keys, len(widths)):
        if taken + widths[column] > room and len(found[-1]) > keys:
            found.append(list(first))
            taken = sum(widths[:keys])
        found[-1].append(column)
        taken += widths[column]
    return found


def reasons(rows: Iterable[tuple[str, str | None]]) -> list[str]:
    """Groups names by reason, as in `s2t, i2t: 3 of 40 pairs lack an answer`; rows without a reason are left out."""
    names_by_reason: dict[str, list[str]] = {}
    for name, reason in rows:
        if reason and name not in names_by_reason.setdefault(reason, []):
            names_by_reason[reason].append(name)
    return [f"{', '.join(names)}: {reason}" for reason, names in names_by_reason.items()]


REFUSED = "refused"
"""Shown in place of a refused number; the reason is printed below the table."""


class _RowWithReason(Protocol):
    """A gap or a comparison, which may have a reason."""

    @property
    def condition(self) -> str: ...
    @property
    def planned(self) -> int: ...
    @property
    def reason(self) -> str | None: ...


def estimate_text(
    estimate: float | None, low: float | None, high: float | None, *, sign: str = "", unit: str = ""
) -> str:
    """An estimate with its interval in points, as in `71.4 % (60.1 to 80.2)`; empty without an estimate.

    Args:
        estimate, low, high: shares of the score, 0 to 1.
        sign: `+` shows the sign of positive numbers as well.
    """
    if estimate is None:
        return ""
    span = "" if low is None or high is None else f"({100 * low:{sign}.1f} to {100 * high:{sign}.1f})"
    return f"{100 * estimate:{sign}.1f}{unit} {span}".rstrip()


def gap_text(row: ContrastColumns | None) -> str:
    """A gap with its interval in points, as in `-14.3 (-20.1 to -8.2)`; `refused` if there is a reason against it."""
    if row is None:
        return ""
    if row.estimate is None:
        return REFUSED if row.reason and row.planned else ""
    return estimate_text(row.estimate, row.low, row.high, sign="+")


def reason_lines(rows: Iterable[_RowWithReason]) -> list[str]:
    """Why numbers were refused or use only some of the pairs; conditions with the same reason share a line."""
    return reasons((row.condition, row.reason) for row in rows if row.planned)


def print_models(console: Console, tables: Tables, reference: str, level: float) -> None:
    """Prints a table per model with a row per condition: answered cells, accuracy, gap, and columns of extras.

    Args:
        level: confidence level of the intervals, shown in the heading.
    """
    headings = ["condition", "answered", f"accuracy ({level:.0%} interval)".replace("%", " %")]
    headings.append(f"gap to {reference} in points")
    accuracies, gaps = tables.frame(ACCURACY), tables.frame(GAPS)
    for model, counts in tables.frame(CONDITION_COUNTS).group_by("model", maintain_order=True):
        name = str(model[0])
        accuracy = {row.condition: row for row in rows_of(headline(accuracies, ANSWERED_ONLY, name), AccuracyRow)}
        gap = {row.condition: row for row in rows_of(headline(gaps, ANSWERED_PAIRS, name), GapRow)}
        added = _columns_of_extras(tables, name)
        rows = []
        for condition, answered, planned in counts.select("condition", "answered", "planned").iter_rows():
            of = accuracy.get(condition)
            row = [
                condition,
                f"{answered} of {planned}" if planned else "unsupported",
                "" if of is None else estimate_text(of.estimate, of.low, of.high, unit=" %"),
                "reference" if condition == reference else gap_text(gap.get(condition)),
            ]
            rows.append([*row, *(cells.get(condition, "") for cells in added.values())])
        print_table(console, name, [*headings, *added], rows)
        print_lines(console, reason_lines(gap.values()))


def _columns_of_extras(tables: Tables, model: str) -> dict[str, Mapping[str, str]]:
    """The columns of extras in a model's table: heading -> condition -> text."""
    columns: dict[str, Mapping[str, str]] = {}
    for extra in extras():
        columns |= extra.condition_columns(tables, model)
    return {heading: cells for heading, cells in columns.items() if cells}


def print_comparison(table: pl.DataFrame, first_run: str, second_run: str) -> None:
    """Prints the differences second minus first in points: of score and gap, per condition.

    Args:
        table: a frame of `COMPARISON_SCHEMA`.
    """
    console = Console()
    headings = ("condition", "score, points", "p (Holm)", "gap, points", "p (Holm)")
    for (first, second), part in table.group_by("first", "second", maintain_order=True):
        chosen = rows_of(headline(part, ANSWERED_PAIRS), ComparisonRow)
        cells = []
        for condition in dict.fromkeys(row.condition for row in chosen):
            of = {row.quantity: row for row in chosen if row.condition == condition}
            score, gap = of.get("score"), of.get("gap")
            cells.append([condition, gap_text(score), _p(score), gap_text(gap), _p(gap)])
        title = f"{second} - {first}" if first != second else f"{first}: {second_run} - {first_run}"
        print_table(console, title, headings, cells)
        print_lines(console, reason_lines(chosen))
        if chosen and (chosen[0].only_first or chosen[0].only_second):
            left = f"{chosen[0].only_first} only in the first, {chosen[0].only_second} only in the second"
            console.print(f"Items in only one run are left out: {left}.", highlight=False)


def print_lines(console: Console, lines: Iterable[str]) -> None:
    """Prints dimmed lines below a table."""
    for line in lines:
        console.print(Text(line, style="dim"))


def _p(row: ComparisonRow | None) -> str:
    return "" if row is None or row.p_adjusted is None else f"{row.p_adjusted:.3f}"
