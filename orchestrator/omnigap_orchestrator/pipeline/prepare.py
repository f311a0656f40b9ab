"""What comes before the first question: connecting services, making carriers, fixing the plan, saying what changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

from omnigap.vocabulary import Condition, Control, Modality, Support
from omnigap_orchestrator.carriers import MediaStore
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.fleet import Endpoints, Role
from omnigap_orchestrator.items import Item
from omnigap_orchestrator.journal import AnswerRow, Journal, Records
from omnigap_orchestrator.judge import Rubric
from omnigap_orchestrator.pipeline.cells import Cards, PlannedCell, PlannedCells
from omnigap_orchestrator.pipeline.context import RunContext
from omnigap_orchestrator.pipeline.folder import (
    RunFolder,
    load_plan,
    load_rubrics,
    read_rubrics,
    save_plan,
    save_rubrics,
)
from omnigap_orchestrator.pipeline.judge import kept_verdict
from omnigap_orchestrator.pipeline.make_carriers import CarrierFinder, CarrierMaker, find_carriers
from omnigap_orchestrator.pipeline.pipeline import RunServices
from omnigap_orchestrator.pipeline.requests import NO_MODEL
from omnigap_orchestrator.pipeline.scope import RunScope, Stage, model_specs
from omnigap_orchestrator.pipeline.score import texts_of
from omnigap_orchestrator.plan import Cell, Plan, filed_under, make_plan
from omnigap_orchestrator.pool import Service


async def connect_services(
    context: RunContext, config: Config, plan: Plan, scope: RunScope, endpoints: Endpoints
) -> RunServices:
    """The services that this call needs and that answer now; for each that does not, a note says so.

    Raises:
        ServiceError: where replicas of one service differ.
    """
    covered = covered_conditions(plan, scope)

    async def found(role: Role, name: str, addresses: tuple[str, ...]) -> Service | None:
        service = await context.connect(name, addresses, config)
        if service is None:
            missing = "has its name" if role is Role.MODEL else f"has the role {role}"
            where = ", ".join(addresses) or f"it has no endpoints, and no service of the fleet {missing}"
            what = f"model {name}" if role is Role.MODEL else f"the {role}"
            context.observer.note(f"{what} is away ({where}): what needs it stays pending")
        return service

    async def of_role(role: Role, addresses: tuple[str, ...], needed: bool) -> Service | None:
        return await found(role, role, addresses) if needed else None

    models = {}
    if Stage.GENERATE in scope.stages:
        for spec in plan.models:
            if not scope.models or spec.name in scope.models:
                service = await found(Role.MODEL, spec.name, spec.endpoints)
                if service is not None:
                    models[spec.name] = service
    speaks = scope.makes_carriers and any(c.input is Modality.SPEECH for c in covered)
    hears = Stage.TRANSCRIBE in scope.stages and any(c.output is Modality.SPEECH for c in covered)
    judges = config.judge is not None and Stage.JUDGE in scope.stages
    return RunServices(
        models,
        tts=await of_role(Role.TTS, endpoints.tts, speaks),
        scorer=await of_role(Role.SCORER, endpoints.scorer, hears),
        judge=await of_role(Role.JUDGE, endpoints.judge, judges),
    )


async def prepare(
    context: RunContext, config: Config, plan: Plan, scope: RunScope, services: RunServices
) -> PlannedCells:
    """Makes the carriers that this call covers, and fixes the plan.

    Raises:
        ItemError, CarrierError: where a carrier can't be made.
        RubricError: for a rubric that can't be used.
    """
    # Read before anything is asked: a file that is no rubric stops the run at once.
    rubrics = read_rubrics(config.judge)
    remember_digests(context.journal, Cards.last_seen(context.records))
    for role, name, service in connected(services):
        await context.save_service(role, name, service)
    cards = Cards.last_seen(context.records)
    remember_digests(context.journal, cards)
    finder = CarrierFinder(config, context.store, context.records, cards.tts_digest)
    await _make_carriers(context, config, plan, scope, services, finder)
    cells = PlannedCells(config, plan, finder.set, cards, rubrics)
    if why := changed_services(cells, scope, services, context.store, context.records, rubrics):
        context.observer.note(why)
    save_rubrics(context.journal, rubrics)
    for note in save_plan(context.folder, context.journal, cells, context.store):
        context.observer.note(note)
    _forget_failures(context, plan, scope, services)
    return cells


def covered_conditions(plan: Plan, scope: RunScope) -> set[Condition]:
    """The conditions that this call asks some model in."""
    return {c for spec in plan.models for c in spec.conditions if scope.covers(spec.name, c)}


def connected(services: RunServices) -> Iterator[tuple[Role, str, Service]]:
    """The services that answer, with their role and name."""
    for name, model in services.models.items():
        yield Role.MODEL, name, model
    for role, service in (
        (Role.TTS, services.tts),
        (Role.SCORER, services.scorer),
        (Role.JUDGE, services.judge),
    ):
        if service is not None:
            yield role, role, service


async def _make_carriers(
    context: RunContext, config: Config, plan: Plan, scope: RunScope, services: RunServices, finder: CarrierFinder
) -> None:
    """Those of the covered conditions, where this call makes carriers; the finder's set then holds all that exist."""
    maker = CarrierMaker(context, finder, services.tts, config.run.request_timeout_s)
    inputs = {condition.input for condition in covered_conditions(plan, scope)}
    missing = [job for job in finder.missing(plan) if job[1] in inputs]
    if scope.makes_carriers:
        if services.tts is not None:
            context.records.delete_failures(Stage.CARRIERS, NO_MODEL, [Modality.SPEECH])
        await maker.make(missing)
    blanks = [carrier for carrier in finder.missing_blanks(plan) if carrier.modality in inputs]
    if scope.makes_carriers:
        await maker.make_blanks(blanks)
    if maker.left_out:
        context.observer.note(f"{maker.left_out} questions could not be read aloud yet: their cells stay pending")


