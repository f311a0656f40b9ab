"""Tests of table declarations: row types give schemas, and dependencies are computed once."""

from __future__ import annotations

from dataclasses import dataclass
from types import NoneType
from typing import get_args, get_type_hints

import polars as pl
import pytest

from omnigap_orchestrator.analysis import Analysis, analyse
from omnigap_orchestrator.analysis.accuracy import ACCURACY
from omnigap_orchestrator.analysis.gap import GAPS
from omnigap_orchestrator.analysis.summary import all_tables
from omnigap_orchestrator.analysis.table import (
    AnalysisInput,
    ContrastColumns,
    Derived,
    IntervalColumns,
    Table,
    rows_of,
    schema_of,
)
from tests.orchestrator.analysis.made_up_results import drawn


@dataclass(frozen=True)
class Key:
    model: str


@dataclass(frozen=True, slots=True)
class MadeUpRow(IntervalColumns, Key):
    """Key columns, then those of an interval, then an additional one."""

    remark: str | None


@dataclass(frozen=True, slots=True)
class HeightRow:
    rows: int


def test_columns_start_with_those_of_the_last_base() -> None:
    schema = schema_of(MadeUpRow)
    assert schema.names() == ["model", "estimate", "low", "high", "method", "n", "clusters", "planned", "remark"]
    assert (schema["model"], schema["estimate"], schema["n"]) == (pl.String, pl.Float64, pl.Int64)


def test_a_field_of_another_type_is_refused_by_name() -> None:
    @dataclass(frozen=True)
    class Bad:
        values: dict

    with pytest.raises(TypeError, match=r"Bad\.values"):
        schema_of(Bad)


def test_rows_of_a_frame_are_objects() -> None:
    frame = pl.DataFrame({"other": [1], "remark": ["so"], "model": ["m"]}).with_columns(
        estimate=0.5, low=None, high=None, method=None, n=3, clusters=2, planned=4
    )
    (row,) = rows_of(frame, MadeUpRow)
    assert (row.model, row.estimate, row.n, row.remark) == ("m", 0.5, 3, "so")
    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        rows_of(frame.drop("n"), MadeUpRow)


def test_a_table_of_another_package_is_computed() -> None:
    calls = []

    def counted(given: AnalysisInput) -> int:
        calls.append(1)
        return given[ACCURACY].height

    heights = Derived(counted)

    first, second = (
        Table(name=name, row=HeightRow, compute=lambda given: pl.DataFrame({"rows": [given[heights]]}))
        for name in ("first", "second")
    )
    found = analyse(drawn(20), tables=(GAPS, first, second))
    assert list(found.frames) == ["gaps", "first", "second"]
    assert found.rows(first) == found.rows(second) != []
    assert len(calls) == 1
    with pytest.raises(KeyError):
        found.frame(ACCURACY)


def test_table_names_are_unique() -> None:
    assert len({table.name for table in all_tables()}) == len(all_tables())


def filled() -> tuple[Analysis, ...]:
    results = drawn(30, models=("alpha", "beta"))
    controls = results.with_columns(
        control=pl.Series(["blank", "repeat", "two-pass"]).sample(results.height, with_replacement=True, seed=1)
    )
    return analyse(results, controls=controls), analyse(
        drawn(30, graded=True).with_columns(score=pl.lit(None, pl.Float64))
    )


@pytest.mark.parametrize("table", all_tables(), ids=lambda table: table.name)
def test_only_optional_columns_have_nulls(table: Table) -> None:
    hints = get_type_hints(table.row)
    for analysis in filled():
        frame = analysis.frame(table)
        nulls = {name for name in frame.columns if frame[name].null_count()}
        assert nulls <= {name for name, hint in hints.items() if NoneType in get_args(hint)}


def test_gap_rows_are_contrast_columns() -> None:
    rows = analyse(drawn(20)).rows(GAPS)
    assert rows and all(isinstance(row, ContrastColumns) for row in rows)
    assert {row.condition for row in rows} == {"s2t", "i2t", "t2s", "s2s", "i2s"}
