"""The run: connect, make carriers, fix the plan, then generate, transcribe and score side by side over one journal."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from omnigap.vocabulary import Condition, Control, Modality, Outcome, Support
from omnigap_orchestrator.carriers import MediaStore
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.config.services import ModelConfig
from omnigap_orchestrator.dispatch import Service, connect
from omnigap_orchestrator.fleet import Role, Roster
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.journal import AnswerRow, Journal, ServiceRow, TranscriptRow, VerdictRow
from omnigap_orchestrator.journal.writer import JournalWriter
from omnigap_orchestrator.plan import Plan, conditions_of, filed_under, make_plan
from omnigap_orchestrator.preflight import ServiceCard, check_services, enforce
from omnigap_orchestrator.run.book import Book, Entry, last_seen
from omnigap_orchestrator.run.carriers import CarrierFinder
from omnigap_orchestrator.run.control_entries import ControlEntries, support_of
from omnigap_orchestrator.run.failures import NO_MODEL
from omnigap_orchestrator.run.folder import RunFolder
from omnigap_orchestrator.run.generate import Generation
from omnigap_orchestrator.run.judge import Judging, keep_rubrics, read_rubrics
from omnigap_orchestrator.run.make_blanks import make_blanks
from omnigap_orchestrator.run.make_carriers import CarrierMaker
from omnigap_orchestrator.run.observer import Observer
from omnigap_orchestrator.run.panda import classifier_of, keep_classifier
from omnigap_orchestrator.run.record import remember_plan
from omnigap_orchestrator.run.score import key_of, score_cell
from omnigap_orchestrator.run.settings import Restriction, Stage, model_specs, retry_policy
from omnigap_orchestrator.run.store import Keeper
from omnigap_orchestrator.run.table import ResultsTable
from omnigap_orchestrator.run.transcribe import Transcription
from omnigap_orchestrator.scoring import JUDGE

_Part = tuple[Stage, str, Condition, Control | None]
"""What progress is counted by: stage, model, condition, and control."""


@dataclass(frozen=True, slots=True)
class OpenCells:
    """What is left to do of a stage-by-stage plan, by what each cell needs next."""

    ask: dict[str, list[Entry]]
    hear: list[tuple[Entry, AnswerRow]]
    mark: list[tuple[Entry, AnswerRow, TranscriptRow | None]]


class Run:
    """One call of `run`, `transcribe` or `score` on a run's folder."""

    def __init__(
        self, config: Config, items: Sequence[Item], folder: RunFolder, restriction: Restriction, observer: Observer
    ) -> None:
        self._config = config
        self._items = items
        self._folder = folder
        self._restriction = restriction
        self._observer = observer
        self._store = MediaStore(folder.media)
        self._policy = retry_policy(config)

    async def execute(self, roster: Roster) -> Book:
        """Works through every open cell that this call covers.

        Raises:
            JournalError, FolderError: where the disk is full or cannot be written; nothing acknowledged is lost.
            ServiceError: where replicas of one service differ.
            PreflightError: where a service can't do what the items ask of it.
            ItemError: where an item's own carrier is no usable medium.
        """
        # What the fleet brings is part of the configuration from here on, so that the folder tells the whole plan.
        specs = model_specs(self._config, roster)
        self._config = self._config.model_copy(update={"models": self._config.models or _named(roster)})
        plan = make_plan(self._items, specs, self._config.run.replicates, self._config.run.controls)
        self._restriction.check([spec.name for spec in specs])
        journal = Journal(self._folder.journal)
        writer = JournalWriter(self._folder.journal)
        services: dict[str, Service] = {}
        try:
            await self._connect(plan, roster, writer, services)
            book = await self._prepare(plan, journal, writer, services)
            await self._work(book, journal, writer, services)
            return book
        finally:
            await asyncio.gather(*(service.pool.close() for service in services.values()))
            await writer.close()
            journal.close()

    async def _connect(self, plan: Plan, roster: Roster, writer: JournalWriter, found: dict[str, Service]) -> None:
        """Finds the services that answer now, by role for scorer and TTS, by name for models; each is remembered."""
        wanted: list[tuple[Role, str, tuple[str, ...]]] = []
        if Stage.GENERATE in self._restriction.stages:
            wanted += [(Role.MODEL, spec.name, spec.endpoints) for spec in plan.models if self._covers(spec.name)]
        covered = self._covered_conditions(plan)
        if self._restriction.makes_carriers and any(c.input is Modality.SPEECH for c in covered):
            wanted.append((Role.TTS, Role.TTS, roster.tts))
        if Stage.TRANSCRIBE in self._restriction.stages and any(c.output is Modality.SPEECH for c in covered):
            wanted.append((Role.SCORER, Role.SCORER, roster.scorer))
        if self._judges:
            wanted.append((Role.JUDGE, Role.JUDGE, roster.judge))
        for role, name, addresses in wanted:
            service = await connect(name, addresses, self._policy, self._observer.note) if addresses else None
            if service is None:
                missing = "has its name" if role is Role.MODEL else f"has the role {role}"
                where = ", ".join(addresses) or f"it has no endpoints, and no service of the fleet {missing}"
                what = f"model {name}" if role is Role.MODEL else f"the {role}"
                self._observer.note(f"{what} is away ({where}): what needs it stays pending")
                continue
            found[_model_key(name) if role is Role.MODEL else role] = service
            cards = [ServiceCard(role, name, service.card)]
            enforce(check_services(self._config, self._items, cards), self._observer.note)
            await writer.write(
                ServiceRow(role, name, service.digest, service.card.SerializeToString(deterministic=True), time.time())
            )

    @property
    def _judges(self) -> bool:
        return self._config.judge is not None and Stage.JUDGE in self._restriction.stages

    def _covered_conditions(self, plan: Plan) -> set[Condition]:
        return {c for spec in plan.models for c in spec.conditions if self._restriction.covers(spec.name, c)}

    def _covers(self, model: str) -> bool:
        return not self._restriction.models or model in self._restriction.models

    async def _prepare(self, plan: Plan, journal: Journal, writer: JournalWriter, services: dict[str, Service]) -> Book:
        cards, rubrics = last_seen(journal), read_rubrics(self._config.judge)
        classifier = classifier_of(self._config, plan.items)
        finder = CarrierFinder(self._config, self._store, journal, cards.tts.digest if cards.tts is not None else "")
        timeout_s = self._config.run.request_timeout_s
        maker = CarrierMaker(finder, self._store, writer, self._observer, services.get(Role.TTS), timeout_s)
        inputs = {condition.input for condition in self._covered_conditions(plan)}
        missing = [job for job in finder.missing(plan) if job[1] in inputs]
        if self._restriction.makes_carriers:
            if Role.TTS in services:
                journal.forget_failures(Stage.CARRIERS, NO_MODEL, [Modality.SPEECH])
            await maker.make(missing)
        blanks = [carrier for carrier in finder.missing_blanks(plan) if carrier.modality in inputs]
        if self._restriction.makes_carriers:
            await make_blanks(blanks, finder.set, self._store, writer, self._observer)
        if maker.left_out:
            self._observer.note(f"{maker.left_out} questions could not be read aloud yet: their cells stay pending")
        # Read before anything is asked: a rubric that is none stops the run at once.
        book = Book(self._config, plan, finder.set, cards, rubrics, classifier)
        keep_rubrics(journal, rubrics)
        keep_classifier(journal, classifier)
        for note in remember_plan(self._folder, journal, book, self._store):
            self._observer.note(note)
        for spec in plan.models:
            conditions = [c for c in spec.conditions if self._restriction.covers(spec.name, c)]
            covered = [filed_under(c, control) for control in (None, *Control) for c in conditions]
            if _model_key(spec.name) in services:
                journal.forget_failures(Stage.GENERATE, spec.name, covered)
            if Role.SCORER in services:
                journal.forget_failures(Stage.TRANSCRIBE, spec.name, covered)
            if Role.JUDGE in services:
                journal.forget_failures(Stage.JUDGE, spec.name, covered)
        return book

    async def _work(self, book: Book, journal: Journal, writer: JournalWriter, services: dict[str, Service]) -> None:
        keeper = Keeper(self._store, writer)
        todo = self._open_cells(book, journal, services)

        def mark(
            entry: Entry,
            answer: AnswerRow,
            transcript: TranscriptRow | None,
            verdicts: tuple[float, float | None] | None = None,
        ) -> None:
            if entry.is_judged and verdicts is None:
                if judging is not None:
                    judging.put(entry, answer, transcript)
            elif Stage.SCORE in self._restriction.stages:
                writer.post(score_cell(key_of(entry, answer, transcript), entry, answer, transcript, verdicts))
                cell = entry.cell
                self._observer.finished(Stage.SCORE, cell.model, cell.condition, Outcome.ANSWERED, cell.control)

        judge, judging = services.get(Role.JUDGE), None
        if judge is not None and book.bench is not None:
            known = journal.all(VerdictRow)
            judging = Judging(judge, book.bench, self._config, known, writer, self._observer, journal.run_id, mark)

        scorer = services.get(Role.SCORER)
        hearing = None
        if scorer is not None:
            hearing = Transcription(scorer, book, self._store, keeper, writer, self._observer, journal.run_id, mark)
            for entry, answer in todo.hear:
                hearing.put(entry, answer)

        def answered(entry: Entry, answer: AnswerRow) -> None:
            if entry.cell.condition.output is Modality.TEXT or answer.media_sha is None:
                mark(entry, answer, None)
            elif hearing is not None:
                hearing.put(entry, answer)

        for number, (entry, answer, transcript) in enumerate(todo.mark):
            mark(entry, answer, transcript)
            if number % 200 == 0:
                await asyncio.sleep(0)  # Signals and progress get their turn between pure computations.

        timeout_s, second_pass = self._config.run.request_timeout_s, ControlEntries(book).second_pass
        async with asyncio.TaskGroup() as group:
            judges = group.create_task(judging.run()) if judging is not None else None
            hears = group.create_task(hearing.run()) if hearing is not None else None
            asks = [
                group.create_task(
                    Generation(
                        services[name],
                        self._store,
                        keeper,
                        writer,
                        self._observer,
                        journal.run_id,
                        timeout_s,
                        answered,
                        second_pass,
                    ).run(iter(entries))
                )
                for name, entries in todo.ask.items()
            ]
            await asyncio.gather(*asks)
            if hearing is not None and hears is not None:
                hearing.close()
                await hears
            if judging is not None and judges is not None:
                judging.close()

    def _open_cells(self, book: Book, journal: Journal, services: dict[str, Service]) -> OpenCells:
        """Sorts every covered cell without a score by what it needs next, and tells the observer the totals."""
        todo = OpenCells({}, [], [])
        stages = self._restriction.stages
        left: Counter[_Part] = Counter()
        for entry, answer, transcript in ResultsTable(self._folder.name, book, journal).unfinished():
            cell = entry.cell
            if not self._restriction.covers(cell.model, cell.condition):
                continue
            name = _model_key(cell.model)
            spoken = cell.condition.output is Modality.SPEECH
            if answer is None or self._lost(answer, transcript):
                if name in services and entry.key is not None and entry.support is not None:
                    todo.ask.setdefault(name, []).append(entry)
                    left[Stage.GENERATE, cell.model, cell.condition, cell.control] += 1
            elif spoken and transcript is None and answer.media_sha is not None:
                if Stage.TRANSCRIBE in stages:
                    todo.hear.append((entry, answer))
                    left[Stage.TRANSCRIBE, cell.model, cell.condition, cell.control] += 1
            elif Stage.SCORE in stages or (entry.is_judged and Stage.JUDGE in stages):
                todo.mark.append((entry, answer, transcript))
            if entry.is_judged:
                left[Stage.JUDGE, cell.model, cell.condition, cell.control] += 1
        self._announce(book, left)
        waiting = sum(count for (stage, *_), count in left.items() if stage is Stage.JUDGE)
        if waiting and Role.JUDGE not in services:
            self._observer.note(_no_judge(waiting, self._config, self._restriction))
        return todo

    def _lost(self, answer: AnswerRow, transcript: TranscriptRow | None) -> bool:
        """Whether somebody removed the recording of an answer that nobody has heard yet: it is then asked again."""
        return transcript is None and answer.media_sha is not None and not self._store.exists(answer.media_sha)

    def _announce(self, book: Book, left: Counter[_Part]) -> None:
        """Totals per model, condition and control: how many cells there are, and how many were finished before."""
        tell = self._observer.planned
        for spec in book.plan.models:
            card = book.subjects[spec.name].card
            if card is None:
                continue
            for control in (None, *book.plan.controls):
                for condition in conditions_of(control, spec.conditions):
                    supported = support_of(card, condition, control)[0] is not Support.UNSUPPORTED
                    if not supported or not self._restriction.covers(spec.name, condition):
                        continue
                    total = book.plan.count(condition, control)
                    unasked = left[Stage.GENERATE, spec.name, condition, control]
                    tell(Stage.GENERATE, spec.name, condition, total, total - unasked, control)
                    if condition.output is Modality.SPEECH:
                        unheard = unasked + left[Stage.TRANSCRIBE, spec.name, condition, control]
                        tell(Stage.TRANSCRIBE, spec.name, condition, total, total - unheard, control)
                    if self._judges:
                        judged = _judged(book, total)
                        unjudged = left[Stage.JUDGE, spec.name, condition, control]
                        if judged:
                            tell(Stage.JUDGE, spec.name, condition, judged, judged - unjudged, control)


def _judged(book: Book, total: int) -> int:
    """How many of a condition's cells have a judge for their metric."""
    judged = sum(metric == JUDGE for metric in book.metrics.values())
    return total * judged // len(book.metrics)


def _no_judge(waiting: int, config: Config, restriction: Restriction) -> str:
    """Why judged cells stay pending, and what mends it."""
    if config.judge is None:
        mend = "no judge is configured: write a [judge] section with its endpoints"
    elif Stage.JUDGE not in restriction.stages:
        mend = "this call judges nothing: add judge to --stages"
    else:
        mend = "the judge is away"
    return f"{waiting} cells have a judge for their metric and wait for it; {mend}"


def _model_key(name: str) -> str:
    """A model's key among the services, where no name of a role can meet it."""
    return f"{Role.MODEL}:{name}"


def _named(roster: Roster) -> tuple[ModelConfig, ...]:
    return tuple(ModelConfig(name=name) for name in roster.models)
