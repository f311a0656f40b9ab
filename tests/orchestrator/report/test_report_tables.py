"""Columns of report tables: fields are checked against the row type, also for tables without rows."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
import pytest

from omnigap_orchestrator.analysis.table import schema_of
from omnigap_orchestrator.report import tables
from omnigap_orchestrator.report.tables import Cell, Column, make_table


@dataclass(frozen=True, slots=True)
class ScoreRow:
    condition: str
    estimate: float | None
    n: int


EMPTY = pl.DataFrame(schema=schema_of(ScoreRow))


@pytest.mark.parametrize(
    "column",
    [
        tables.text("gone", "A"),
        tables.count("gone", "B"),
        tables.percent("gone", "C"),
        tables.interval("estimate", "gone", "D"),
        tables.method("gone"),
    ],
)
def test_column_of_an_unknown_field_is_refused(column: Column) -> None:
    with pytest.raises(TypeError, match=r"scores.*ScoreRow.*gone"):
        make_table(EMPTY, ScoreRow, "scores", "Scores", [tables.condition(), column])


def test_frame_without_a_field_of_its_row_type_is_refused() -> None:
    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        make_table(EMPTY.drop("n"), ScoreRow, "scores", "Scores", [tables.condition()])


def test_cells_are_computed_from_typed_rows() -> None:
    frame = EMPTY.vstack(pl.DataFrame([("s2t", 0.5, 8)], schema=EMPTY.schema, orient="row"))
    half: Column[ScoreRow] = Column("Of n", lambda row: Cell(f"{(row.estimate or 0) * row.n:g} of {row.n}"))
    table = make_table(frame, ScoreRow, "scores", "Scores", [tables.condition(), tables.percent("estimate", "%"), half])
    assert [cell.shown for cell in table.rows[0]] == ["s2t", "50.0", "4 of 8"]
