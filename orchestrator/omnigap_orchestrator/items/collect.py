"""Rows with their places to items: every bad row is named, and so is every id that stands twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from omnigap_orchestrator.items.errors import ItemError
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.items.row import RowError, read_row

_MOST_FAULTS = 1_000


@dataclass(frozen=True, slots=True)
class PlacedRow:
    """A row in the documented form, or what is wrong with it already.

    Attributes:
        file: as errors name it.
        place: `line 3` or `row 3`, from 1.
        folder: that relative paths of media start from.
    """

    file: str
    place: str
    folder: Path
    row: Mapping[str, object] | None = None
    faults: tuple[str, ...] = ()


def collect(rows: Iterable[PlacedRow]) -> tuple[Item, ...]:
    """The items of all rows, in order.

    Raises:
        ItemError: with every fault of every row (a thousand at most), and where an id stands twice.
    """
    items: list[Item] = []
    found: list[str] = []
    first: dict[str, PlacedRow] = {}
    for placed in rows:
        where = f"{placed.file}: {placed.place}"
        if placed.row is None:
            found += [f"{where}: {fault}" for fault in placed.faults]
        else:
            try:
                item = read_row(placed.row, placed.folder)
            except RowError as error:
                found += [f"{where}: {fault}" for fault in error.faults]
            else:
                before = first.setdefault(item.id, placed)
                if before is not placed:
                    same = before.file == placed.file
                    there = before.place if same else f"{before.file}: {before.place}"
                    found.append(f"{where}: id: {item.id!r} stands already in {there}: ids must differ")
                items.append(item)
        if len(found) >= _MOST_FAULTS:
            break
    if found:
        raise ItemError(*found)
    return tuple(items)
