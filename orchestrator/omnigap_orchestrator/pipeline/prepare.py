"""What happens before the first request: connect services, make carriers, fix the plan, and report what changed."""

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
from omnigap_orchestrator.pipeline.damage import damage_notes
from omnigap_orchestrator.pipeline.folder import (
    RunFolder,
    load_plan,
    load_rubrics,
    read_rubrics,
    save_plan,
    save_rubrics,
)
from omnigap_orchestrator.pipeline.identity import moved_scorer, outdated_notes
from omnigap_orchestrator.pipeline.judge import stored_verdict
from omnigap_orchestrator.pipeline.make_carriers import CarrierFinder, CarrierMaker, find_carriers
from omnigap_orchestrator.pipeline.pipeline import RunServices
from omnigap_orchestrator.pipeline.requests import NO_MODEL
from omnigap_orchestrator.pipeline.scope import RunScope, Stage, model_specs
from omnigap_orchestrator.pipeline.score import texts_of
from omnigap_orchestrator.pipeline.stored import stored_answer, stored_transcript
from omnigap_orchestrator.plan import Cell, Plan, filed_under, make_plan
from omnigap_orchestrator.pool import Service


async def connect_services(
    context: RunContext, config: Config, plan: Plan, scope: RunScope, endpoints: Endpoints
) -> RunServices:
    """Connects to the services that this scope needs; notes each one that does not answer.

    Raises:
        ServiceError: replicas of one service have different digests.
    """
    covered = covered_conditions(plan, scope)

    wanted: list[tuple[Role, str, tuple[str, ...]]] = []
    if Stage.GENERATE in scope.stages:
        named = [spec for spec in plan.models if not scope.models or spec.name in scope.models]
        wanted += [(Role.MODEL, spec.name, spec.endpoints) for spec in named]
    if scope.makes_carriers and any(c.input is Modality.SPEECH for c in covered):
        wanted.append((Role.TTS, Role.TTS, endpoints.tts))
    heard = Stage.TRANSCRIBE in scope.stages and any(c.output is Modality.SPEECH for c in covered)
    if heard or moved_scorer(context.journal, config):
        wanted.append((Role.SCORER, Role.SCORER, endpoints.scorer))
    if config.judge is not None and Stage.JUDGE in scope.stages:
        wanted.append((Role.JUDGE, Role.JUDGE, endpoints.judge))
    found = await context.connect_all([(name, addresses) for _, name, addresses in wanted], config)
    connected: dict[tuple[Role, str], Service] = {}
    # Notes only now, so that they have a fixed order.
    for (role, name, addresses), service in zip(wanted, found, strict=True):
        if service is not None:
            connected[role, name] = service
            continue
        missing = "has its name" if role is Role.MODEL else f"has the role {role}"
        where = ", ".join(addresses) or f"it has no endpoints, and no service of the fleet {missing}"
        what = f"model {name}" if role is Role.MODEL else f"the {role} service"
        # What is stored needs no service, so a run with all results is complete without it.
        context.observer.note(
            f"{what} is unavailable ({where}): its stored results are used as they are, and cells that need it stay "
            "pending"
        )
    return RunServices(
        {name: service for (role, name), service in connected.items() if role is Role.MODEL},
        **{role.value: connected.get((role, role)) for role in (Role.TTS, Role.SCORER, Role.JUDGE)},
    )


async def prepare(
    context: RunContext, config: Config, plan: Plan, scope: RunScope, services: RunServices, *, again: bool = False
) -> PlannedCells:
    """Makes the carriers of this scope, writes the plan into the folder, and returns its cells.

    Args:
        again: it was called before by the same command; failures since then stay.

    Raises:
        ItemError, CarrierError: a carrier can't be made.
        RubricError: a rubric can't be used.
    """
    # Rubrics are read first, so that an invalid file stops the run before any service is called.
    rubrics = read_rubrics(config.judge)
    # Digests are saved before and after the new cards: `changed_services` compares the two.
    save_digests(context.journal, Cards.last_seen(context.records))
    await context.save_services(connected_services(services), config)
    cards = Cards.last_seen(context.records, config)
    save_digests(context.journal, cards)
    finder = CarrierFinder(config, context.store, context.records, cards.tts_digest)
    await _make_carriers(context, config, plan, scope, services, finder)
    cells = PlannedCells(config, plan, finder.set, cards, rubrics)
    if again:
        for note in save_plan(context.folder, context.journal, cells, context.store):
            context.observer.note(note)
        return cells
    for note in outdated_notes(cards.outdated, config):
        context.observer.note(note)
    for note in damage_notes(cells, context.records):
        context.observer.note(note)
    if why := changed_services(cells, scope, services, context.store, context.records, rubrics):
        context.observer.note(why)
    # Rubrics and plan are stored before the first answer: a killed run can then be read and resumed.
    save_rubrics(context.journal, rubrics)
    for note in save_plan(context.folder, context.journal, cells, context.store):
        context.observer.note(note)
    _forget_failures(context, plan, scope, services)
    return cells


