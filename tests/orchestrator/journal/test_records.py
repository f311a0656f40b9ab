"""The rows in memory are those on disk, whatever is written, dropped or read in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from test_journal import ANSWER, FAILURE, SCORE, SERVICE, TRANSCRIPT

from omnigap_orchestrator.journal import Journal, JournalError, JournalWriter, Records


@pytest.fixture
async def records(tmp_path: Path) -> AsyncIterator[Records]:
    journal = Journal(tmp_path / "journal.sqlite")
    writer = JournalWriter(journal)
    yield Records(journal, writer)
    await writer.close()
    journal.close()


def on_disk(records: Records) -> Records:
    return Records(Journal(records.journal.path))


async def test_what_is_saved_or_posted_is_in_memory_and_after_a_flush_on_disk(records: Records) -> None:
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


async def test_a_table_that_is_first_read_after_a_write_holds_the_row_once(records: Records) -> None:
    await records.save(TRANSCRIPT)
    assert records.transcripts == {"k": TRANSCRIPT}


async def test_forgotten_failures_are_gone_from_memory_and_disk(records: Records) -> None:
    other = replace(FAILURE, condition="s2t")
    await records.save(FAILURE)
    await records.save(other)
    records.delete_failures("generate", "omni", ["t2t"])
    assert list(records.failures.values()) == [other] == list(on_disk(records).failures.values())


async def test_a_commit_of_another_process_while_rows_are_read_breaks_no_later_write(records: Records) -> None:
    """`report` may be called while a run goes on: it notes in the journal what it wrote its files from."""
    records.save_all([replace(ANSWER, key=f"{number}") for number in range(2_500)])
    other = Journal(records.journal.path)
    for number, row in enumerate(records.journal.all(type(ANSWER))):
        if number % 500 == 0:
            other.set_meta("outputs_of", row.key)
            await records.save(replace(SCORE, key=row.key))
    other.close()
    assert len(on_disk(records).scores) == 5


@pytest.mark.parametrize("text", ["half a pair \ud800", "fine"])
async def test_a_value_that_can_not_be_kept_ends_the_wait_with_an_error(tmp_path: Path, text: str) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    writer = JournalWriter(journal)
    async with asyncio.timeout(30):
        if text == "fine":
            await writer.write(replace(ANSWER, own_text=text))
            await writer.close()
        else:
            with pytest.raises(JournalError, match="cannot be kept"):
                await writer.write(replace(ANSWER, own_text=text))
            with pytest.raises(JournalError):
                await writer.close()
    assert len(journal.all(type(ANSWER))) == (text == "fine")
    journal.close()


async def test_a_row_that_could_not_be_written_is_not_in_memory(tmp_path: Path) -> None:
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
    """A thread that writes the files reads while the writer's thread commits."""

    async def write() -> None:
        for number in range(300):
            await records.save(replace(SCORE, key=f"{number}"))

    def read() -> int:
        return max(len({row.key for row in records.journal.all(type(SCORE))}) for _ in range(100))

    counts = await asyncio.gather(write(), *(asyncio.to_thread(read) for _ in range(3)))
    assert all(count is None or count <= 300 for count in counts)
    assert len({row.key for row in records.journal.all(type(SCORE))}) == 300
