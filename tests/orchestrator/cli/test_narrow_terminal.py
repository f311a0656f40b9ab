"""Tables in a narrow terminal: no number is broken, nothing is left out, and a reason stands below its table."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner
from rich.console import Console

from omnigap_orchestrator.cli.main import main
from omnigap_orchestrator.cli.tables import parts, print_table, reasons

HEADINGS = ("condition", "answered", "accuracy (95 % interval)", "gap to t2t in points", "corrected for ASR errors")
ROWS = [
    ("t2t", "140 of 140", "100.0 % (97.4 to 100.0)", "reference", ""),
    ("t2s", "139 of 140", "70.5 % (62.4 to 77.6)", "-29.5 (-37.1 to -22.0)", "-21.3 (-29.9 to -12.6)"),
]


def shown(capsys: pytest.CaptureFixture[str], width: int) -> list[str]:
    print_table(Console(width=width), "omni", HEADINGS, ROWS)
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_every_cell_stands_whole_on_a_line_of_its_row(capsys: pytest.CaptureFixture[str], width: int) -> None:
    lines = shown(capsys, width)
    assert all(len(line) <= width for line in lines)
    for row in ROWS:
        of_row = [line for line in lines if line.strip().startswith(row[0])]
        for cell in row:
            assert any(cell in line for line in of_row), cell


def test_what_does_not_fit_beside_goes_below_without_empty_rows(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(shown(capsys, 100)) == 4
    lines = shown(capsys, 80)
    assert lines[4:] == ["", " condition  corrected for ASR errors", " t2s          -21.3 (-29.9 to -12.6)"]


def test_a_column_that_is_too_wide_by_itself_still_has_its_table() -> None:
    assert parts([10, 100, 5, 5], 1, 40) == [[0, 1], [0, 2, 3]]
    assert parts([10, 10, 10], 2, 5) == [[0, 1, 2]]
    assert parts([10], 1, 80) == [[0]]


def test_brackets_of_a_name_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(Console(width=80), "omni", ("task", "n"), [("[red]x", "1")])
    assert "[red]x" in capsys.readouterr().out


def test_reasons_are_told_once_with_all_that_they_are_for() -> None:
    told = [("s2t", "too few"), ("i2t", None), ("t2s", "too few"), ("s2s", "other"), ("s2s", "other")]
    assert reasons(told) == ["s2t, t2s: too few", "s2s: other"]


@pytest.fixture
def lacking(tmp_path: Path) -> str:
    """40 items, of which ten lack their speech answer."""
    rows = [(f"i{n}", c, 1.0) for n in range(40) for c in ("text", "speech") if c == "text" or n >= 10]
    path = tmp_path / "lacking.csv"
    pl.DataFrame(rows, schema=["item_id", "condition", "score"], orient="row").write_csv(path)
    return str(path)


def test_a_refused_gap_is_a_word_in_the_table_and_a_sentence_below(lacking: str) -> None:
    call = ["analyse", lacking, "--reference", "text"]
    out = CliRunner().invoke(main, call, env={"COLUMNS": "80"}).output
    (row,) = [line for line in out.splitlines() if line.startswith(" speech")]
    assert row.rstrip().endswith("refused")
    assert "speech: refused: 10 of 40 planned pairs lack a score" in out
    # Asked for, it is computed, and labelled.
    out = CliRunner().invoke(main, [*call, "--allow-missing"], env={"COLUMNS": "80"}).output
    assert "speech: on answered pairs: 10 of 40 planned pairs lack a score" in out
