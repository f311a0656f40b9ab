"""The journal loses nothing that it acknowledged: not to kill -9, not to a full disk, not to a second reader."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from omnigap_orchestrator.journal import (
    AnswerRow,
    CarrierRow,
    FailureRow,
    Journal,
    JournalError,
    ScoreRow,
    ServiceRow,
    TranscriptRow,
)
from omnigap_orchestrator.journal.journal import JournalWriter
from omnigap_orchestrator.journal.rows import Row

CARRIER = CarrierRow("k", "sha", "wav", "audio/wav", 1.5)
ANSWER = AnswerRow(
    key="k",
    own_text="Pâris\n漢",
    reasoning="",
    media_sha=None,
    audio_seconds=None,
    audio_rms=None,
    audio_peak=None,
    finish_reason="stop",
    input_tokens=3,
    output_tokens=1,
    audio_tokens=0,
    latency_s=0.25,
    queue_s=0.0,
    compute_s=0.2,
    ttft_s=0.1,
    audio_ttfp_s=0.0,
    model_digest="digest",
    endpoint="127.0.0.1:1",
    diagnostics="{}",
    finished_at=1.0,
)
TRANSCRIPT = TranscriptRow("k", "", "en", -0.5, None, 1.2, "{}", "asr", 2.0)
SCORE = ScoreRow("k", 0.5, None, "f1", "silent truncated", None, 4, "paris")
FAILURE = FailureRow("generate", "omni", "item", "t2t", 0, "BUSY", "full", "127.0.0.1:1", 3, 4.0)
SERVICE = ServiceRow("model", "omni", "digest", b"\0\xff", 5.0)


@pytest.mark.parametrize("row", [CARRIER, ANSWER, TRANSCRIPT, SCORE, FAILURE, SERVICE], ids=lambda r: type(r).__name__)
def test_a_row_comes_back_as_it_was_written(tmp_path: Path, row: Row) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    journal.write([row])
    journal.close()
    again = Journal(tmp_path / "journal.sqlite")
    assert list(again.all(type(row))) == [row]
    assert len(again.all(type(row))) == 1
    again.close()


def test_a_journal_from_before_answers_were_kept_normalised_takes_them(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    journal._db.execute("ALTER TABLE scores DROP COLUMN normalised_answer")
    journal._db.execute("INSERT INTO scores (key, score, metric, flags) VALUES ('old', 1, 'f1', '')")
    journal.close()
    again = Journal(tmp_path / "journal.sqlite")
    again.write([SCORE])
    old = ScoreRow("old", 1.0, None, "f1", "")
    assert sorted(again.all(ScoreRow), key=lambda row: row.key) == [SCORE, old]
    again.close()


def test_a_row_of_the_same_key_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    journal.write([ANSWER, replace(ANSWER, key="other")])
    journal.write([replace(ANSWER, own_text="Lima")])
    assert [row for row in journal.all(AnswerRow) if row.key == "k"] == [replace(ANSWER, own_text="Lima")]
    assert {row.key for row in journal.all(AnswerRow)} == {"k", "other"}
    journal.close()


def test_a_batch_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    bad = replace(ANSWER, key="bad", own_text=None)  # type: ignore[arg-type]
    with pytest.raises(JournalError, match=r"journal\.sqlite cannot be written"):
        journal.write([ANSWER, bad])
    assert len(journal.all(AnswerRow)) == 0
    journal.write([ANSWER])
    assert len(journal.all(AnswerRow)) == 1
    journal.close()


def test_failures_are_forgotten_by_stage_model_and_condition(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    kept = [replace(FAILURE, stage="transcribe"), replace(FAILURE, model="two"), replace(FAILURE, condition="s2s")]
    journal.write([FAILURE, replace(FAILURE, item_id="next"), *kept])
    journal.delete_failures("generate", "omni", ["t2t", "i2t"])
    assert sorted(journal.all(FailureRow), key=repr) == sorted(kept, key=repr)
    journal.close()


def test_every_journal_has_a_run_id_of_its_own_and_keeps_it(tmp_path: Path) -> None:
    journals = [Journal(tmp_path / name) for name in ("a", "b")]
    first, second = (journal.run_id for journal in journals)
    assert first != second
    for journal in journals:
        journal.close()
    again = Journal(tmp_path / "a")
    assert again.run_id == first
    again.close()


def test_a_journal_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    Journal(path).close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    with pytest.raises(JournalError, match=r"another omnigap \(journal version 99, this one reads 1\).*--run-dir"):
        Journal(path)


def test_a_journal_in_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="cannot be opened as a journal"):
        Journal(tmp_path / "none" / "journal.sqlite")


async def test_rows_of_many_tasks_are_on_disk_when_their_writes_return(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    writer = JournalWriter(Journal(path))
    reader = Journal(path)

    async def write(number: int) -> bool:
        await writer.write(replace(ANSWER, key=f"{number}"), replace(SCORE, key=f"{number}"))
        return all(any(row.key == f"{number}" for row in reader.all(kind)) for kind in (AnswerRow, ScoreRow))

    assert all(await asyncio.gather(*(write(number) for number in range(1_000))))
    await writer.close()
    assert len(reader.all(AnswerRow)) == 1_000
    reader.close()


async def test_what_was_handed_over_without_waiting_is_written_at_the_close(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    writer = JournalWriter(Journal(path))
    for number in range(700):
        writer.post(replace(SCORE, key=f"{number}"))
    await writer.close()
    journal = Journal(path)
    assert len(journal.all(ScoreRow)) == 700
    journal.close()


async def test_after_a_failed_write_every_later_one_fails_and_the_close_says_so(tmp_path: Path) -> None:
    """Nothing is acknowledged behind a hole."""
    writer = JournalWriter(Journal(tmp_path / "journal.sqlite"))
    await writer.write(ANSWER)
    with pytest.raises(JournalError):
        await writer.write(replace(ANSWER, key="bad", own_text=None))  # type: ignore[arg-type]
    with pytest.raises(JournalError):
        await writer.write(replace(ANSWER, key="good"))
    with pytest.raises(JournalError):
        await writer.close()
    journal = Journal(tmp_path / "journal.sqlite")
    assert {row.key for row in journal.all(AnswerRow)} == {"k"}
    journal.close()


WRITER = """
import asyncio, sys
from pathlib import Path
from omnigap_orchestrator.journal import Journal, ScoreRow
from omnigap_orchestrator.journal.journal import JournalWriter

async def main():
    writer = JournalWriter(Journal(Path(sys.argv[1])))
    number = 0
    async def write(number):
        await writer.write(ScoreRow(str(number), 1.0, None, "exact", ""))
        print(number, flush=True)
    while True:
        await asyncio.gather(*(write(number + step) for step in range(20)))
        number += 20

asyncio.run(main())
"""


@pytest.mark.parametrize("acknowledged", [1, 50, 333])
def test_kill_9_loses_no_row_that_was_acknowledged(tmp_path: Path, acknowledged: int) -> None:
    path = tmp_path / "journal.sqlite"
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(acknowledged)]
    process.kill()
    said += process.communicate()[0].splitlines(keepends=True)
    numbers = {line.strip() for line in said if line.endswith("\n")}
    assert len(numbers) >= acknowledged
    journal = Journal(path)
    assert numbers <= {row.key for row in journal.all(ScoreRow)}
    journal.close()