def _forget_failures(context: RunContext, plan: Plan, scope: RunScope, services: RunServices) -> None:
    """Drops the failures that this call tries again: those of stages whose service answers now."""
    for spec in plan.models:
        conditions = [c for c in spec.conditions if scope.covers(spec.name, c)]
        covered = [filed_under(c, control) for control in (None, *Control) for c in conditions]
        stages = (
            (Stage.GENERATE, services.models.get(spec.name)),
            (Stage.TRANSCRIBE, services.scorer),
            (Stage.JUDGE, services.judge),
        )
        for stage, service in stages:
            if service is not None:
                context.records.delete_failures(stage, spec.name, covered)


SEEN_META = "seen_digests"
"""The journal's note of the digests that the services of this run have had, the latest last."""
_SEEN = 8
"""Notes that are kept, so that a service of another digest at each start does not slow every call."""
_SHOWN = 6
"""Characters of a digest."""


def remember_digests(journal: Journal, cards: Cards) -> None:
    """Notes which digests a run has seen: work that a call leaves undone is then explained by the calls after it."""
    seen = json.loads(journal.meta(SEEN_META) or "[]")
    now = cards.digests()
    if now and now not in seen[-1:]:
        kept = [other for other in seen if other != now][1 - _SEEN :]
        journal.set_meta(SEEN_META, json.dumps([*kept, now]))


