"""Tables that were made elsewhere: any columns in, the analysis's columns out, and every fault named."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from omnigap_orchestrator.foreign import TableError, read_results


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