def covered_conditions(plan: Plan, scope: RunScope) -> set[Condition]:
    """The conditions in this scope for at least one model."""
    return {c for spec in plan.models for c in spec.conditions if scope.covers(spec.name, c)}


def connected_services(services: RunServices) -> Iterator[tuple[Role, str, Service]]:
    """The connected services with role and name."""
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
    """Makes the missing carriers of the covered conditions, if the scope makes any.

    The finder's set then contains all carriers that exist.
    """
    maker = CarrierMaker(context, finder, services.tts, config.run.request_timeout_s)
    inputs = {condition.input for condition in covered_conditions(plan, scope)}
    missing = [job for job in finder.missing(plan) if job[1] in inputs]
    if scope.makes_carriers:
        # With a TTS service, failed syntheses are tried again; without one, their reason stays in the results.
        if services.tts is not None:
            context.records.delete_failures(Stage.CARRIERS, NO_MODEL, [Modality.SPEECH])
        await maker.make(missing)
    # Only after the carriers: a blank has the size or length of the carrier that it replaces.
    blanks = [carrier for carrier in finder.missing_blanks(plan) if carrier.modality in inputs]
    if scope.makes_carriers and await maker.make_blanks(blanks):
        # Once more, for carriers that were damaged: their files are out of the way now.
        await maker.make([job for job in finder.missing(plan) if job[1] in inputs])
        await maker.make_blanks([carrier for carrier in finder.missing_blanks(plan) if carrier.modality in inputs])
    if maker.skipped:
        context.observer.note(f"{maker.skipped} questions have no speech yet: their cells stay pending")


def _forget_failures(context: RunContext, plan: Plan, scope: RunScope, services: RunServices) -> None:
    """Deletes the failures of stages whose service answers now, since this command tries them again."""
    # Failures of other stages stay, so that the results still give their reason.
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
"""Key in the journal for the digests that the services of this run had, the latest last."""
_MAX_SEEN = 8
"""Stored sets of digests: each one costs a pass over the plan in `changed_services`."""
_DIGEST_LENGTH = 6
"""Characters of a digest in a message."""


def save_digests(journal: Journal, cards: Cards) -> None:
    """Stores the digests of this command's services, so that later commands can detect changes."""
    # Several sets and not only the last: work that one command leaves undone is still explained by later ones.
    seen = json.loads(journal.meta(SEEN_META) or "[]")
    now = cards.digests()
    if now and now not in seen[-1:]:
        earlier = [other for other in seen if other != now][1 - _MAX_SEEN :]
        journal.set_meta(SEEN_META, json.dumps([*earlier, now]))


