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


def test_analyse_takes_the_folder_of_a_run_as_the_other_commands_do(tables: tuple[str, str], tmp_path: Path) -> None:
    run, other = tmp_path / "run", tmp_path / "other"
    run.mkdir()
    other.mkdir()
    pl.read_parquet(tables[0]).write_parquet(run / "results.parquet")
    result = CliRunner().invoke(main, ["analyse", str(run), "--reference", "text"])
    assert result.exit_code == 0, result.output
    assert "-25.0" in result.output
    result = CliRunner().invoke(main, ["analyse", str(other)])
    assert result.exit_code == 1
    assert "other holds no results: give a run's folder" in result.stderr


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


def _six_forms(items: int = 60) -> pl.DataFrame:
    """Places are best typed, science is best shown; every answer takes a second typed and three seconds spoken."""
    rows = [
        (f"{task}{number}", task, condition, float(right or number % 3 == 0), 3.0 if condition.endswith("s") else 1.0)
        for task, best in (("places", "t2t"), ("science", "i2t"))
        for number in range(items)
        for condition in ("t2t", "s2t", "i2t", "t2s", "s2s", "i2s")
        for right in [condition[0] == best[0]]
    ]
    return pl.DataFrame(rows, schema=["item_id", "task", "condition", "score", "latency_s"], orient="row")


@pytest.fixture
def six_forms(tmp_path: Path) -> str:
    path = tmp_path / "six.parquet"
    _six_forms().write_parquet(path)
    return str(path)


def _routes(*arguments: str) -> tuple[dict[str, str], dict[str, str]]:
    """The condition chosen for each task, and the reason of each excluded one."""
    result = CliRunner().invoke(main, ["route", *arguments, "--json"])
    assert result.exit_code == 0, result.output
    rows = json.loads(result.output)["routes"]
    chosen = {row["task"]: row["condition"] for row in rows if row["task"] is not None}
    return chosen, {row["condition"]: row["reason"] for row in rows if row["task"] is None}


def test_route_chooses_the_best_form_of_each_task(six_forms: str) -> None:
    assert _routes(six_forms)[0] == {"places": "t2t", "science": "i2t"}


def test_route_keeps_to_what_a_product_demands(six_forms: str) -> None:
    chosen, ruled_out = _routes(six_forms, "--outputs", "speech", "--inputs", "text,speech")
    assert chosen["places"] == "t2s"
    assert "text or speech" in ruled_out["i2s"] or "speech or text" in ruled_out["i2s"]
    chosen, ruled_out = _routes(six_forms, "--max-p95-latency", "2")
    assert set(chosen.values()) == {"t2t", "i2t"}
    assert "3.00 s is over 2 s" in ruled_out["t2s"]


def test_route_prints_policies_and_what_is_left_out(six_forms: str) -> None:
    out = CliRunner().invoke(main, ["route", six_forms, "--outputs", "text"], env={"COLUMNS": "160"}).output
    assert "best condition per task" in out
    assert "t2s is excluded: output must be text" in out


def test_route_says_how_many_items_lack_a_score_and_counts_them_as_wrong_beside(tmp_path: Path) -> None:
    path = tmp_path / "gone.parquet"
    gone = pl.col("condition").is_in(["i2t", "i2s"]) & pl.col("item_id").is_in([f"science{n}" for n in range(4)])
    _six_forms().with_columns(score=pl.when(~gone).then("score")).write_parquet(path)
    out = CliRunner().invoke(main, ["route", str(path)], env={"COLUMNS": "200"}).output
    assert "refused: 4 of 120 planned items lack a score in a condition (most in i2t)" in out
    # 60 places typed, 56 of science shown.
    assert "96.7 % (" in out
    out = CliRunner().invoke(main, ["route", str(path), "--allow-missing"], env={"COLUMNS": "200"}).output
    assert "on answered items: 4 of 120" in out
    assert "100.0 % (" in out


def test_route_names_a_demand_that_makes_no_sense(six_forms: str) -> None:
    result = CliRunner().invoke(main, ["route", six_forms, "--outputs", "image"])
    assert result.exit_code == 1
    assert "'image' is not an output modality" in result.output
    result = CliRunner().invoke(main, ["route", six_forms, "--models", "nobody"])
    assert "'nobody'" in result.output
    assert "--models" in result.output


def test_analyse_says_that_no_condition_is_the_reference(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("item_id,condition,score\n1,typed,1\n1,spoken,0\n2,typed,1\n2,spoken,1\n", encoding="utf-8")
    result = CliRunner().invoke(main, ["analyse", str(table)])
    assert result.exit_code == 0, result.output
    assert "no condition is 't2t', so no gap is shown: --reference takes one of typed, spoken" in result.stderr


def test_compare_refuses_runs_without_a_common_condition(tables: tuple[str, str], tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("item_id,model,condition,score\n1,m,elsewhere,1\n2,m,elsewhere,0\n", encoding="utf-8")
    result = CliRunner().invoke(main, ["compare", tables[0], str(other)])
    assert result.exit_code == 1
    assert "no condition is in both" in result.output
    assert "against elsewhere" in result.output


@pytest.mark.parametrize("name", ["qwen [int4]", "llama[/x]"])
@pytest.mark.parametrize("command", ["analyse", "route", "compare"])
def test_a_model_with_brackets_in_its_name_is_shown_as_it_is_called(command: str, name: str, tmp_path: Path) -> None:
    table = str(tmp_path / "table.parquet")
    _table(15).with_columns(model=pl.lit(name)).write_parquet(table)
    result = CliRunner().invoke(main, [command, table, *([table] if command == "compare" else [])])
    assert result.exit_code == 0, result.output
    assert name in result.output


def test_route_names_a_model_with_brackets_where_no_form_is_left(tmp_path: Path) -> None:
    table = str(tmp_path / "table.parquet")
    _table(15).with_columns(model=pl.lit("qwen [int4]")).write_parquet(table)
    result = CliRunner().invoke(main, ["route", table, "--max-p95-latency", "1"])
    assert "qwen [int4]: no condition meets" in result.output
