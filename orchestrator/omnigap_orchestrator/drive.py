"""One call from fleet to files: takes the folder, brings the services up, runs, and writes what follows from it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from omnigap_orchestrator.carriers import MediaStore
from omnigap_orchestrator.config import Config, ConfigError, ScorerConfig
from omnigap_orchestrator.config.services import FleetKind
from omnigap_orchestrator.dispatch import ServiceError
from omnigap_orchestrator.fleet import Fleet, Roster, StaticFleet, choose
from omnigap_orchestrator.items import Item
from omnigap_orchestrator.journal import Journal
from omnigap_orchestrator.outputs.facts import command_line, now
from omnigap_orchestrator.outputs.instrument import keep_labels
from omnigap_orchestrator.outputs.summary import Summary
from omnigap_orchestrator.outputs.write import current_summary, write_outputs
from omnigap_orchestrator.run.fitting import check_fonts, fitted, unused_variants
from omnigap_orchestrator.run.fleet_services import services_of
from omnigap_orchestrator.run.folder import RunFolder
from omnigap_orchestrator.run.judge import with_rubrics
from omnigap_orchestrator.run.observer import Observer
from omnigap_orchestrator.run.panda import PANDA_META, classifier_of, digest_now, rules_version
from omnigap_orchestrator.run.record import open_book, recall
from omnigap_orchestrator.run.run import Run
from omnigap_orchestrator.run.score import scoring_version
from omnigap_orchestrator.run.second import hear_again
from omnigap_orchestrator.run.settings import (
    Restriction,
    Stage,
    left_to_fleet,
    lost_models,
    planned_models,
    roster_of,
)
from omnigap_orchestrator.run.table import ResultsTable

SCORED_BY = "scored_by"
"""The journal's note of the rules that scored all that it holds."""


async def drive(
    config: Config, items: Sequence[Item], folder: RunFolder, restriction: Restriction, observer: Observer
) -> Summary:
    """Runs what is open, writes the run's files, and returns what summary.json holds.

    Raises:
        RestrictionError: where the restriction names a model that is not planned.
        ConfigError: where a model is to be asked that nobody is named for.
        CarrierError: where a font of the configuration can't be had.
        FolderError: where the folder cannot be used, or another process uses it.
        FleetError: where the services cannot be had.
        PandaError: where the classifier of `[scoring]` can't be used.
        and what `Run.execute` raises.
    """
    restriction.check(planned_models(config))
    if lost := lost_models(config, restriction):
        raise ConfigError("[[models]]", lost)
    config = fitted(config, items, observer.note)
    if Stage.GENERATE in restriction.stages:
        check_fonts(config, items)
    classifier = classifier_of(config, items)
    if why := unused_variants(config):
        observer.note(why)
    if config.judge is None:
        restriction = restriction.without(Stage.JUDGE)
    folder.make()
    with folder.locked():
        MediaStore(folder.media).sweep()
        fleet = await _fleet(config, items, folder, restriction, observer)
        observer.note(fleet.description)
        _mark(folder, "started", keep=True)
        async with fleet as roster:
            await Run(config, items, folder, restriction, observer).execute(roster)
        if restriction.scores_everything:
            _mark(folder, SCORED_BY, rules_version(scoring_version(), classifier.digest if classifier else None))
        _mark(folder, "finished")
        _mark(folder, "command", command_line())
        try:
            if Stage.TRANSCRIBE in restriction.stages:
                await hear_again(folder, restriction, observer)
        except ServiceError:
            # The run is whole without a second scorer: its files are not held back by one that can't be used.
            await asyncio.to_thread(_files, folder)
            raise
        return await asyncio.to_thread(_files, folder)


