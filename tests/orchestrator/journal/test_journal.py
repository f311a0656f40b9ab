"""The journal: durable writes after kill -9 and failures, and in-memory records that equal the disk."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from omnigap_orchestrator.journal import (
    AnswerRow,
    CarrierRow,
    FailureRow,
    Journal,
    JournalError,
    JournalWriter,
    Records,
    ScoreRow,
    ServiceRow,
    TranscriptRow,
)
from omnigap_orchestrator.journal.rows import Row
from omnigap_orchestrator.journal.tables import CHECKSUM, TABLES
from omnigap_orchestrator.legacy import SCORE_COLUMNS

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
def test_rows_round_trip(tmp_path: Path, row: Row) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    journal.write([row])
    journal.close()
    reopened = Journal(tmp_path / "journal.sqlite")
    assert list(reopened.all(type(row))) == [row]
    assert len(reopened.all(type(row))) == 1
    reopened.close()


@pytest.mark.parametrize("lacking", [list(SCORE_COLUMNS), ["wer_errors_whisper", "wer_words_whisper"]])
def test_journal_without_later_columns_of_scores_is_upgraded(tmp_path: Path, lacking: list[str]) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    for table in TABLES.values():
        journal._db.execute(f"ALTER TABLE {table.name} DROP COLUMN {CHECKSUM}")
    journal._db.execute("UPDATE meta SET value = '1' WHERE key = 'schema_version'")
    for name in lacking:
        journal._db.execute(f"ALTER TABLE scores DROP COLUMN {name}")
    journal._db.execute("INSERT INTO scores (key, score, metric, flags) VALUES ('old', 1, 'f1', '')")
    journal.close()
    reopened = Journal(tmp_path / "journal.sqlite")
    reopened.write([SCORE])
    old = ScoreRow("old", 1.0, None, "f1", "")
    assert sorted(reopened.all(ScoreRow), key=lambda row: row.key) == [SCORE, old]
    reopened.close()


def test_row_with_the_same_key_is_replaced(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    journal.write([ANSWER, replace(ANSWER, key="other")])
    journal.write([replace(ANSWER, own_text="Lima")])
    assert [row for row in journal.all(AnswerRow) if row.key == "k"] == [replace(ANSWER, own_text="Lima")]
    assert {row.key for row in journal.all(AnswerRow)} == {"k", "other"}
    journal.close()


def test_batch_is_atomic(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    bad = replace(ANSWER, key="bad", own_text=None)  # type: ignore[arg-type]
    with pytest.raises(JournalError, match=r"journal\.sqlite cannot be written"):
        journal.write([ANSWER, bad])
    assert len(journal.all(AnswerRow)) == 0
    journal.write([ANSWER])
    assert len(journal.all(AnswerRow)) == 1
    journal.close()


def test_delete_failures_by_stage_model_and_condition(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    kept = [replace(FAILURE, stage="transcribe"), replace(FAILURE, model="two"), replace(FAILURE, condition="s2s")]
    journal.write([FAILURE, replace(FAILURE, item_id="next"), *kept])
    journal.delete_failures("generate", "omni", ["t2t", "i2t"])
    assert sorted(journal.all(FailureRow), key=repr) == sorted(kept, key=repr)
    journal.close()


def test_run_id_is_unique_and_kept(tmp_path: Path) -> None:
    journals = [Journal(tmp_path / name) for name in ("a", "b")]
    first, second = (journal.run_id for journal in journals)
    assert first != second
    for journal in journals:
        journal.close()
    reopened = Journal(tmp_path / "a")
    assert reopened.run_id == first
    reopened.close()


def test_journal_of_another_version_raises(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    Journal(path).close()
    with closing(Journal(path)) as journal:
        journal.set_meta("schema_version", "99")
    with pytest.raises(JournalError, match=r"another omnigap \(journal version 99, this one reads 2\).*--run-dir"):
        Journal(path)


def test_missing_folder_raises(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="cannot be opened as a journal"):
        Journal(tmp_path / "none" / "journal.sqlite")


async def test_concurrent_writes_are_on_disk_when_they_return(tmp_path: Path) -> None:
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


async def test_posted_rows_are_written_at_close(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    writer = JournalWriter(Journal(path))
    for number in range(700):
        writer.post(replace(SCORE, key=f"{number}"))
    await writer.close()
    journal = Journal(path)
    assert len(journal.all(ScoreRow)) == 700
    journal.close()


async def test_writes_after_a_failed_write_fail(tmp_path: Path) -> None:
    """No row may be acknowledged after a lost one."""
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
from omnigap_orchestrator.journal import Journal, JournalWriter, ScoreRow

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
def test_kill_9_loses_no_acknowledged_row(tmp_path: Path, acknowledged: int) -> None:
    path = tmp_path / "journal.sqlite"
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(acknowledged)]
    process.kill()
    lines += process.communicate()[0].splitlines(keepends=True)
    numbers = {line.strip() for line in lines if line.endswith("\n")}
    assert len(numbers) >= acknowledged
    journal = Journal(path)
    assert numbers <= {row.key for row in journal.all(ScoreRow)}
    journal.close()


@pytest.fixture
async def records(tmp_path: Path) -> AsyncIterator[Records]:
    journal = Journal(tmp_path / "journal.sqlite")
    writer = JournalWriter(journal)
    yield Records(journal, writer)
    await writer.close()
    journal.close()


def on_disk(records: Records) -> Records:
    return Records(Journal(records.journal.path))


async def test_records_are_in_memory_and_after_flush_on_disk(records: Records) -> None:
    assert records.answers == {} and records.failures == {} and records.services == {}
    await records.save(ANSWER)
    await records.save(FAILURE)
    await records.save(SERVICE)
    records.post(SCORE)
    records.post(replace(SCORE, score=1.0))
    await records.flush()
    for found in (records, on_disk(records)):
        assert found.answers == {"k": ANSWER}
        assert found.scores == {"k": replace(SCORE, score=1.0)}
        assert list(found.failures.values()) == [FAILURE]
        assert found.services == {("model", "omni"): SERVICE}


async def test_table_first_read_after_a_write_has_the_row_once(records: Records) -> None:
    await records.save(TRANSCRIPT)
    assert records.transcripts == {"k": TRANSCRIPT}


async def test_deleted_failures_are_gone_from_memory_and_disk(records: Records) -> None:
    other = replace(FAILURE, condition="s2t")
    await records.save(FAILURE)
    await records.save(other)
    records.delete_failures("generate", "omni", ["t2t"])
    assert list(records.failures.values()) == [other] == list(on_disk(records).failures.values())


async def test_commit_of_another_process_while_reading(records: Records) -> None:
    """`report` may run during a run, and writes to the same journal."""
    records.save_all([replace(ANSWER, key=f"{number}") for number in range(2_500)])
    other = Journal(records.journal.path)
    for number, row in enumerate(records.journal.all(type(ANSWER))):
        if number % 500 == 0:
            other.set_meta("outputs_of", row.key)
            await records.save(replace(SCORE, key=row.key))
    other.close()
    assert len(on_disk(records).scores) == 5


@pytest.mark.parametrize("text", ["half a pair \ud800", "fine"])
async def test_value_that_sqlite_rejects_raises(tmp_path: Path, text: str) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    writer = JournalWriter(journal)
    async with asyncio.timeout(30):
        if text == "fine":
            await writer.write(replace(ANSWER, own_text=text))
            await writer.close()
        else:
            with pytest.raises(JournalError, match="UnicodeEncodeError"):
                await writer.write(replace(ANSWER, own_text=text))
            with pytest.raises(JournalError):
                await writer.close()
    assert len(journal.all(type(ANSWER))) == (text == "fine")
    journal.close()


async def test_failed_row_is_not_in_memory(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    writer = JournalWriter(journal)
    records = Records(journal, writer)
    assert records.answers == {}
    with pytest.raises(JournalError):
        await records.save(replace(ANSWER, own_text=None))  # type: ignore[arg-type]
    assert records.answers == {}
    with pytest.raises(JournalError):
        await writer.close()
    journal.close()


async def test_threads_share_one_connection(records: Records) -> None:
    """The export thread reads while the writer thread commits."""

    async def write() -> None:
        for number in range(300):
            await records.save(replace(SCORE, key=f"{number}"))

    def read() -> int:
        return max(len({row.key for row in records.journal.all(type(SCORE))}) for _ in range(100))

    counts = await asyncio.gather(write(), *(asyncio.to_thread(read) for _ in range(3)))
    assert all(count is None or count <= 300 for count in counts)
    assert len({row.key for row in records.journal.all(type(SCORE))}) == 300
