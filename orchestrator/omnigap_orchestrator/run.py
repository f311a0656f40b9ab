"""The commands on a run's folder, from the services to the files: run, resume, rescore, report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from omnigap_orchestrator.config import Config, ConfigError, JudgeConfig, ScorerConfig
from omnigap_orchestrator.config.services import FleetKind, ModelConfig
from omnigap_orchestrator.export.summary import Summary
from omnigap_orchestrator.export.write import current_summary, write_outputs
from omnigap_orchestrator.extension import extras
from omnigap_orchestrator.fleet import Endpoints, Fleet, StaticFleet, choose
from omnigap_orchestrator.fleet.choose import services_of
from omnigap_orchestrator.items import Item
from omnigap_orchestrator.journal import Records
from omnigap_orchestrator.pipeline.cells import PlannedCells
from omnigap_orchestrator.pipeline.context import Observer, RunContext, command_line, in_thread, now, open_run
from omnigap_orchestrator.pipeline.folder import RunFolder, load_plan
from omnigap_orchestrator.pipeline.pipeline import Pipeline, announce, no_judge, open_cells
from omnigap_orchestrator.pipeline.prepare import connect_services, connected, prepare, stored_run
from omnigap_orchestrator.pipeline.rescore import SCORED_BY, rescore
from omnigap_orchestrator.pipeline.results import ResultsTable
from omnigap_orchestrator.pipeline.scope import (
    RunScope,
    Stage,
    endpoints_of,
    left_to_fleet,
    model_specs,
    planned_models,
)
from omnigap_orchestrator.pipeline.score import scoring_version
from omnigap_orchestrator.plan import make_plan
from omnigap_orchestrator.pool import ServiceError
from omnigap_orchestrator.preflight import ServiceCard, check_services, enforce, run_preflight
from omnigap_orchestrator.validation import FOLDER, faults


@dataclass(frozen=True, slots=True)
class Changes:
    """What a call changes for good in the configuration of a stored run; empty changes nothing.

    Attributes:
        rubrics: keys of `[judge]`; a None changes nothing.
        second_scorer: endpoints.
    """

    fleet: str | None = None
    rubrics: Mapping[str, str | None] = field(default_factory=dict)
    second_scorer: tuple[str, ...] = ()

    def applied(self, config: Config) -> Config:
        """Raises ConfigError for a rubric that does not exist."""
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
        ConfigError: where nothing is judged, or for a rubric that does not exist.
    """
    if config.judge is None:
        raise ConfigError("the command line", ["--rubric: this run has no judge: run it with a [judge] section"])
    try:
        judge = JudgeConfig.model_validate({**config.judge.model_dump(), **rubrics}, context={FOLDER: Path()})
    except ValidationError as error:
        raise ConfigError("the command line", faults(error)) from None
    return config.model_copy(update={"judge": judge})


NO_CHANGES = Changes()


async def run(config: Config, items: Sequence[Item], folder: RunFolder, scope: RunScope, observer: Observer) -> Summary:
    """Works through the open cells of a plan, writes the run's files, and returns their summary.

    Raises:
        ScopeError: where the scope names a model that is not planned.
        PreflightError: where the plan or a service can't do what this call needs.
        FolderError: where the folder cannot be used, or another process uses it.
        FleetError: where the services cannot be had.
        ServiceError: where replicas of one service differ.
        ItemError, CarrierError: where a carrier can't be made.
        JournalError: where the disk is full; nothing that was acknowledged is lost.
    """
    scope.check(planned_models(config))
    config = run_preflight(config, items, scope.preflight, folder.root, observer.note)
    async with open_run(folder, observer) as context:
        cells = await _ask_fleet(context, config, items, scope)
        try:
            for extra in extras():
                await extra.after_pipeline(context, cells, scope)
        except ServiceError:
            # The run is complete without the stages of extras: its files are written before the call fails.
            await in_thread(export, folder, cells, context.records)
            raise
        return await in_thread(export, folder, cells, context.records)


async def resume(folder: RunFolder, scope: RunScope, observer: Observer, changes: Changes = NO_CHANGES) -> Summary:
    """Works through single stages of the plan that the folder holds.

    Raises:
        as `run`; FolderError where the folder holds no run, ConfigError for a rubric that does not exist.
    """
    config, items = load_plan(folder)
    return await run(changes.applied(config), items, folder, scope, observer)