async def redrive(
    folder: RunFolder,
    restriction: Restriction,
    observer: Observer,
    fleet: str | None,
    rubrics: Mapping[str, str | None] | None = None,
    second: tuple[str, ...] = (),
) -> Summary:
    """Single stages on the plan that the folder holds.

    Args:
        rubrics: keys of `[judge]` that this call changes for good; None changes nothing.
        second: endpoints of a second scorer, for good; none changes nothing.

    Raises:
        as `drive`; ConfigError for a rubric that there is not.
    """
    config, items = recall(folder)
    given = {key: value for key, value in (rubrics or {}).items() if value is not None}
    if given:
        config = with_rubrics(config, given)
    if second:
        other = (config.second_scorer or ScorerConfig()).model_copy(update={"endpoints": second})
        config = config.model_copy(update={"second_scorer": other})
    if fleet is not None:
        config = config.model_copy(update={"fleet": config.fleet.model_copy(update={"kind": FleetKind(fleet)})})
    return await drive(config, items, folder, restriction, observer)


async def score_anew(folder: RunFolder, observer: Observer) -> None:
    """Scores the stored answers again where other rules than this version's, or another classifier than the one whose
    files the configuration names, did; else there is nothing to do.

    Without it the files would call answered cells pending: a score counts under the rules that made it alone.

    Raises:
        FolderError: where no run was started there, or another process uses it.
    """
    folder.require()
    journal = Journal(folder.journal)
    try:
        scored_by, classifier = journal.meta(SCORED_BY), journal.meta(PANDA_META)
    finally:
        journal.close()
    if classifier:
        # What a classifier scored stays where its files are gone.
        classifier = digest_now(recall(folder)[0]) or classifier
    if scored_by != rules_version(scoring_version(), classifier):
        observer.note("the stored answers are scored by the rules of this version first")
        await redrive(folder, Restriction.parse((), (), (Stage.SCORE.value,)), observer, None)


def rewrite(
    folder: RunFolder,
    *,
    single_file: bool | None = None,
    allow_missing: bool | None = None,
    labels: Path | None = None,
    verified_only: bool = False,
) -> Summary:
    """The run's files from its folder alone; returns what summary.json holds.

    Args:
        labels: human labels, taken into the folder first.
        verified_only: keep to the items whose every made carrier was read back whole.

    Raises:
        FolderError: where no run was started there.
        LabelsError: for labels that are none of this run's answers.
    """
    folder.require()
    journal = Journal(folder.journal)
    try:
        book = open_book(folder, journal)
        if labels is not None:
            keep_labels(folder, labels, ResultsTable(folder.name, book, journal).frame())
        return write_outputs(
            folder,
            book,
            journal,
            single_file=single_file,
            allow_missing=allow_missing,
            verified_only=verified_only,
        )
    finally:
        journal.close()


def _files(folder: RunFolder) -> Summary:
    """The run's files, written only where something that they follow from has changed."""
    journal = Journal(folder.journal)
    try:
        config, _ = recall(folder)
        current = current_summary(folder, journal, config)
    finally:
        journal.close()
    return rewrite(folder) if current is None else current


async def _fleet(
    config: Config, items: Sequence[Item], folder: RunFolder, restriction: Restriction, observer: Observer
) -> Fleet:
    if restriction.stages == (Stage.SCORE,):
        return StaticFleet(Roster(dict.fromkeys(planned_models(config), ()), (), ()), "none, scoring needs no service")
    services = services_of(config) if config.fleet.services else ()
    kind, timeout_s = config.fleet.kind, config.fleet.start_timeout_s
    wanted = left_to_fleet(config, items, restriction)
    return await choose(kind, roster_of(config), services, folder.services, observer.note, timeout_s, wanted)


def _mark(folder: RunFolder, key: str, value: str | None = None, keep: bool = False) -> None:
    """Writes one fact of this call into the journal; `keep` leaves what an earlier call wrote."""
    journal = Journal(folder.journal)
    try:
        if not (keep and journal.meta(key)):
            journal.set_meta(key, value or now())
    finally:
        journal.close()