def changed_services(
    cells: PlannedCells,
    scope: RunScope,
    services: RunServices,
    store: MediaStore,
    records: Records,
    rubrics: tuple[Rubric, Rubric] | None = None,
) -> str:
    """Says which stored work no longer applies because the digest of a service changed; empty if none.

    Args:
        cells: the planned cells with the current cards.
        services: the services of this command; work that only others would repeat is not reported.
    """
    changed: dict[str, str] = {}
    unanswered: set[Cell] = set()
    untranscribed: set[Cell] = set()
    unjudged: set[Cell] = set()
    covered: set[Cell] = set()
    # Latest first: each change is reported with the digest that was seen last before it.
    for digests in reversed(json.loads(records.journal.meta(SEEN_META) or "[]")):
        earlier_cards = Cards.from_digests(digests)
        differences = dict(_differences(earlier_cards, cells.cards))
        if not differences:
            continue
        carriers = find_carriers(cells.config, cells.plan, store, records, earlier_cards.tts_digest)
        earlier = PlannedCells(cells.config, cells.plan, carriers, earlier_cards, rubrics)
        counted = len(unanswered) + len(untranscribed) + len(unjudged)
        # The same plan with the digests of then and of now: what has a row only under the old key is done again.
        both = zip(chain(earlier, earlier.controls()), chain(cells, cells.controls()), strict=True)
        for old, new in both:
            if not scope.covers(new.cell.model, new.cell.condition):
                continue
            covered.add(new.cell)
            answer = stored_answer(records.answers, new)
            if answer is None:
                regenerates = new.cell.model in services.models and new.support is not Support.UNSUPPORTED
                if regenerates and stored_answer(records.answers, old) is not None:
                    unanswered.add(new.cell)
            elif services.scorer is not None and _is_untranscribed(earlier, cells, new, answer, records):
                untranscribed.add(new.cell)
            elif services.judge is not None and _is_unjudged(earlier, cells, new, answer, records):
                unjudged.add(new.cell)
        if counted < len(unanswered) + len(untranscribed) + len(unjudged):
            changed = differences | changed
    parts = [f"{len(unanswered)} of {len(covered)} cells are generated again"] if unanswered else []
    parts += [f"{len(untranscribed)} stored answers are transcribed again"] if untranscribed else []
    parts += [f"{len(unjudged)} stored answers are judged again"] if unjudged else []
    if not parts:
        return ""
    what = ", ".join(f"{name} ({digests})" for name, digests in changed.items())
    return f"{what}: the digest changed since an earlier command, so {' and '.join(parts)}"


def _differences(before: Cards, now: Cards) -> Iterator[tuple[str, str]]:
    """The services whose digest changed, with both digests."""
    models = [(f"model {name}", before.models.get(name), card) for name, card in now.models.items()]
    helpers = [("TTS service", before.tts, now.tts), ("ASR scorer", before.scorer, now.scorer)]
    helpers.append(("judge", before.judge, now.judge))
    for what, old, new in (*models, *helpers):
        if old is not None and new is not None and old.digest != new.digest:
            yield what, f"{old.digest[:_DIGEST_LENGTH]}… -> {new.digest[:_DIGEST_LENGTH]}…"


def _is_untranscribed(
    earlier: PlannedCells, now: PlannedCells, cell: PlannedCell, answer: AnswerRow, records: Records
) -> bool:
    """Whether a cell's answer has a transcript of the earlier scorer, and none of the current one."""
    if answer.media_sha is None or not cell.is_spoken:
        return False
    old, new = (some.transcript_key(answer.media_sha, cell.item) for some in (earlier, now))
    return _has(old, earlier, records) and not _has(new, now, records)


def _has(key: str, cells: PlannedCells, records: Records) -> bool:
    return stored_transcript(records.transcripts, key, cells.scorer_digest) is not None


def _is_unjudged(
    earlier: PlannedCells, now: PlannedCells, cell: PlannedCell, answer: AnswerRow, records: Records
) -> bool:
    """Whether a cell's answer has a verdict of the earlier judge, and none of the current one."""
    if not cell.is_judged:
        return False
    transcript = None
    if answer.media_sha is not None and cell.is_spoken:
        key = now.transcript_key(answer.media_sha, cell.item)
        transcript = stored_transcript(records.transcripts, key, now.scorer_digest)
    if cell.needs_transcript(answer, transcript):
        return False
    text, _ = texts_of(cell, answer, transcript)
    old, new = (stored_verdict(some, cell, text, records.verdicts) for some in (earlier, now))
    return old is not None and new is None


@contextmanager
def load_run(folder: RunFolder) -> Iterator[tuple[PlannedCells, Records]]:
    """Opens a run for reading: its planned cells, and the rows of its journal. Neither lock nor services are needed.

    Raises:
        FolderError: no run was started there.
    """
    config, items = load_plan(folder)
    journal = folder.open_journal()
    try:
        records = Records(journal)
        yield load_cells(config, items, folder, records), records
    finally:
        journal.close()


def load_cells(config: Config, items: tuple[Item, ...], folder: RunFolder, records: Records) -> PlannedCells:
    """The planned cells of a run's folder, with the last seen cards.

    Args:
        config, items: as returned by `load_plan`.
    """
    # No endpoints: keys and support depend only on the cards in the journal.
    plan = make_plan(items, model_specs(config, Endpoints({}, (), ())), config.run.replicates, config.run.controls)
    cards = Cards.last_seen(records, config)
    carriers = find_carriers(config, plan, MediaStore(folder.media), records, cards.tts_digest)
    return PlannedCells(config, plan, carriers, cards, load_rubrics(records.journal))
