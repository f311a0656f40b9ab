"""Folders of result files: which files are read, and what their names say."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnigap_orchestrator.extras.importers.files import result_files
from omnigap_orchestrator.extras.importers.results import Published, read_published
from omnigap_orchestrator.extras.importers.table import join_results
from omnigap_orchestrator.presets import PresetError, load_preset
from omnigap_orchestrator.results import TableError
from tests.orchestrator.extras.importers.xmodbench_folder import write_model, write_way


def _table(path: Path, items: int = 4, head: str = "item_id,score", more: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(head + "\n" + "".join(f"q{n},1{more}\n" for n in range(items)), encoding="utf-8")
    return path


def _xmodbench(*paths: Path) -> Published:
    layout = load_preset("xmodbench").results
    assert layout is not None
    return read_published(paths, layout)


def test_all_files_below_a_folder_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b/two.csv", "a/one.csv", ".hidden/three.csv", "a/readme.md"):
        _table(tmp_path / name)
    files, notes = result_files([tmp_path], (".csv",))
    assert [file.path.name for file in files] == ["one.csv", "two.csv"]
    assert notes == [f"{tmp_path}: 1 files of other types are not read: a/readme.md"]


def test_run_folders_below_a_folder_stand_for_their_results(tmp_path: Path) -> None:
    for name in ("a/results.parquet", "a/controls.parquet", "a/media/x.csv", "b/results.parquet", "c/own.csv"):
        _table(tmp_path / name)
    files, _ = result_files([tmp_path], (".parquet", ".csv"))
    assert [str(f.path.relative_to(tmp_path)) for f in files] == ["a/results.parquet", "b/results.parquet", "c/own.csv"]


def test_folder_without_result_files_is_refused_with_what_it_has(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"results\.parquet.*\.csv"):
        result_files([tmp_path], (".csv",))
    (tmp_path / "log.eval").write_bytes(b"")
    with pytest.raises(TableError, match=r"log\.eval; convert the log with `inspect log convert"):
        result_files([tmp_path], (".csv",))


def test_condition_and_task_are_read_from_the_names_of_the_files(tmp_path: Path) -> None:
    for name in ("sums_t2t.csv", "sums_s2t.csv", "capitals-t2t.csv", "capitals-s2t.csv"):
        _table(tmp_path / name)
    frame, _ = join_results([tmp_path])
    assert sorted(frame["condition"].unique()) == ["s2t", "t2t"]
    assert sorted(frame["task"].unique()) == ["capitals", "sums"]
    # Both tasks number their items from 0.
    assert frame.filter(task="sums", condition="t2t")["item_id"].to_list()[:2] == ["sums/q0", "sums/q1"]


def test_subfolders_can_name_the_condition(tmp_path: Path) -> None:
    for name in ("t2t/sums.csv", "s2t/sums.csv"):
        _table(tmp_path / name)
    frame, _ = join_results([tmp_path])
    assert frame.select("condition", "task").unique().sort("condition").rows() == [("s2t", "sums"), ("t2t", "sums")]


@pytest.mark.parametrize(
    "pattern", ["{model}/{task}-{condition}", r"(?P<model>[^/]+)/(?P<task>\w+)-(?P<condition>\w+)$"]
)
def test_pattern_says_what_the_names_mean(pattern: str, tmp_path: Path) -> None:
    for name in ("small/sums-typed.csv", "small/sums-spoken.csv", "large/sums-typed.csv"):
        _table(tmp_path / name)
    frame, _ = join_results([tmp_path], names=pattern)
    assert set(frame.select("model", "task", "condition").unique().rows()) == {
        ("small", "sums", "typed"),
        ("small", "sums", "spoken"),
        ("large", "sums", "typed"),
    }


def test_star_in_a_pattern_stands_for_any_text(tmp_path: Path) -> None:
    _table(tmp_path / "sums_t2t_2026-01-02.csv")
    frame, _ = join_results([tmp_path], names="{task}_{condition}_*")
    assert frame.select("task", "condition").unique().rows() == [("sums", "t2t")]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [("{mode}", r"unknown field \{mode\}"), ("plain", "none of"), ("(?P<task>", "not a valid pattern")],
)
def test_faulty_pattern_is_reported(pattern: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(TableError, match=rf"--names .*{message}"):
        join_results([_table(tmp_path / "a.csv")], names=pattern)


def test_name_that_does_not_fit_the_pattern_is_reported(tmp_path: Path) -> None:
    _table(tmp_path / "sums.csv")
    with pytest.raises(TableError, match=r"sums\.csv: --names \{task\}_\{condition\} does not match"):
        join_results([tmp_path], names="{task}_{condition}")


def test_file_without_a_condition_names_the_flags(tmp_path: Path) -> None:
    _table(tmp_path / "sums.csv")
    with pytest.raises(TableError, match=r"no column 'condition'.*--condition.*--names"):
        join_results([tmp_path])


def test_condition_and_model_are_given_for_each_argument(tmp_path: Path) -> None:
    for name in ("typed/a.csv", "typed/b.csv", "spoken/a.csv", "spoken/b.csv"):
        _table(tmp_path / name)
    frame, _ = join_results([tmp_path / "typed", tmp_path / "spoken"], conditions=["t2t", "s2t"], models=["m"])
    assert frame.group_by("condition").len().sort("condition").rows() == [("s2t", 8), ("t2t", 8)]
    with pytest.raises(TableError, match="3 values for 2 tables"):
        join_results([tmp_path / "typed", tmp_path / "spoken"], conditions=["a", "b", "c"])


def test_benchmark_folder_needs_no_more_than_its_preset(tmp_path: Path) -> None:
    read = _xmodbench(write_model(tmp_path / "results" / "tiny-omni"))
    assert read.frame["model"].unique().to_list() == ["tiny-omni"]
    assert sorted(read.frame["condition"].unique()) == ["a2t", "a2v", "t2a", "t2v", "v2a", "v2t"]
    assert sorted(read.frame["task"].unique()) == ["perception_bells", "temporal_order"]
    assert read.notes == ()


def test_folder_of_several_models_and_of_tasks_in_subfolders(tmp_path: Path) -> None:
    write_model(tmp_path / "one")
    for condition in ("a2t", "v2t"):
        write_way(tmp_path / "two", "bells", condition, range(8), name="perception/{task}_{way}.json")
    read = _xmodbench(tmp_path)
    assert sorted(read.frame["model"].unique()) == ["one", "two"]
    assert read.frame.filter(model="two")["task"].unique().to_list() == ["perception/bells"]


def test_three_modalities_are_another_condition_than_two(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", tasks=["bells"])
    text = (folder / "bells_audio_text.json").read_text()
    (folder / "bells_audio_vision_text.json").write_text(text)
    frame = _xmodbench(folder).frame
    assert frame.group_by("condition").len().filter(condition="av2t")["len"].to_list() == [24]
    assert frame.filter(condition="a2v").height == 24


def test_files_with_other_names_are_reported_and_not_read(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m")
    (folder / "summary.json").write_text('{"score": 1}')
    (note,) = _xmodbench(folder).notes
    assert "1 files have other names" in note and "summary.json" in note
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "summary.json").write_text("{}")
    with pytest.raises(PresetError, match="no file has the name of a result file"):
        _xmodbench(tmp_path / "empty")
