"""One call of `calibrate`, from fleet to file: brings voice and scorer up, measures, writes calibration.parquet."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from omnigap_orchestrator.calibration.clips import InstrumentKey
from omnigap_orchestrator.calibration.foils import CalibrationError, Utterance, utterances
from omnigap_orchestrator.calibration.measure import Measurement
from omnigap_orchestrator.carriers import MediaStore
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.dispatch import RetryPolicy, Service, connect
from omnigap_orchestrator.fleet import Role, Roster, Wanted, choose
from omnigap_orchestrator.fleet.choose import services_of
from omnigap_orchestrator.items import Item
from omnigap_orchestrator.journal import Journal, ServiceRow
from omnigap_orchestrator.journal.writer import JournalWriter
from omnigap_orchestrator.plan import metric_rules, scorer_key
from omnigap_orchestrator.preflight import CALIBRATE, check_clip_languages, enforce, prepare
from omnigap_orchestrator.run.atomic import replacing
from omnigap_orchestrator.run.book import last_seen
from omnigap_orchestrator.run.carriers import CarrierSet
from omnigap_orchestrator.run.folder import RunFolder
from omnigap_orchestrator.run.observer import Observer
from omnigap_orchestrator.run.panda import Classifier, classifier_of, rules_version
from omnigap_orchestrator.run.score import scoring_version
from omnigap_orchestrator.run.settings import retry_policy, roster_of


async def calibrate(
    config: Config,
    items: Sequence[Item],
    folder: RunFolder,
    observer: Observer,
    *,
    carrier: str | None = None,
    per_type: int | None = None,
) -> pl.DataFrame:
    """Measures the scorer on gold answers and foils in every voice of the configuration; returns the clips' table.

    Raises:
        PreflightError: where a check fails of what this call needs, and where the scorer that answers does not know
            the language of some items.
        PandaError: where the classifier of `[scoring]` can't be used.
        CalibrationError: for items or a carrier that can't be used, and where the scorer that answers is not the one
            that heard this run's answers.
        FolderError, FleetError, JournalError, ServiceError: as `run`.
    """
    # The report of a run that is in the folder is written again afterwards, and finds its carriers by their fonts.
    scope = replace(CALIBRATE, finds_carriers=folder.config.is_file())
    config = prepare(config, items, scope, folder.root, observer.note)
    classifier = classifier_of(config, items)
    chosen = utterances(items, metric_rules(config), carrier, per_type, classifier.panda if classifier else None)
    for count, why in (
        (chosen.not_binary, "are left out: their metric knows more than right and wrong"),
        (chosen.unscorable, "are left out: their gold answer in its carrier sentence does not count as right"),
        (chosen.without_alike, "have no sound-alike among the answers"),
    ):
        if count:
            observer.note(f"{count} items {why}")
    folder.make()
    with folder.locked():
        services = services_of(config) if config.fleet.services else ()
        wanted = Wanted(models=(), scorer=not config.scorer.endpoints, tts=not config.tts.endpoints)
        fleet = await choose(
            config.fleet.kind,
            roster_of(config),
            services,
            folder.services,
            observer.note,
            config.fleet.start_timeout_s,
            wanted,
        )
        observer.note(fleet.description)
        async with fleet as roster:
            clips = await _measured(config, chosen.said, folder, observer, roster, classifier)
        with replacing(folder.calibration) as path:
            clips.write_parquet(path)
    return clips


async def _measured(
    config: Config,
    said: Sequence[Utterance],
    folder: RunFolder,
    observer: Observer,
    roster: Roster,
    classifier: Classifier | None,
) -> pl.DataFrame:
    journal = Journal(folder.journal)
    writer = JournalWriter(folder.journal)
    policy = retry_policy(config)
    services: list[Service] = []
    try:
        seen = last_seen(journal)
        scorer = await _found(Role.SCORER, roster.scorer, policy, observer, services)
        tts = await _found(Role.TTS, roster.tts, policy, observer, services)
        if scorer is not None and seen.scorer is not None and scorer.digest != seen.scorer.digest:
            raise CalibrationError(
                f"the ASR scorer that answers now ({scorer.digest[:12]}) is not the one that heard this run's answers "
                f"({seen.scorer.digest[:12]}): run `omnigap-orchestrate transcribe --run-dir {folder.root}` first, so "
                "that answers and calibration are heard by one scorer"
            )
        if scorer is not None:
            enforce(check_clip_languages(config, [clip.item for clip in said], scorer.card), observer.note)
        if tts is not None and seen.tts is not None and tts.digest != seen.tts.digest:
            observer.note("the voice service is another one than read this run's questions aloud")
        for role, service, before in ((Role.SCORER, scorer, seen.scorer), (Role.TTS, tts, seen.tts)):
            if service is not None and before is None:
                card = service.card.SerializeToString(deterministic=True)
                await writer.write(ServiceRow(role, role, service.digest, card, time.time()))
        asr_digest = scorer.digest if scorer is not None else seen.scorer.digest if seen.scorer is not None else ""
        tts_digest = tts.digest if tts is not None else seen.tts.digest if seen.tts is not None else ""
        asked = scorer_key(asr_digest, config.scorer.decoding)
        rules = rules_version(scoring_version(), classifier.digest if classifier else None)
        instrument = InstrumentKey(asked, tts_digest, rules, config.scorer.language or "")
        readings = CarrierSet(config).readings
        measurement = Measurement(
            config.scorer,
            readings,
            instrument,
            MediaStore(folder.media),
            journal,
            writer,
            observer,
            config.run.request_timeout_s,
            classifier.panda if classifier else None,
        )
        return await measurement.run(said, tts, scorer)
    finally:
        await asyncio.gather(*(service.pool.close() for service in services))
        await writer.close()
        journal.close()


async def _found(
    role: Role, addresses: tuple[str, ...], policy: RetryPolicy, observer: Observer, found: list[Service]
) -> Service | None:
    """The service of a role, kept among those to be closed; None, and said so, where none answers."""
    service = await connect(role, addresses, policy, observer.note) if addresses else None
    if service is None:
        where = ", ".join(addresses) or "no endpoint is configured"
        observer.note(f"the {role} is away ({where}): its clips stay pending")
    else:
        found.append(service)
    return service
