"""Run folders of 0.1.0 are reported, scored, analysed and compared without a call and with unchanged numbers."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.golden.commands import PRINTED, analysed, compared, orchestrate
from tests.golden.folders import CELLS, EXPECTED, GOLDENS, TABLES, forget_outputs, original, rows_of, summary_of, unpack
from tests.golden.numbers import differences, row_differences

pytestmark = pytest.mark.usefixtures("no_call")


def expect_the_numbers(golden: str, folder: Path, fresh: Path) -> None:
    """Compares the output in `folder` with a fresh copy of the run."""
    found = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert differences(summary_of(golden, fresh), found) == []
    for table in TABLES[golden]:
        assert row_differences(rows_of(original(golden, table, fresh)), rows_of(folder / table)) == []
    assert "</html>" in (folder / "report.html").read_text(encoding="utf-8")
    assert (folder / "manifest.toml").is_file()


def forget_scores(folder: Path) -> None:
    """Removes all valid scores, as if other rules had scored the answers."""
    with closing(sqlite3.connect(folder / "journal.sqlite")) as journal, journal:
        journal.execute("DELETE FROM scores")
        journal.execute("UPDATE meta SET value = 'other rules' WHERE key = 'scored_by'")


@pytest.mark.parametrize("golden", GOLDENS)
def test_report_rewrites_the_numbers_of_0_1_0(golden: str, tmp_path: Path) -> None:
    folder, fresh = unpack(golden, tmp_path), unpack(golden, tmp_path / "fresh")
    forget_outputs(folder)
    orchestrate("report", "--run-dir", folder)
    expect_the_numbers(golden, folder, fresh)


@pytest.mark.parametrize(("golden", "command"), [("plain", "score"), ("controls", "score"), ("plain", "report")])
def test_rescored_answers_have_the_same_scores(golden: str, command: str, tmp_path: Path) -> None:
    folder, fresh = unpack(golden, tmp_path), unpack(golden, tmp_path / "fresh")
    forget_outputs(folder)
    forget_scores(folder)
    orchestrate(command, "--run-dir", folder)
    expect_the_numbers(golden, folder, fresh)


@pytest.mark.parametrize("golden", GOLDENS)
def test_answers_of_0_1_0_are_scored_by_the_new_rules_once(golden: str, tmp_path: Path) -> None:
    """Rules 2 score every stored answer again, without a request; a second call finds nothing to do."""
    folder = unpack(golden, tmp_path)

    def keys() -> set[str]:
        with closing(sqlite3.connect(folder / "journal.sqlite")) as journal:
            return {key for (key,) in journal.execute("SELECT key FROM scores")}

    before = keys()
    assert json.loads(orchestrate("score", "--run-dir", folder, "--json"))["complete"]
    scored = keys()
    assert scored - before
    assert json.loads(orchestrate("score", "--run-dir", folder, "--json"))["complete"]
    assert keys() == scored


def test_the_calibration_of_0_1_0_is_accepted(tmp_path: Path) -> None:
    folder = unpack("controls", tmp_path)
    orchestrate("report", "--run-dir", folder)
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert summary["asr_correction_note"] == ""
    assert {row["condition"] for row in summary["calibrated"]} == {"t2s", "s2s", "i2s"}


@pytest.mark.parametrize("golden", GOLDENS)
def test_analyse_gives_the_tables_of_0_1_0(golden: str, tmp_path: Path) -> None:
    folder = unpack(golden, tmp_path)
    # `analyse` has its own bootstrap seed and only the table, so these tables differ from those of summary.json.
    kept = json.loads((EXPECTED / golden / "analyse.json").read_text(encoding="utf-8"))
    summary = summary_of(golden, folder)
    # Notes on the calibration belong to a run; a table outside of a run has none.
    kept["as_in_summary"] = [name for name in kept["as_in_summary"] if name != "instrument_note"]
    kept["others"].pop("instrument_note", None)
    expected = {name: summary[name] for name in kept["as_in_summary"]} | kept["others"]
    assert differences(expected, analysed(folder)) == []


@pytest.mark.parametrize("golden", GOLDENS)
@pytest.mark.parametrize("command", PRINTED)
def test_commands_on_a_stored_run_print_what_they_printed(golden: str, command: str, tmp_path: Path) -> None:
    expected = json.loads((EXPECTED / golden / f"{command}.json").read_text(encoding="utf-8"))
    assert differences(expected, PRINTED[command](unpack(golden, tmp_path))) == []


@pytest.mark.parametrize("golden", GOLDENS)
def test_plan_finds_every_answer_of_0_1_0(golden: str, tmp_path: Path) -> None:
    rows = PRINTED["plan"](unpack(golden, tmp_path))["rows"]
    assert sum(row["done"] for row in rows if not row["control"]) == CELLS[golden]
    assert all(row["done"] == row["cells"] for row in rows)


def test_two_stored_runs_are_compared_as_they_were(tmp_path: Path) -> None:
    expected = json.loads((EXPECTED / "compare.json").read_text(encoding="utf-8"))
    assert differences(expected, compared(unpack("plain", tmp_path), unpack("controls", tmp_path))) == []
