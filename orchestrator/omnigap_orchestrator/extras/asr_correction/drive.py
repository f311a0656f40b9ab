"""One call of `calibrate`, from fleet to file: brings voice and scorer up, measures, writes calibration.parquet."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from omnigap_orchestrator.carriers.carrier_set import CarrierSet
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.extras.asr_correction.clips import InstrumentKey
from omnigap_orchestrator.extras.asr_correction.foils import CalibrationError, Utterance, utterances
from omnigap_orchestrator.extras.asr_correction.measure import Measurement
from omnigap_orchestrator.fleet import Role, Roster, Wanted, choose
from omnigap_orchestrator.fleet.choose import services_of
from omnigap_orchestrator.items import Item
from omnigap_orchestrator.pipeline.cells import Cards
from omnigap_orchestrator.pipeline.context import RunContext
from omnigap_orchestrator.pipeline.folder import replacing
from omnigap_orchestrator.pipeline.scope import roster_of
from omnigap_orchestrator.pipeline.score import scoring_version
from omnigap_orchestrator.plan import metric_rules, scorer_key
from omnigap_orchestrator.pool import Service
from omnigap_orchestrator.preflight import check_clip_languages, enforce


async def calibrate(
    config: Config,
    items: Sequence[Item],
    context: RunContext,
    *,
    carrier: str | None = None,
    per_type: int | None = None,
) -> pl.DataFrame:
    """Measures the scorer on gold answers and foils in every voice of the configuration; returns the clips' table.

    Raises:
        PreflightError: where the scorer that answers does not know the language of some items.
        CalibrationError: for items or a carrier that can't be used, and where the scorer that answers is not the one
            that heard this run's answers.
        FleetError, JournalError, ServiceError: as `run`.
    """
    folder, note = context.folder, context.observer.note
    chosen = utterances(items, metric_rules(config), carrier, per_type)
    for count, why in (
        (chosen.not_binary, "are left out: their metric knows more than right and wrong"),
        (chosen.unscorable, "are left out: their gold answer in its carrier sentence does not count as right"),
        (chosen.without_alike, "have no sound-alike among the answers"),
    ):
        if count:
            note(f"{count} items {why}")
    services = services_of(config) if config.fleet.services else ()
    wanted = Wanted(models=(), scorer=not config.scorer.endpoints, tts=not config.tts.endpoints)
    kind, timeout_s = config.fleet.kind, config.fleet.start_timeout_s
    fleet = await choose(kind, roster_of(config), services, folder.services, note, timeout_s, wanted)
    async with context.using(fleet) as endpoints:
        clips = await _measured(config, chosen.said, context, endpoints)
    with replacing(folder.calibration) as path:
        clips.write_parquet(path)
    return clips


async def _measured(config: Config, said: Sequence[Utterance], context: RunContext, endpoints: Roster) -> pl.DataFrame:
    seen = Cards.last_seen(context.records)
    scorer = await _found(Role.SCORER, endpoints.scorer, config, context)
    tts = await _found(Role.TTS, endpoints.tts, config, context)
    if scorer is not None and seen.scorer is not None and scorer.digest != seen.scorer.digest:
        raise CalibrationError(
            f"the ASR scorer that answers now ({scorer.digest[:12]}) is not the one that heard this run's answers "
            f"({seen.scorer.digest[:12]}): run `omnigap-orchestrate transcribe --run-dir {context.folder.root}` first, "
            "so that answers and calibration are heard by one scorer"
        )
    if scorer is not None:
        found = check_clip_languages(config, [clip.item for clip in said], scorer.card)
        enforce(found, context.observer.note)
    if tts is not None and seen.tts is not None and tts.digest != seen.tts.digest:
        context.observer.note("the voice service is another one than read this run's questions aloud")
    for role, service, before in ((Role.SCORER, scorer, seen.scorer), (Role.TTS, tts, seen.tts)):
        if service is not None and before is None:
            await context.save_service(role, role, service)
    asr_digest = scorer.digest if scorer is not None else seen.scorer.digest if seen.scorer is not None else ""
    asked = scorer_key(asr_digest, config.scorer.decoding)
    tts_digest = tts.digest if tts is not None else seen.tts_digest
    instrument = InstrumentKey(asked, tts_digest, scoring_version(), config.scorer.language or "")
    variants = CarrierSet(config).speech_variants
    measurement = Measurement(context, config.scorer, variants, instrument, config.run.request_timeout_s)
    return await measurement.run(said, tts, scorer)


async def _found(role: Role, addresses: tuple[str, ...], config: Config, context: RunContext) -> Service | None:
    """The service of a role; None, and a note, where none answers."""
    service = await context.connect(role, addresses, config)
    if service is None:
        where = ", ".join(addresses) or "no endpoint is configured"
        context.observer.note(f"the {role} is away ({where}): its clips stay pending")
    return service
