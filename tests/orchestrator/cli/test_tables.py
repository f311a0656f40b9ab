"""`analyse` and `compare`: tables in, gaps out, in the terminal and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from omnigap_orchestrator.cli.main import main


def _table(wrong_in_speech: int) -> pl.DataFrame:
    """60 items in two conditions; text is always right, speech is wrong for the first few."""
    rows = [
        (f"i{number}", condition, float(condition == "text" or number >= wrong_in_speech))
        for number in range(60)
        for condition in ("text", "speech")
    ]
    return pl.DataFrame(rows, schema=["item_id", "condition", "score"], orient="row")


@pytest.fixture
def tables(tmp_path: Path) -> tuple[str, str]:
    first, second = tmp_path / "first.parquet", tmp_path / "second.parquet"
    _table(15).write_parquet(first)
    _table(30).write_parquet(second)
    return str(first), str(second)


def test_analyse_finds_the_gap_of_a_foreign_table(tables: tuple[str, str]) -> None:
    result = CliRunner().invoke(main, ["analyse", tables[0], "--reference", "text", "--json"])
    assert result.exit_code == 0, result.output
    rows = [row for row in json.loads(result.output)["gaps"] if row["condition"] == "speech" and row["task"] is None]
    assert {row["estimate"] for row in rows if row["pooling"] == "item_weighted"} == {-0.25}


def test_analyse_prints_it_too(tables: tuple[str, str]) -> None:
    result = CliRunner().invoke(main, ["analyse", tables[0], "--reference", "text"])
    assert "-25.0" in result.output
    assert "reference" in result.output


def test_analyse_names_a_malformed_flag(tables: tuple[str, str]) -> None:
    result = CliRunner().invoke(main, ["analyse", tables[0], "--column", "item_id"])
    assert result.exit_code == 2
    assert "OURS=THEIRS" in result.output


def test_compare_is_second_minus_first(tables: tuple[str, str]) -> None:
    result = CliRunner().invoke(main, ["compare", *tables, "--json"])
    assert result.exit_code == 0, result.output
    of = {
        row["condition"]: row["estimate"]
        for row in json.loads(result.output)
        if row["quantity"] == "score" and row["pooling"] == "item_weighted" and row["missing"] == "answered_pairs"
    }
    assert of == {"text": 0.0, "speech": -0.25}


def test_compare_says_what_is_no_run(tmp_path: Path, tables: tuple[str, str]) -> None:
    result = CliRunner().invoke(main, ["compare", str(tmp_path), tables[1]])
    assert result.exit_code == 1
    assert "holds no results" in result.output
