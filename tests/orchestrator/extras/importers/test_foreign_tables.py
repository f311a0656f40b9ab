"""Tables that were made elsewhere: any columns in, the analysis's columns out, and every fault named."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from omnigap_orchestrator.extras.importers.table import read_results
from omnigap_orchestrator.results import TableError


@pytest.fixture
def theirs() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "qid": [1, 1, 2, 2],
            "modality": ["text", "audio", "text", "audio"],
            "correct": [True, False, True, None],
            "system": ["m", "m", "m", "m"],
        }
    )


COLUMNS = {"item_id": "qid", "condition": "modality", "score": "correct", "model": "system"}


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_every_kind_of_file_reads_alike(theirs: pl.DataFrame, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"table.{suffix}"
    {"parquet": theirs.write_parquet, "csv": theirs.write_csv, "jsonl": theirs.write_ndjson}[suffix](path)
    frame = read_results(path, COLUMNS)
    assert frame["item_id"].to_list() == ["1", "1", "2", "2"]
    assert frame["score"].to_list() == [1.0, 0.0, 1.0, None]
    assert frame["outcome"].to_list() == ["answered", "answered", "answered", "failed"]
    assert frame["task"].unique().to_list() == ["all"]
    assert frame["cluster"].to_list() == frame["item_id"].to_list()


def test_a_missing_column_is_named_with_the_flag_that_maps_it(theirs: pl.DataFrame, tmp_path: Path) -> None:
    theirs.write_csv(tmp_path / "table.csv")
    with pytest.raises(TableError, match=r"no column 'item_id'.*--column item_id=THEIRS"):
        read_results(tmp_path / "table.csv")


def test_a_mapping_to_nothing_is_named(theirs: pl.DataFrame, tmp_path: Path) -> None:
    theirs.write_csv(tmp_path / "table.csv")
    with pytest.raises(TableError, match="no column 'nope' for item_id"):
        read_results(tmp_path / "table.csv", {"item_id": "nope"})


def test_percentages_are_refused(theirs: pl.DataFrame, tmp_path: Path) -> None:
    theirs.with_columns(correct=pl.lit(71.5)).write_csv(tmp_path / "table.csv")
    with pytest.raises(TableError, match=r"score 71.5 lies outside \[0, 1\]"):
        read_results(tmp_path / "table.csv", COLUMNS)


def test_an_unknown_kind_of_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "table.xlsx").write_bytes(b"")
    with pytest.raises(TableError, match=r"ends in \.parquet"):
        read_results(tmp_path / "table.xlsx")


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl"])
def test_scores_may_start_with_a_thousand_whole_numbers(suffix: str, tmp_path: Path) -> None:
    scores = [*[1] * 1500, 0.5]
    path = tmp_path / f"table.{suffix}"
    rows = [(f"q{number}", "t2t", score) for number, score in enumerate(scores)]
    if suffix == "jsonl":
        names = ("item_id", "condition", "score")
        path.write_text("".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows))
    else:
        by = "," if suffix == "csv" else "\t"
        path.write_text("\n".join(by.join(map(str, row)) for row in [("item_id", "condition", "score"), *rows]))
    assert read_results(path)["score"].to_list() == scores


def test_a_cluster_that_is_told_late_in_a_file_of_objects_is_kept(tmp_path: Path) -> None:
    rows = [{"item_id": f"q{number}", "condition": "t2t", "score": 1} for number in range(1500)]
    rows += [{**row, "item_id": f"late {row['item_id']}", "cluster": "passage"} for row in rows[:2]]
    path = tmp_path / "table.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read_results(path)["cluster"].to_list()[-3:] == ["q1499", "passage", "passage"]


def test_items_that_are_numbered_as_sections_are_stay_apart(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("qid,condition,score,cluster\n1.1,t2t,1,01\n1.10,t2t,0,1\n")
    frame = read_results(path, {"item_id": "qid"})
    assert frame["item_id"].to_list() == ["1.1", "1.10"]
    assert frame["cluster"].to_list() == ["01", "1"]


def test_a_row_without_an_item_is_refused(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("item_id,condition,score\na,t2t,1\n,t2t,0\n")
    with pytest.raises(TableError, match="item_id is empty in 1 of 2 rows"):
        read_results(tmp_path / "table.csv")
