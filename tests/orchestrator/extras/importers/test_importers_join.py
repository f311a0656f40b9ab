"""Absent rows, repeated rows and selected rows of joined tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnigap_orchestrator.extras.importers.join import joined, with_absent_rows
from omnigap_orchestrator.extras.importers.results import read_published
from omnigap_orchestrator.extras.importers.select import RowSelection, parse_where
from omnigap_orchestrator.extras.importers.table import join_results
from omnigap_orchestrator.presets import PresetError, load_preset
from omnigap_orchestrator.results import TableError
from tests.orchestrator.extras.importers.xmodbench_folder import write_way


def _frame(conditions: Mapping[str, Sequence[int]], task: str = "sums") -> pl.DataFrame:
    rows = [
        ("m", task, f"{task}/{item}", f"{task}/{item}", condition, "answered", 1.0)
        for condition, items in conditions.items()
        for item in items
    ]
    names = ["model", "task", "item_id", "cluster", "condition", "outcome", "score"]
    return pl.DataFrame(rows, schema=names, orient="row")


def _planned(frame: pl.DataFrame) -> dict[str, int]:
    return dict(frame.group_by("condition").len().iter_rows())


def test_answer_that_one_condition_lacks_is_missing_but_not_a_failed_call() -> None:
    frame, (note,) = with_absent_rows(_frame({"t2t": range(100), "s2t": range(1, 100)}), failures_are_written=False)
    assert _planned(frame) == {"t2t": 100, "s2t": 100}
    (row,) = frame.filter(pl.col("score").is_null()).iter_rows(named=True)
    assert (row["item_id"], row["outcome"], row["error_reason"]) == ("sums/0", "pending", "NO_ROW")
    assert note.startswith("1 rows are missing") and "--common-items" in note


def test_two_of_two_thousand_answers_do_not_become_a_sample() -> None:
    """A tool that drops failed calls leaves a part of the items of the other condition."""
    frame, (note,) = with_absent_rows(_frame({"t2t": range(2000), "s2t": range(2)}), failures_are_written=False)
    assert _planned(frame)["s2t"] == 2000
    assert "s2t 2, t2t 2000 of 2000 items" in note


@pytest.mark.parametrize("start", [20, 50, 100])
def test_items_of_another_sample_are_not_missing(start: int) -> None:
    frame, (note,) = with_absent_rows(
        _frame({"t2t": range(100), "s2t": range(start, start + 100)}), failures_are_written=False
    )
    assert _planned(frame) == {"t2t": 100, "s2t": 100}
    assert frame["score"].null_count() == 0
    assert "different samples" in note and f"of {start + 100} items" in note


def test_one_task_of_another_sample_leaves_the_rule_of_the_others() -> None:
    sampled = _frame({"t2t": range(100), "s2t": range(50, 150)}, "sums")
    dropped = _frame({"t2t": range(100), "s2t": range(95)}, "capitals")
    frame, notes = with_absent_rows(pl.concat([sampled, dropped]), failures_are_written=False)
    assert dict(frame.group_by("task").agg(pl.col("score").null_count()).iter_rows()) == {"sums": 0, "capitals": 5}
    assert len(notes) == 2


def test_absent_row_was_never_asked_where_failures_are_written() -> None:
    cells = _frame({"t2t": range(100), "s2t": range(10)})
    frame, (note,) = with_absent_rows(cells, failures_are_written=True)
    assert frame.equals(cells)
    assert "s2t 10, t2t 100 of 100 items" in note


@given(
    st.dictionaries(
        st.sampled_from(["t2t", "s2t", "i2t"]), st.sets(st.integers(0, 40), min_size=1), min_size=2, max_size=3
    )
)
def test_added_rows_never_have_a_score_and_own_rows_stay(conditions: dict[str, set[int]]) -> None:
    cells = _frame({name: sorted(items) for name, items in conditions.items()})
    frame, notes = with_absent_rows(cells, failures_are_written=False)
    assert frame.filter(pl.col("score").is_not_null()).select(cells.columns).sort(pl.all()).equals(cells.sort(pl.all()))
    added = frame.height - cells.height
    every = len(set.union(*conditions.values()))
    assert added in (0, sum(every - len(items) for items in conditions.values()))
    assert bool(notes) == any(len(items) < every for items in conditions.values())


def test_samples_of_a_benchmark_that_writes_failures(tmp_path: Path) -> None:
    write_way(tmp_path / "m", "bells", "v2t", range(0, 200, 2), failed=[0])
    write_way(tmp_path / "m", "bells", "a2t", range(10))
    layout = load_preset("xmodbench").results
    assert layout is not None
    read = read_published([tmp_path / "m"], layout)
    outcomes = dict(read.frame.group_by("outcome").len().iter_rows())
    # Only the call that the file says failed.
    assert outcomes == {"answered": 109, "failed": 1}
    assert any("different samples" in note for note in read.notes)


def test_repeated_rows_name_the_column_that_differs(tmp_path: Path) -> None:
    rows = [(doc, kind, int(kind == "loose" or doc < 3), 0.1 * doc) for doc in range(6) for kind in ("loose", "strict")]
    table = pl.DataFrame(rows, schema=["item_id", "extraction", "score", "seconds"], orient="row")
    table.write_csv(tmp_path / "t.csv")
    frame, notes = join_results([tmp_path / "t.csv"], conditions=["t2t"])
    (note,) = notes
    assert note.startswith("12 rows have the same item, model and condition")
    assert "'extraction'" in note and "loose, strict" in note and "--where extraction=loose" in note
    assert frame.height == 12
    chosen, notes = join_results(
        [tmp_path / "t.csv"], conditions=["t2t"], selection=RowSelection({"extraction": ["strict"]})
    )
    assert (chosen.height, chosen["score"].mean(), notes) == (6, 0.5, ())


def test_repeated_rows_of_several_files_name_the_file(tmp_path: Path) -> None:
    for name in ("first.csv", "second.csv"):
        (tmp_path / name).write_text("item_id,condition,score\n1,t2t,1\n2,t2t,0\n")
    _, (note,) = join_results([tmp_path])
    assert "'file'" in note and "first.csv" in note and "--names" in note


def test_equal_repeated_rows_have_no_such_column(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("item_id,condition,score\n1,t2t,1\n1,t2t,1\n")
    _, (note,) = join_results([tmp_path / "t.csv"])
    assert "no column shows how they differ" in note


def test_items_in_one_condition_each_are_reported_as_unpaired() -> None:
    cells = pl.concat([_frame({"t2t": range(5)}, "sums_text"), _frame({"s2t": range(5)}, "sums_audio")])
    _, notes = joined(cells, RowSelection(), failures_are_written=False)
    assert any("no item is in two conditions" in note and "sums_text/0" in note for note in notes)


def test_where_names_unknown_columns_and_values(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("item_id,condition,score,kind,ok\n1,t2t,1,a,true\n2,t2t,0,b,false\n")

    def rows(**wanted: list[str]) -> int:
        return join_results([tmp_path / "t.csv"], selection=RowSelection(wanted))[0].height

    assert (rows(kind=["a"]), rows(kind=["a", "b"]), rows(kind=["a"], item_id=["1"])) == (1, 2, 1)
    assert rows(ok=["True"]) == rows(ok=["true"]) == 1
    with pytest.raises(TableError, match=r"--where sort: there is no such column; it has .*kind"):
        rows(sort=["a"])
    with pytest.raises(TableError, match=r"--where kind=c: no row .*it has a, b"):
        rows(kind=["c"])


def test_where_is_a_column_and_a_value() -> None:
    assert parse_where(["a=1", "b=x=y", "a=2"]) == {"a": ["1", "2"], "b": ["x=y"]}
    with pytest.raises(ValueError, match="COLUMN=VALUE"):
        parse_where(["a"])


def test_where_applies_to_the_rows_of_a_preset(tmp_path: Path) -> None:
    path = write_way(tmp_path / "m", "bells", "v2t", range(8))
    layout = load_preset("xmodbench").results
    assert layout is not None
    read = read_published([path], layout, selection=RowSelection({"correct_answer": ["A"]}))
    assert read.frame["item_id"].to_list() == ["bells/0", "bells/4"]
    other = write_way(tmp_path / "m", "bells", "v2t", range(8), name="{task}_{way}_again.json")
    twice = read_published([path, other], layout)
    assert "'file'" in twice.notes[0] and str(other) in twice.notes[0]
    one = read_published([path, other], layout, selection=RowSelection({"file": [str(other)]}))
    assert one.frame.height == 8 and one.notes == ()
    with pytest.raises(PresetError, match=r"--where answer: .*correct_answer"):
        read_published([path], layout, selection=RowSelection({"answer": ["A"]}))
    with pytest.raises(PresetError, match=r"--where correct_answer=E: no row"):
        read_published([path], layout, selection=RowSelection({"correct_answer": ["E"]}))


def test_tasks_are_chosen_by_name_or_pattern() -> None:
    cells = pl.concat([_frame({"t2t": range(3)}, task) for task in ("speech_a", "speech_b", "vision")])

    def tasks(*names: str) -> list[str]:
        frame, _ = joined(cells, RowSelection(tasks=names), failures_are_written=False)
        return sorted(frame["task"].unique())

    assert tasks("vision") == ["vision"]
    assert tasks("speech_*") == ["speech_a", "speech_b"]
    with pytest.raises(TableError, match=r"--task speach: .*speech_a, speech_b, vision"):
        tasks("speach")


def test_task_names_the_rows_of_files_without_tasks() -> None:
    frame, _ = joined(_frame({"t2t": range(3)}, "all"), RowSelection(tasks=("sums",)), failures_are_written=False)
    assert frame["task"].unique().to_list() == ["sums"]


def test_common_items_are_those_of_every_condition_of_a_model() -> None:
    cells = _frame({"t2t": range(100), "s2t": range(50, 120), "i2t": range(60, 90)})
    frame, notes = joined(cells, RowSelection(common=True), failures_are_written=False)
    assert _planned(frame) == {"t2t": 30, "s2t": 30, "i2t": 30}
    assert notes == ("--common-items: m: 30 of 120 items are in every condition",)
    with pytest.raises(TableError, match=r"--common-items: no item .*m s2t 5, m t2t 5"):
        joined(_frame({"t2t": range(5), "s2t": range(5, 10)}), RowSelection(common=True), failures_are_written=False)