def changed_services(
    cells: PlannedCells,
    scope: RunScope,
    services: RunServices,
    store: MediaStore,
    records: Records,
    rubrics: tuple[Rubric, Rubric] | None = None,
) -> str:
    """One sentence where stored work no longer counts because a service has another digest; else nothing.

    Args:
        cells: with the cards of the services that answer now.
        services: that this call uses; what only the others would do again is left out.
    """
    changed: dict[str, str] = {}
    lost: set[Cell] = set()
    unheard: set[Cell] = set()
    unjudged: set[Cell] = set()
    covered: set[Cell] = set()
    for digests in reversed(json.loads(records.journal.meta(SEEN_META) or "[]")):
        earlier_cards = Cards.of_digests(digests)
        differences = dict(_differences(earlier_cards, cells.cards))
        if not differences:
            continue
        carriers = find_carriers(cells.config, cells.plan, store, records, earlier_cards.tts_digest)
        earlier = PlannedCells(cells.config, cells.plan, carriers, earlier_cards, rubrics)
        counted = len(lost) + len(unheard) + len(unjudged)
        both = zip(chain(earlier, earlier.controls()), chain(cells, cells.controls()), strict=True)
        for old, new in both:
            if not scope.covers(new.cell.model, new.cell.condition):
                continue
            covered.add(new.cell)
            answer = records.answers.get(new.key or "")
            if answer is None:
                asks = new.cell.model in services.models and new.support is not Support.UNSUPPORTED
                if asks and old.key in records.answers:
                    lost.add(new.cell)
            elif services.scorer is not None and _is_unheard(earlier, cells, new, answer, records):
                unheard.add(new.cell)
            elif services.judge is not None and _is_unjudged(earlier, cells, new, answer, records):
                unjudged.add(new.cell)
        if counted < len(lost) + len(unheard) + len(unjudged):
            changed = differences | changed
    parts = [f"{len(lost)} of {len(covered)} cells are asked again"] if lost else []
    parts += [f"{len(unheard)} stored answers are transcribed again"] if unheard else []
    parts += [f"{len(unjudged)} stored answers are judged again"] if unjudged else []
    if not parts:
        return ""
    what = ", ".join(f"{name} ({digests})" for name, digests in changed.items())
    return f"{what}: another digest than when this run was asked before, so {' and '.join(parts)}"


def _differences(before: Cards, now: Cards) -> Iterator[tuple[str, str]]:
    """The services whose digest is another one, with both digests."""
    models = [(f"model {name}", before.models.get(name), card) for name, card in now.models.items()]
    helpers = [("the TTS voice", before.tts, now.tts), ("the ASR scorer", before.scorer, now.scorer)]
    helpers.append(("the judge", before.judge, now.judge))
    for what, old, new in (*models, *helpers):
        if old is not None and new is not None and old.digest != new.digest:
            yield what, f"{old.digest[:_SHOWN]}… -> {new.digest[:_SHOWN]}…"


def _is_unheard(
    earlier: PlannedCells, now: PlannedCells, cell: PlannedCell, answer: AnswerRow, records: Records
) -> bool:
    """Whether only the scorer of before has transcribed a cell's answer, which still counts."""
    if answer.media_sha is None or not cell.is_spoken:
        return False
    old, new = (some.transcript_key(answer.media_sha, cell.item) for some in (earlier, now))
    return old in records.transcripts and new not in records.transcripts


def _is_unjudged(
    earlier: PlannedCells, now: PlannedCells, cell: PlannedCell, answer: AnswerRow, records: Records
) -> bool:
    """Whether only the judge of before has given a verdict on a cell's answer, which still counts."""
    if not cell.is_judged:
        return False
    transcript = None
    if answer.media_sha is not None and cell.is_spoken:
        transcript = records.transcripts.get(now.transcript_key(answer.media_sha, cell.item))
    if cell.needs_transcript(answer, transcript):
        return False
    text, _ = texts_of(cell, answer, transcript)
    old, new = (kept_verdict(some, cell, text, records.verdicts) for some in (earlier, now))
    return old is not None and new is None


@contextmanager
def stored_run(folder: RunFolder) -> Iterator[tuple[PlannedCells, Records]]:
    """A run's folder without its lock and without any service: its planned cells, and the journal's rows.

    Raises:
        FolderError: where no run was started there.
    """
    config, items = load_plan(folder)
    journal = Journal(folder.journal)
    try:
        records = Records(journal)
        yield load_cells(config, items, folder, records), records
    finally:
        journal.close()


def load_cells(config: Config, items: tuple[Item, ...], folder: RunFolder, records: Records) -> PlannedCells:
    """The planned cells of a run's folder as it is now, without any service.

    Args:
        config, items: as `load_plan` gives them.
    """
    plan = make_plan(items, model_specs(config, Endpoints({}, (), ())), config.run.replicates, config.run.controls)
    cards = Cards.last_seen(records)
    carriers = find_carriers(config, plan, MediaStore(folder.media), records, cards.tts_digest)
    return PlannedCells(config, plan, carriers, cards, load_rubrics(records.journal))
