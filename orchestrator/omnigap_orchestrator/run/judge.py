"""The judge stage: open answers go to the judge as they come, and their scores follow from its verdicts."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Outcome
from omnigap_orchestrator.config import Config, ConfigError, JudgeConfig
from omnigap_orchestrator.dispatch import Away, CallFailed, Service
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.journal import AnswerRow, FailureRow, Journal, TranscriptRow, VerdictRow
from omnigap_orchestrator.journal.writer import JournalWriter
from omnigap_orchestrator.judging import (
    UNREADABLE,
    Ask,
    Bench,
    Rubric,
    Verdict,
    combined,
    read_rubric,
    read_verdict,
    rubric_of,
)
from omnigap_orchestrator.plan import Cell
from omnigap_orchestrator.run.book import Book, Entry
from omnigap_orchestrator.run.failures import failure_row
from omnigap_orchestrator.run.generate import decoding_message
from omnigap_orchestrator.run.observer import Observer
from omnigap_orchestrator.run.score import texts_of
from omnigap_orchestrator.run.settings import Stage
from omnigap_orchestrator.validation import FOLDER, faults

OnVerdict = Callable[[Entry, AnswerRow, TranscriptRow | None, tuple[float, float | None]], None]

UNREADABLE_TRIES = 2
"""How often a judge is asked in one call before its words count as no verdict."""
_QUOTED = 160
RUBRICS_META = "rubrics"
"""The journal's note of the rubrics that its scores follow from."""


class Unreadable(Exception):  # noqa: N818 - a state of the world, not a fault of the program
    """The judge answered, and what it said is no verdict."""

    def __init__(self, said: str, rubric: Rubric, endpoint: str) -> None:
        shown = said if len(said) <= _QUOTED else f"{said[:_QUOTED]}…"
        super().__init__(f"the judge said {shown!r}, which is no verdict on the scale {rubric.scale} of {rubric.name}")
        self.endpoint = endpoint


@dataclass(frozen=True, slots=True)
class _Job:
    entry: Entry
    answer: AnswerRow
    transcript: TranscriptRow | None


class Judging:
    """A queue in front of the judge. Verdicts are kept by what was asked: equal texts are judged once."""

    def __init__(
        self,
        service: Service,
        bench: Bench,
        config: Config,
        known: Iterable[VerdictRow],
        writer: JournalWriter,
        observer: Observer,
        run_id: str,
        on_verdict: OnVerdict,
    ) -> None:
        assert config.judge is not None
        self._service, self._bench, self._writer, self._observer = service, bench, writer, observer
        self._decoding, self._timeout_s = config.judge.decoding, config.run.request_timeout_s
        self._call_id, self._on_verdict = f"{run_id}-{secrets.token_hex(4)}", on_verdict
        self._known = {row.key: row for row in known}
        self._under_way: dict[str, asyncio.Future[VerdictRow]] = {}
        self._queue: asyncio.Queue[_Job | None] = asyncio.Queue()
        self._away = False

    def put(self, entry: Entry, answer: AnswerRow, transcript: TranscriptRow | None) -> None:
        """Queues one answer."""
        self._queue.put_nowait(_Job(entry, answer, transcript))

    def close(self) -> None:
        """No more will come: `run` ends when the queue is empty."""
        self._queue.put_nowait(None)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(2 * self._service.pool.capacity):
                group.create_task(self._work())

    async def _work(self) -> None:
        while (job := await self._queue.get()) is not None:
            cell = job.entry.cell
            used, own = texts_of(job.entry, job.answer, job.transcript)
            try:
                verdicts = (await self._score(job.entry.item, used), await self._own_score(job.entry.item, own))
            except Away as away:
                if not self._away:
                    self._observer.note(f"the judge: {away}; open answers wait for it, the same command goes on")
                self._away = True
            except CallFailed as failed:
                await self._fail(cell, failure_row(Stage.JUDGE, cell, failed))
            except Unreadable as said:
                await self._fail(cell, _unreadable_row(cell, said))
            else:
                self._observer.finished(Stage.JUDGE, cell.model, cell.condition, Outcome.ANSWERED, cell.control)
                self._on_verdict(job.entry, job.answer, job.transcript, verdicts)
        # One `None` ends all workers: each hands it on to the next.
        self._queue.put_nowait(None)

    async def _own_score(self, item: Item, own: str | None) -> float | None:
        return None if own is None else await self._score(item, own)

    async def _score(self, item: Item, text: str) -> float:
        """What a text is worth; nothing at all is worth nothing, and no judge is asked."""
        if not text.strip():
            return 0.0
        rubric = self._bench.rubric_for(item)
        rows = [await self._vote(ask, rubric) for ask in self._bench.asks(item, text)]
        return combined(rubric, [(row.rating, row.score) for row in rows]).score

    async def _vote(self, ask: Ask, rubric: Rubric) -> VerdictRow:
        """The verdict of one vote: as it is kept, as it is being asked for, or asked for now."""
        if (known := self._known.get(ask.key)) is not None:
            return known
        if (coming := self._under_way.get(ask.key)) is not None:
            return await asyncio.shield(coming)
        if self._away:
            raise Away("the judge is away")
        self._under_way[ask.key] = coming = asyncio.get_running_loop().create_future()
        try:
            row = await self._asked(ask, rubric)
        except BaseException as error:
            # Whoever waits for the same verdict learns the same; where nobody does, the fault is told here alone.
            coming.set_exception(error if isinstance(error, Exception) else Away("the run was stopped"))
            coming.exception()
            raise
        else:
            coming.set_result(row)
            return row
        finally:
            del self._under_way[ask.key]

    async def _asked(self, ask: Ask, rubric: Rubric) -> VerdictRow:
        for number in range(UNREADABLE_TRIES):
            answer = await self._service.pool.call(self._request(ask, number), self._timeout_s)
            read = read_verdict(rubric, answer.own_text)
            if read is not None:
                rating, score = read
                row = VerdictRow(ask.key, answer.own_text, rating, score, answer.digest, answer.endpoint, time.time())
                await self._writer.write(row)
                self._known[ask.key] = row
                return row
        raise Unreadable(answer.own_text, rubric, answer.endpoint)

    def _request(self, ask: Ask, number: int) -> pb.GenerateRequest:
        return pb.GenerateRequest(
            # Each try, and each call, has an id of its own: words that were no verdict would be replayed else.
            request_id=f"{self._call_id}-{ask.key}-{number}",
            system_prompt=ask.system,
            parts=[pb.InputPart(text=ask.prompt)],
            output=pb.MODALITY_TEXT,
            decoding=decoding_message(self._decoding, ask.vote),
            language=ask.language,
            expected_digest=self._service.digest,
        )

    async def _fail(self, cell: Cell, row: FailureRow) -> None:
        await self._writer.write(row)
        self._observer.finished(Stage.JUDGE, cell.model, cell.condition, Outcome.FAILED, cell.control)


