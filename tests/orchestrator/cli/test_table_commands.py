"""`analyse`, `compare` and `route` on tables of scores, in the terminal and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from omnigap_orchestrator.cli.main import main


def _table(wrong_in_speech: int) -> pl.DataFrame:
    """60 items in two conditions; text is always right, speech is wrong for the first `wrong_in_speech`."""
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


def test_analyse_computes_the_gap_of_a_table(tables: tuple[str, str]) -> None:
    result = CliRunner().invoke(main, ["analyse", tables[0], "--reference", "text", "--json"])
    assert result.exit_code == 0, result.output
    rows = [row for row in json.loads(result.output)["gaps"] if row["condition"] == "speech" and row["task"] is None]
    assert {row["estimate"] for row in rows if row["pooling"] == "item_weighted"} == {-0.25}


def test_analyse_prints_the_gap(tables: tuple[str, str]) -> None:
    result = CliRunner().invoke(main, ["analyse", tables[0], "--reference", "text"])
    assert "-25.0" in result.output
    assert "reference" in result.output


def test_analyse_takes_the_folder_of_a_run(tables: tuple[str, str], tmp_path: Path) -> None:
    run, other = tmp_path / "run", tmp_path / "other"
    run.mkdir()
    other.mkdir()
    pl.read_parquet(tables[0]).write_parquet(run / "results.parquet")
    result = CliRunner().invoke(main, ["analyse", str(run), "--reference", "text"])
    assert result.exit_code == 0, result.output
    assert "-25.0" in result.output
    result = CliRunner().invoke(main, ["analyse", str(other)])
    assert result.exit_code == 1
    assert str(other) in result.stderr and "results.parquet" in result.stderr


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


def test_compare_refuses_a_folder_without_results(tmp_path: Path, tables: tuple[str, str]) -> None:
    result = CliRunner().invoke(main, ["compare", str(tmp_path), tables[1]])
    assert result.exit_code == 1
    assert str(tmp_path) in result.output and "results.parquet" in result.output


def _six_conditions(items: int = 60) -> pl.DataFrame:
    """Text input is best for places, image input for science; text answers take 1 s and speech answers 3 s."""
    rows = [
        (f"{task}{number}", task, condition, float(right or number % 3 == 0), 3.0 if condition.endswith("s") else 1.0)
        for task, best in (("places", "t2t"), ("science", "i2t"))
        for number in range(items)
        for condition in ("t2t", "s2t", "i2t", "t2s", "s2s", "i2s")
        for right in [condition[0] == best[0]]
    ]
    return pl.DataFrame(rows, schema=["item_id", "task", "condition", "score", "latency_s"], orient="row")


@pytest.fixture
def six_conditions(tmp_path: Path) -> str:
    path = tmp_path / "six.parquet"
    _six_conditions().write_parquet(path)
    return str(path)


def _routes(*arguments: str) -> tuple[dict[str, str], dict[str, str]]:
    """The condition chosen for each task, and the reason for each excluded condition."""
    result = CliRunner().invoke(main, ["route", *arguments, "--json"])
    assert result.exit_code == 0, result.output
    rows = json.loads(result.output)["routes"]
    chosen = {row["task"]: row["condition"] for row in rows if row["task"] is not None}
    return chosen, {row["condition"]: row["reason"] for row in rows if row["task"] is None}


def test_route_chooses_the_best_condition_of_each_task(six_conditions: str) -> None:
    assert _routes(six_conditions)[0] == {"places": "t2t", "science": "i2t"}


def test_route_respects_constraints(six_conditions: str) -> None:
    chosen, excluded = _routes(six_conditions, "--outputs", "speech", "--inputs", "text,speech")
    assert chosen["places"] == "t2s"
    assert "i2s" in excluded
    chosen, excluded = _routes(six_conditions, "--max-p95-latency", "2")
    assert set(chosen.values()) == {"t2t", "i2t"}
    assert "3.00 s" in excluded["t2s"]


def test_route_prints_excluded_conditions(six_conditions: str) -> None:
    out = CliRunner().invoke(main, ["route", six_conditions, "--outputs", "text"], env={"COLUMNS": "160"}).output
    assert "t2s" in out and "output must be text" in out


def test_route_reports_missing_items_and_counts_them_as_wrong(tmp_path: Path) -> None:
    path = tmp_path / "gone.parquet"
    gone = pl.col("condition").is_in(["i2t", "i2s"]) & pl.col("item_id").is_in([f"science{n}" for n in range(4)])
    _six_conditions().with_columns(score=pl.when(~gone).then("score")).write_parquet(path)
    out = CliRunner().invoke(main, ["route", str(path)], env={"COLUMNS": "200"}).output
    assert "refused" in out and "4 of 120" in out and "i2t" in out
    # 60 places as text, 56 science items as image.
    assert "96.7 % (" in out
    out = CliRunner().invoke(main, ["route", str(path), "--allow-missing"], env={"COLUMNS": "200"}).output
    assert "4 of 120" in out
    assert "100.0 % (" in out


def test_route_names_an_invalid_constraint(six_conditions: str) -> None:
    result = CliRunner().invoke(main, ["route", six_conditions, "--outputs", "image"])
    assert result.exit_code == 1
    assert "'image'" in result.output
    result = CliRunner().invoke(main, ["route", six_conditions, "--models", "unknown"])
    assert "'unknown'" in result.output
    assert "--models" in result.output


def test_analyse_names_a_missing_reference_condition(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("item_id,condition,score\n1,typed,1\n1,spoken,0\n2,typed,1\n2,spoken,1\n", encoding="utf-8")
    result = CliRunner().invoke(main, ["analyse", str(table)])
    assert result.exit_code == 0, result.output
    for part in ("'t2t'", "--reference", "typed", "spoken"):
        assert part in result.stderr


def test_compare_refuses_runs_without_a_common_condition(tables: tuple[str, str], tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("item_id,model,condition,score\n1,m,elsewhere,1\n2,m,elsewhere,0\n", encoding="utf-8")
    result = CliRunner().invoke(main, ["compare", tables[0], str(other)])
    assert result.exit_code == 1
    assert "elsewhere" in result.output


@pytest.mark.parametrize("name", ["qwen [int4]", "llama[/x]"])
@pytest.mark.parametrize("command", ["analyse", "route", "compare"])
def test_a_model_name_with_brackets_is_printed_unchanged(command: str, name: str, tmp_path: Path) -> None:
    table = str(tmp_path / "table.parquet")
    _table(15).with_columns(model=pl.lit(name)).write_parquet(table)
    result = CliRunner().invoke(main, [command, table, *([table] if command == "compare" else [])])
    assert result.exit_code == 0, result.output
    assert name in result.output


def test_route_prints_a_model_name_with_brackets(tmp_path: Path) -> None:
    table = str(tmp_path / "table.parquet")
    _table(15).with_columns(model=pl.lit("qwen [int4]")).write_parquet(table)
    result = CliRunner().invoke(main, ["route", table, "--max-p95-latency", "1"])
    assert "qwen [int4]: no condition meets" in result.output