def report(
    folder: RunFolder,
    observer: Observer,
    *,
    single_file: bool | None = None,
    allow_missing: bool | None = None,
    given: Mapping[str, Any] | None = None,
) -> Summary:
    """Writes the run's files from its folder alone; returns their summary. No service is asked.

    Args:
        given: values of the options that extras add to `report`, by name.

    Raises:
        FolderError: where no run was started there.
        OmnigapError: an extra can't use the value of one of its options.
    """
    with stored_run(folder) as (cells, records):
        rescore(folder, cells, records, observer)
        for extra in extras():
            extra.keep(folder, ResultsTable(folder.name, cells, records).frame, given or {})
        return write_outputs(folder, cells, records, single_file=single_file, allow_missing=allow_missing, given=given)


def refresh(context: RunContext, cells: PlannedCells) -> None:
    """Writes the files of a stored run again, after a command of an extra added to what its folder holds."""
    rescore(context.folder, cells, context.records, context.observer, locked=True)
    write_outputs(context.folder, cells, context.records)


def export(folder: RunFolder, cells: PlannedCells, records: Records) -> Summary:
    """The run's files, written only where something that they follow from has changed."""
    current = current_summary(folder, records, cells.config)
    return write_outputs(folder, cells, records) if current is None else current


async def _ask_fleet(context: RunContext, config: Config, items: Sequence[Item], scope: RunScope) -> PlannedCells:
    """Brings the services up, asks them, and notes in the journal when and by which command."""
    journal = context.journal
    fleet = await _fleet(context, config, items, scope)
    if not journal.meta("started"):
        journal.set_meta("started", now())
    if not context.records.scores:
        # Whatever an interrupted run has scored by then was scored by these rules.
        journal.set_meta(SCORED_BY, scoring_version())
    async with context.using(fleet) as endpoints:
        cells = await ask(context, config, items, scope, endpoints)
    await context.records.flush()
    if scope.scores_everything:
        journal.set_meta(SCORED_BY, scoring_version())
    journal.set_meta("finished", now())
    journal.set_meta("command", command_line())
    return cells


async def ask(
    context: RunContext, config: Config, items: Sequence[Item], scope: RunScope, endpoints: Endpoints
) -> PlannedCells:
    """Connects to the services, makes the carriers, fixes the plan, and takes the open cells through the pipeline.

    Raises:
        as `run`, without the errors of a fleet.
    """
    observer = context.observer
    # What the fleet brings is part of the configuration from here on, so that the folder holds the whole plan.
    specs = model_specs(config, endpoints)
    named = tuple(ModelConfig(name=name) for name in endpoints.models)
    config = config.model_copy(update={"models": config.models or named})
    plan = make_plan(items, specs, config.run.replicates, config.run.controls)
    scope.check([spec.name for spec in specs])
    services = await connect_services(context, config, plan, scope, endpoints)
    cards = [ServiceCard(role, name, service.card) for role, name, service in connected(services)]
    enforce(check_services(config, items, cards), observer.note)
    cells = await prepare(context, config, plan, scope, services)
    todo = open_cells(context, cells, scope, services.models)
    announce(observer, cells, scope, todo)
    # Where the call judges and no judge is configured, the preflight has said so.
    if todo.unjudged and services.judge is None and (config.judge is not None or Stage.JUDGE not in scope.stages):
        observer.note(no_judge(todo.unjudged, config, scope))
    await Pipeline(context, cells, scope, services).run(todo)
    return cells


async def _fleet(context: RunContext, config: Config, items: Sequence[Item], scope: RunScope) -> Fleet:
    if scope.stages == (Stage.SCORE,):
        return StaticFleet(
            Endpoints(dict.fromkeys(planned_models(config), ()), (), ()), "none, scoring needs no service"
        )
    services = services_of(config) if config.fleet.services else ()
    kind, timeout_s = config.fleet.kind, config.fleet.start_timeout_s
    wanted, note = left_to_fleet(config, items, scope), context.observer.note
    return await choose(kind, endpoints_of(config), services, context.folder.services, note, timeout_s, wanted)