def _unreadable_row(cell: Cell, said: Unreadable) -> FailureRow:
    return FailureRow(
        stage=Stage.JUDGE.value,
        model=cell.model,
        item_id=cell.item_id,
        condition=cell.filed_under,
        replicate=cell.replicate,
        reason=UNREADABLE,
        message=str(said),
        endpoint=said.endpoint,
        attempts=UNREADABLE_TRIES,
        at=time.time(),
    )


def kept_verdict(book: Book, entry: Entry, text: str | None, rows: dict[str, VerdictRow]) -> Verdict | None:
    """What the journal holds of a text's verdict; None where it holds none, or not all votes."""
    if not entry.is_judged or book.bench is None or text is None or not text.strip():
        return None
    votes = [rows.get(ask.key) for ask in book.bench.asks(entry.item, text)]
    present = [(row.rating, row.score) for row in votes if row is not None]
    return combined(book.bench.rubric_for(entry.item), present) if len(present) == len(votes) else None


def read_rubrics(config: JudgeConfig | None) -> tuple[Rubric, Rubric] | None:
    """The rubrics as their files are now, for items without and with gold answers; None without a judge.

    Raises:
        RubricError: for a file that can't be read or is no rubric.
    """
    return None if config is None else (read_rubric(config.rubric), read_rubric(config.reference_rubric))


def with_rubrics(config: Config, rubrics: Mapping[str, str]) -> Config:
    """The configuration with other rubrics in `[judge]`.

    Raises:
        ConfigError: where nothing is judged, or for a rubric that there is not.
    """
    if config.judge is None:
        raise ConfigError("the command line", ["--rubric: this run has no judge: run it with a [judge] section"])
    try:
        judge = JudgeConfig.model_validate({**config.judge.model_dump(), **rubrics}, context={FOLDER: Path()})
    except ValidationError as error:
        raise ConfigError("the command line", faults(error)) from None
    return config.model_copy(update={"judge": judge})


def keep_rubrics(journal: Journal, rubrics: tuple[Rubric, Rubric] | None) -> None:
    """Writes the rubrics of this call into the journal: the report reads them there, whatever becomes of the files."""
    kept = json.dumps([[rubric.name, rubric.source, _kind(rubric)] for rubric in rubrics or ()])
    if journal.meta(RUBRICS_META) != kept:
        journal.set_meta(RUBRICS_META, kept)


def kept_rubrics(journal: Journal) -> tuple[Rubric, Rubric] | None:
    """The rubrics of the last call."""
    kept = [rubric_of(name, source, kind) for name, source, kind in json.loads(journal.meta(RUBRICS_META) or "[]")]
    return (kept[0], kept[1]) if len(kept) == 2 else None


def _kind(rubric: Rubric) -> str:
    return ".txt" if rubric.prompt == rubric.source.strip() else ".toml"
