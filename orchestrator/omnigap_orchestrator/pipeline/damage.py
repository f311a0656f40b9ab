"""Says what a damaged row of the journal affects: model, item and condition where they are known, and what helps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from omnigap_orchestrator.journal import DamagedRow, Records
from omnigap_orchestrator.journal.tables import MetaRow
from omnigap_orchestrator.pipeline.cells import PlannedCells
from omnigap_orchestrator.pipeline.results import ResultsTable

_THEN = {
    "answers": "asked again",
    "transcripts": "transcribed again",
    "verdicts": "judged again",
    "scores": "scored again",
    "carriers": "made again",
    "failures": "tried again",
    "services": "known again when the service is reached",
    "meta": "set again",
}
"""Table -> what the next `run` does about its damaged rows."""
SHOWN = 3
"""Damaged rows of a table that are named; the others are counted."""


def unused_rows(records: Records) -> list[DamagedRow]:
    """The damaged rows that nothing has replaced, of all tables."""
    loaded: dict[str, Mapping[Any, object]] = {
        "answers": records.answers,
        "transcripts": records.transcripts,
        "verdicts": records.verdicts,
        "scores": records.scores,
        "carriers": records.carriers,
        "failures": records.failures,
        "services": records.services,
    }
    # Read now: a value that was set since is no longer damaged. The other tables are in memory, where a row that was
    # written since has replaced the damaged one of its key.
    records.journal.all(MetaRow)
    loaded["meta"] = {}
    return [
        row
        for table, rows in loaded.items()
        for row in records.journal.damaged.get(table, ())
        if (row.key if len(row.key) > 1 else row.key[0]) not in rows
    ]


def damage_notes(cells: PlannedCells, records: Records) -> list[str]:
    """One line for each table with damaged rows that are not used."""
    damaged = unused_rows(records)
    if not damaged:
        return []
    affected = affected_cells(cells, records)
    notes = []
    for table in dict.fromkeys(row.table for row in damaged):
        rows = [row for row in damaged if row.table == table]
        named = ", ".join(_name(row, affected) for row in rows[:SHOWN])
        more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
        count = f"{len(rows)} damaged row{'s' if len(rows) > 1 else ''}"
        notes.append(
            f"{count} in the table {table} of {records.journal.path} ({named}{more}): not used, and {_THEN[table]} by "
            "`omnigap-orchestrate run`"
        )
    return notes


def affected_cells(cells: PlannedCells, records: Records) -> dict[str, str]:
    """Key of an answer, a transcript or a score -> its cell, in words."""
    return dict(_keys(cells, records))


def _keys(cells: PlannedCells, records: Records) -> Iterator[tuple[str, str]]:
    table = ResultsTable("", cells, records)
    for planned in chain(cells, cells.controls()):
        for key in table.keys_of(planned):
            yield key, str(planned.cell)


def _name(row: DamagedRow, affected: dict[str, str]) -> str:
    key = row.key[0]
    if len(row.key) > 1:
        return " ".join(str(part) for part in row.key)
    return affected.get(key, f"key {str(key)[:12]}") if isinstance(key, str) else "a key that is not text"
