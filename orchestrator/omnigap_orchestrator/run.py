"""The commands on a run: `run`, `resume` for single stages, and `report`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from omnigap_orchestrator.config import Config, ConfigError, JudgeConfig, ScorerConfig
from omnigap_orchestrator.config.services import FleetKind, ModelConfig
from omnigap_orchestrator.export.summary import Summary
from omnigap_orchestrator.export.write import current_summary, write_outputs
from omnigap_orchestrator.extension import extras
from omnigap_orchestrator.fleet import Endpoints, Fleet, Role, StaticFleet
from omnigap_orchestrator.items import Item
from omnigap_orchestrator.journal import AnswerRow, Records, ScoreRow, TranscriptRow
from omnigap_orchestrator.pipeline.cells import PlannedCell, PlannedCells
from omnigap_orchestrator.pipeline.context import Observer, RunContext, command_line, in_thread, now, open_run
from omnigap_orchestrator.pipeline.folder import RunFolder, load_plan
from omnigap_orchestrator.pipeline.identity import moved_scorer
from omnigap_orchestrator.pipeline.instruments import InstrumentError, check_instruments, choose_fleet
from omnigap_orchestrator.pipeline.judge import stored_verdict
from omnigap_orchestrator.pipeline.open_cells import (
    OpenCell,
    OpenCells,
    late_cells,
    no_judge_note,
    open_cells,
    report_totals,
)
from omnigap_orchestrator.pipeline.pipeline import Pipeline
from omnigap_orchestrator.pipeline.prepare import connect_services, connected_services, load_run, prepare
from omnigap_orchestrator.pipeline.results import ResultsTable
from omnigap_orchestrator.pipeline.scope import (
    RunScope,
    Stage,
    model_specs,
    planned_models,
    required_from_fleet,
)
from omnigap_orchestrator.pipeline.score import key_of, score_cell, scoring_version, texts_of
from omnigap_orchestrator.pipeline.stored_files import remember
from omnigap_orchestrator.plan import Cell, make_plan
from omnigap_orchestrator.pool import ServiceError
from omnigap_orchestrator.preflight import ServiceCard, check_services, enforce, run_preflight
from omnigap_orchestrator.validation import FOLDER, faults


@dataclass(frozen=True, slots=True)
class Changes:
    """Permanent changes to the configuration of a stored run; all empty by default.

    Attributes:
        fleet: kind of fleet.
        rubrics: keys of `[judge]` with their new values; None leaves a key as it is.
        second_scorer: endpoints (`host:port`).
    """

    fleet: str | None = None
    rubrics: Mapping[str, str | None] = field(default_factory=dict)
    second_scorer: tuple[str, ...] = ()

    def applied(self, config: Config) -> Config:
        """The changed configuration. Raises ConfigError for a rubric that does not exist."""
        given = {key: value for key, value in self.rubrics.items() if value is not None}
        if given:
            config = _with_rubrics(config, given)
        if self.second_scorer:
            other = (config.second_scorer or ScorerConfig()).model_copy(update={"endpoints": self.second_scorer})
            config = config.model_copy(update={"second_scorer": other})
        if self.fleet is not None:
            fleet = config.fleet.model_copy(update={"kind": FleetKind(self.fleet)})
            config = config.model_copy(update={"fleet": fleet})
        return config


def _with_rubrics(config: Config, rubrics: Mapping[str, str]) -> Config:
    """The configuration with other rubrics in `[judge]`.

    Raises:
        ConfigError: the run has no judge, or a rubric does not exist.
    """
    if config.judge is None:
        fault = "--rubric: this run has no judge: add a [judge] section to its configuration and run it again"
        raise ConfigError("the command line", [fault])
    try:
        judge = JudgeConfig.model_validate({**config.judge.model_dump(), **rubrics}, context={FOLDER: Path()})
    except ValidationError as error:
        raise ConfigError("the command line", faults(error)) from None
    return config.model_copy(update={"judge": judge})


NO_CHANGES = Changes()


async def run(
    config: Config,
    items: Sequence[Item],
    folder: RunFolder,
    scope: RunScope,
    observer: Observer,
    accepts: frozenset[Role] = frozenset(),
) -> Summary:
    """Processes the open cells of a plan, writes the files of the run, and returns their summary.

    Args:
        accepts: instruments (ASR scorer, TTS service, judge) whose stored results another one may replace.

    Raises:
        ScopeError: the scope names a model that is not planned.
        PreflightError: the plan or a service can't do what this scope needs.
        FolderError: the folder can't be used, or another process uses it.
        FleetError: the services can't be started or found.
        ServiceError: replicas of one service differ.
        InstrumentError: an instrument changed, and `accepts` does not have it; nothing is stored then.
        ItemError, CarrierError: a carrier can't be made.
        JournalError: the disk is full; nothing that was acknowledged is lost.
    """
    # Scope and preflight first: a typo or a missing font is reported before any service starts.
    scope.check(planned_models(config))
    config = run_preflight(config, items, scope.preflight, folder.root, observer.note)
    async with open_run(folder, observer, accepts) as context:
        cells = await _run_with_fleet(context, config, items, scope)
        try:
            for extra in extras():
                await extra.after_pipeline(context, cells, scope)
        except (ServiceError, InstrumentError):
            # The run is complete without the stages of extras, so its files are written before the command fails.
            await in_thread(export, folder, cells, context.records)
            raise
        return await in_thread(export, folder, cells, context.records)


async def resume(
    folder: RunFolder,
    scope: RunScope,
    observer: Observer,
    changes: Changes = NO_CHANGES,
    accepts: frozenset[Role] = frozenset(),
) -> Summary:
    """Runs the stages of the scope on the plan stored in the folder.

    Args:
        accepts: as for `run`.

    Raises:
        The errors of `run`; FolderError: the folder holds no run; ConfigError: a rubric does not exist.
    """
    config, items = load_plan(folder)
    return await run(changes.applied(config), items, folder, scope, observer, accepts)


def report(
    folder: RunFolder,
    observer: Observer,
    *,
    single_file: bool | None = None,
    allow_missing: bool | None = None,
    given: Mapping[str, Any] | None = None,
    locked: bool = False,
) -> Summary:
    """Writes the files of a run from its folder, without calling a service; returns their summary.

    Args:
        single_file, allow_missing: override the configuration; None keeps it.
        given: values of the options that extras add to `report`, by name.
        locked: whether the caller holds the run's lock.

    Raises:
        FolderError: no run was started there.
        OmnigapError: an extra can't use the value of one of its options.
    """
    with load_run(folder) as (cells, records):
        rescore(folder, cells, records, observer, locked=locked)
        for extra in extras():
            kept = extra.keep(folder, ResultsTable(folder.name, cells, records).frame, given or {})
            remember(records.journal, *kept)
        return write_outputs(folder, cells, records, single_file=single_file, allow_missing=allow_missing, given=given)


def refresh(context: RunContext, cells: PlannedCells) -> None:
    """Writes the files of an open run again, after a command of an extra added to its folder."""
    rescore(context.folder, cells, context.records, context.observer, locked=True)
    write_outputs(context.folder, cells, context.records)


def export(folder: RunFolder, cells: PlannedCells, records: Records) -> Summary:
    """Writes the files of the run if something that they depend on changed; returns their summary."""
    current = current_summary(folder, records, cells.config)
    return write_outputs(folder, cells, records) if current is None else current


async def _run_with_fleet(context: RunContext, config: Config, items: Sequence[Item], scope: RunScope) -> PlannedCells:
    """Starts the fleet, processes the cells, and records time and command in the journal."""
    journal = context.journal
    fleet = await _fleet(context, config, items, scope)
    async with context.using(fleet) as endpoints:
        cells = await process_cells(context, config, items, scope, endpoints)
    # Scores are posted without waiting; they must be on disk before the journal says that all are there.
    await context.records.flush()
    # A partial scope leaves scores of older rules in place, so `report` has to check for them.
    if scope.scores_everything:
        journal.set_meta(SCORED_BY, scoring_version())
    journal.set_meta("finished", now())
    journal.set_meta("command", command_line())
    return cells


async def process_cells(
    context: RunContext, config: Config, items: Sequence[Item], scope: RunScope, endpoints: Endpoints
) -> PlannedCells:
    """Connects to the services, makes the carriers, fixes the plan, and runs the open cells through the pipeline.

    Raises:
        The errors of `run`, except FleetError.
    """
    observer = context.observer
    # The models of the fleet become part of the configuration, so that the folder holds the complete plan.
    specs = model_specs(config, endpoints)
    named = tuple(ModelConfig(name=name) for name in endpoints.models)
    config = config.model_copy(update={"models": config.models or named})
    plan = make_plan(items, specs, config.run.replicates, config.run.controls)
    # Again, since the models of the fleet are known only now.
    scope.check([spec.name for spec in specs])
    services = await connect_services(context, config, plan, scope, endpoints)
    cards = [ServiceCard(role, name, service.card) for role, name, service in connected_services(services)]
    # The second half of the preflight: languages and voices are known only from the cards.
    enforce(check_services(config, items, cards), observer.note)
    # Until here nothing is stored, so that a refused command leaves the folder as it was.
    await check_instruments(context, config, plan, scope, services, endpoints)
    _begin(context)
    # Read first: `prepare` deletes the failures that this command tries again.
    late = late_cells(context.records)
    cells = await prepare(context, config, plan, scope, services)
    todo = open_cells(context, cells, scope, services.models, late)
    report_totals(observer, cells, scope, todo)
    # If this command judges and no judge is configured, the preflight has already reported it.
    if todo.unjudged and services.judge is None and (config.judge is not None or Stage.JUDGE not in scope.stages):
        observer.note(no_judge_note(todo.unjudged, config, scope))
    pipeline = Pipeline(context, cells, scope, services)
    await pipeline.run(todo)
    if pipeline.without_medium:
        # Once more, for the cells whose carrier or audio was damaged: what is missing now is made or asked again.
        observer.note(
            f"stored media of {len(pipeline.without_medium)} cells are damaged or missing: they are moved to "
            f"{context.store.root / 'damaged'} and made again"
        )
        cells = await prepare(context, config, plan, scope, services, again=True)
        todo = open_cells(context, cells, scope, services.models)
        await Pipeline(context, cells, scope, services).run(_only(todo, pipeline.without_medium))
    return cells


def _begin(context: RunContext) -> None:
    journal = context.journal
    if not journal.meta("started"):
        journal.set_meta("started", now())
    if not context.records.scores:
        # Set before the first score: an interrupted run has then scored by these rules.
        journal.set_meta(SCORED_BY, scoring_version())


def _only(todo: OpenCells, cells: Set[Cell]) -> OpenCells:
    """The open ones of these cells."""
    unanswered = {
        name: [planned for planned in found if planned.cell in cells] for name, found in todo.unanswered.items()
    }
    return OpenCells(unanswered, [opened for opened in todo.answered if opened.cell.cell in cells])


async def _fleet(context: RunContext, config: Config, items: Sequence[Item], scope: RunScope) -> Fleet:
    if scope.stages == (Stage.SCORE,):
        # The plan still needs the names of the models, but no service is worth starting.
        return StaticFleet(Endpoints(dict.fromkeys(planned_models(config), ()), (), ()), "none needed for scoring")
    required = required_from_fleet(config, items, scope)
    if not config.scorer.endpoints and moved_scorer(context.journal, config):
        required = replace(required, scorer=True)
    return await choose_fleet(context, config, required)


# Rescores stored answers after the scoring rules changed, without calling a service.

SCORED_BY = "scored_by"
"""Key in the journal for the version of the rules that scored all of its answers."""


def rescore(
    folder: RunFolder, cells: PlannedCells, records: Records, observer: Observer, *, locked: bool = False
) -> None:
    """Rescores all stored answers if another version of the rules scored them.

    Args:
        locked: whether the caller holds the run's lock.

    Raises:
        FolderError: another process uses the run.
        JournalError: the disk is full.
    """
    # The rules are part of the key of a score. Without rescoring, answered cells would be reported as pending.
    records.scores  # noqa: B018 (reads the table)
    damaged = bool(records.journal.damaged.get("scores"))
    if records.journal.meta(SCORED_BY) == scoring_version() and not damaged:
        return
    observer.note("rescoring the stored answers with the rules of this version")
    with nullcontext() if locked else folder.locked():
        # The version is written last: an interrupted rescoring starts again.
        records.save_all(list(_scores(folder, cells, records)))
        records.journal.set_meta(SCORED_BY, scoring_version())


def _scores(folder: RunFolder, cells: PlannedCells, records: Records) -> Iterator[ScoreRow]:
    for planned, answer, transcript in ResultsTable(folder.name, cells, records).unfinished():
        if answer is None or OpenCell(planned, answer, transcript).needs_transcript:
            continue
        verdicts = None
        if planned.is_judged:
            # A judged cell without stored verdicts stays pending: rescoring never calls the judge.
            verdicts = _stored_scores(cells, planned, answer, transcript, records)
            if verdicts is None:
                continue
        yield score_cell(key_of(planned, answer, transcript), planned, answer, transcript, verdicts)


def _stored_scores(
    cells: PlannedCells, planned: PlannedCell, answer: AnswerRow, transcript: TranscriptRow | None, records: Records
) -> tuple[float, float | None] | None:
    """The judge's scores of both texts from stored verdicts; None if one is missing."""
    if cells.setup is None:
        return None
    used, own = texts_of(planned, answer, transcript)
    scores = [_stored_score(cells, planned, text, records) for text in (used, own)]
    if scores[0] is None or (own is not None and scores[1] is None):
        return None
    return scores[0], scores[1]


def _stored_score(cells: PlannedCells, planned: PlannedCell, text: str | None, records: Records) -> float | None:
    if text is not None and not text.strip():
        return 0.0
    verdict = stored_verdict(cells, planned, text, records.verdicts)
    return None if verdict is None else verdict.score
