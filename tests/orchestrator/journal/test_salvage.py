"""Rows of a damaged journal: found by their checksums, also where SQLite no longer finds them."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnigap.vocabulary import Outcome
from omnigap_orchestrator.journal import AnswerRow, CarrierRow, Journal, JournalError, ScoreRow, ServiceRow, VerdictRow
from omnigap_orchestrator.journal.salvage import examine, rebuild
from omnigap_orchestrator.journal.tables import TABLES
from tests.helpers.damage import SQL, cut, header, scramble, sql, zero
from tests.orchestrator.journal.test_journal import ANSWER, CARRIER, FAILURE, SCORE, SERVICE

ANSWERS = [
    # Every fiftieth text is longer than a page.
    replace(ANSWER, key=f"{number:04d}" * 16, own_text="Paris " * (number % 40) * (60 if number % 50 == 0 else 1))
    for number in range(400)
]


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pristine") / "journal.sqlite"
    with closing(Journal(path)) as journal:
        journal.write([*ANSWERS, *(replace(SCORE, key=row.key) for row in ANSWERS), CARRIER, FAILURE, SERVICE])
        journal.set_meta("plan", "a plan")
    return path


@pytest.fixture
def path(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(pristine, tmp_path))


def rebuilt(path: Path) -> dict[str, AnswerRow]:
    to = path.with_name("new.sqlite")
    rebuild(path, to)
    with closing(Journal(to)) as journal:
        return {row.key: row for row in journal.all(AnswerRow)}


def test_an_undamaged_journal_has_no_fault(path: Path) -> None:
    found = examine(path)
    assert (found.faults, found.damaged) == ([], [])
    assert found.counts["answers"] == len(ANSWERS)


@pytest.mark.parametrize("statement", [SQL[name] for name in SQL if "answer" in name and "answers" not in name])
def test_an_edited_row_is_absent_and_named(statement: str, path: Path) -> None:
    sql(statement)(path.parent, random.Random(0))
    with closing(Journal(path)) as journal:
        good = {row.key: row for row in journal.all(AnswerRow)}
        (damaged,) = journal.damaged["answers"]
    assert all(good[key] == row for key, row in ((row.key, row) for row in ANSWERS) if key in good)
    assert len(good) in (len(ANSWERS) - 1, len(ANSWERS) - 2)
    assert examine(path).damaged == [damaged]


@pytest.mark.parametrize("spoil", [cut, zero, scramble])
@pytest.mark.parametrize("seed", range(5))
def test_no_row_is_read_that_was_not_written(spoil: object, seed: int, path: Path) -> None:
    spoil(path, random.Random(seed))  # type: ignore[operator]
    written = {row.key: row for row in ANSWERS}
    found = rebuilt(path)
    assert all(written[key] == row for key, row in found.items())
    try:
        with closing(Journal(path, must_exist=True)) as journal:
            assert all(written[row.key] == row for row in journal.all(AnswerRow))
    except JournalError as error:
        assert "doctor" in str(error)
        assert "free space" not in str(error)


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_header_costs_no_row(seed: int, path: Path) -> None:
    header(path.parent, random.Random(seed))
    assert rebuilt(path) == {row.key: row for row in ANSWERS}


def test_rows_of_a_log_that_was_not_merged_are_found(path: Path, tmp_path: Path) -> None:
    journal = Journal(path)
    journal.write([replace(ANSWER, key="in the log")])
    killed = tmp_path / "killed"
    killed.mkdir()
    for file in tmp_path.glob("journal.sqlite*"):
        shutil.copy(file, killed)
    journal.close()
    copy = killed / "journal.sqlite"
    assert examine(copy).counts["answers"] == len(ANSWERS) + 1
    with copy.open("r+b") as file:
        file.write(bytes(100))
    assert "in the log" in rebuilt(copy)


@pytest.mark.parametrize("name", ["table of answers dropped", "a column of answers dropped", "table of meta dropped"])
def test_a_missing_table_or_column_is_named_before_anything_is_written(name: str, path: Path) -> None:
    sql(SQL[name])(path.parent, random.Random(0))
    before = path.read_bytes()
    with pytest.raises(JournalError, match=r"(no table|no column) .*doctor"):
        Journal(path)
    assert path.read_bytes() == before


def test_an_empty_journal_of_a_planned_run_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.touch()
    with pytest.raises(JournalError, match="it is empty"):
        Journal(path, must_exist=True)


def test_rows_of_version_1_are_sealed_once(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with closing(Journal(path)) as journal:
        journal.write([ANSWER, SERVICE])
    with closing(sqlite3.connect(path)) as db, db:
        for table in TABLES.values():
            db.execute(f"ALTER TABLE {table.name} DROP COLUMN checksum")
        db.execute("UPDATE meta SET value = '1' WHERE key = 'schema_version'")
    assert examine(path).unsealed
    with closing(Journal(path)) as journal:
        assert journal.all(AnswerRow) == [ANSWER]
        assert journal.all(ServiceRow) == [SERVICE]
    sql(SQL["an answer's text edited"])(tmp_path, random.Random(0))
    with closing(Journal(path)) as journal:
        assert journal.all(AnswerRow) == []


_NUMBERS = st.floats(allow_nan=False) | st.integers(-(2**40), 2**40)
_TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(list(Outcome))


@given(text=_TEXTS, number=_NUMBERS, rating=st.none() | _NUMBERS)
def test_every_value_that_can_be_stored_is_read_back_unchanged(
    text: str, number: float, rating: float | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Also negative zero, integers as floats, and every character."""
    rows = [VerdictRow(text, text, rating, number, text, text, number), ScoreRow(text, number, rating, text, text)]
    with closing(Journal(tmp_path_factory.mktemp("values") / "journal.sqlite")) as journal:
        journal.write(rows)
        assert journal.all(VerdictRow) == rows[:1]
        assert journal.all(ScoreRow) == rows[1:]


@given(st.data())
def test_any_changed_value_changes_the_checksum(data: st.DataObject) -> None:
    table = TABLES[AnswerRow]
    stored = table.stored(ANSWER)
    place = data.draw(st.integers(0, len(fields(AnswerRow)) - 1))
    other = data.draw(st.text() | st.floats(allow_nan=False) | st.integers() | st.none() | st.binary())
    changed = (*stored[:place], other, *stored[place + 1 :])
    # 1 and 1.0 are one value to SQLite's columns.
    assert table.matches(changed) == (other == stored[place])


def test_values_of_a_subclass_are_stored_as_plain_ones(tmp_path: Path) -> None:
    import numpy as np

    row = replace(ANSWER, latency_s=np.float64(0.5), input_tokens=np.int64(3), finish_reason="stop")
    with closing(Journal(tmp_path / "journal.sqlite")) as journal:
        journal.write([row, CarrierRow("k", "sha", "wav", "audio/wav", 1)])
        assert journal.all(AnswerRow) == [row]
        assert journal.all(CarrierRow) == [CarrierRow("k", "sha", "wav", "audio/wav", 1.0)]
