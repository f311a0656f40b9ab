"""Tables in the terminal. One that is too wide is split into several below each other, so that no number wraps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from omnigap.terminal import one_line, readable

if TYPE_CHECKING:
    # The analysis brings scipy: `plan` prints tables without it.
    from omnigap_orchestrator.analysis.table import ContrastColumns


MAX_CELL = 1_000
"""Characters of a cell of a table; longer ones are cut."""
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
    # Before widths are measured: a control character counts as zero columns.
    cells = [[one_line(cell, MAX_CELL) for cell in row] for row in rows]
    # Terminal cells, not characters: CJK letters take two.
    widths = [max(map(cell_len, column)) + _PADDING for column in zip(headings, *cells, strict=True)]
    if sum(widths) <= console.width:
        fold = None
    if fold is not None:
        widths[0] = min(widths[0], fold + _PADDING)
    for number, part in enumerate(split_columns(widths, keys, console.width)):
        # `Text` everywhere: rich would take brackets in names of models or tasks for markup.
        table = Table(title=None if number else Text(one_line(title), style="bold"), title_justify="left", box=None)
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


def p_text(p: float | None) -> str:
    """A p-value as in `0.012`; `<0.001` instead of `0.000`, empty without a test."""
    return "" if p is None else "<0.001" if p < 0.0005 else f"{p:.3f}"


def reason_lines(rows: Iterable[_RowWithReason]) -> list[str]:
    """Why numbers were refused or use only some of the pairs; conditions with the same reason share a line."""
    return reasons((row.condition, row.reason) for row in rows if row.planned)


def print_lines(console: Console, lines: Iterable[str]) -> None:
    """Prints dimmed lines below a table."""
    for line in lines:
        console.print(Text(readable(line), style="dim"))
