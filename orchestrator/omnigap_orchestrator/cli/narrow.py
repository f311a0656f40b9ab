"""Tables that stay readable in a narrow terminal: what does not fit beside goes below, and no number is broken."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

_BETWEEN = 2
"""Blanks around a column."""


def print_table(
    console: Console,
    title: str,
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    keys: int = 1,
    fold: int | None = None,
) -> None:
    """Prints a table; where the terminal is too narrow for its columns, as several, each with the first `keys` ones.

    A single column that is wider than the terminal by itself is broken after all.

    Args:
        fold: where the terminal is too narrow, characters after which the words of the first column go on in the next
            line.
    """
    cells = [list(row) for row in rows]
    widths = [max(map(cell_len, column)) + _BETWEEN for column in zip(headings, *cells, strict=True)]
    if sum(widths) <= console.width:
        fold = None
    if fold is not None:
        widths[0] = min(widths[0], fold + _BETWEEN)
    for number, part in enumerate(parts(widths, keys, console.width)):
        table = Table(title=None if number else Text(title, style="bold"), title_justify="left", box=None)
        for column in part:
            table.add_column(
                Text(headings[column], style="bold"),
                justify="left" if column < keys else "right",
                max_width=None if column else fold,
            )
        for row in cells:
            # Further down, a row that has nothing in these columns says nothing.
            if not number or any(row[column] for column in part[keys:]):
                table.add_row(*(Text(row[column]) for column in part))
        if number:
            console.print()
        console.print(table)


def parts(widths: Sequence[int], keys: int, room: int) -> list[list[int]]:
    """The columns of each table: the keys, and of the others as many as fit, in their order; at least one."""
    first = list(range(keys))
    found, taken = [list(first)], sum(widths[:keys])
    for column in range(keys, len(widths)):
        if taken + widths[column] > room and len(found[-1]) > keys:
            found.append(list(first))
            taken = sum(widths[:keys])
        found[-1].append(column)
        taken += widths[column]
    return found


def reasons(told: Iterable[tuple[str, str | None]]) -> list[str]:
    """Reasons with the names that each is for, as `s2t, i2t: 3 of 40 pairs lack an answer`; a None tells nothing."""
    of: dict[str, list[str]] = {}
    for name, reason in told:
        if reason and name not in of.setdefault(reason, []):
            of[reason].append(name)
    return [f"{', '.join(names)}: {reason}" for reason, names in of.items()]
