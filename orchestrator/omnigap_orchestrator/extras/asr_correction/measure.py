"""Has every utterance said and heard, and scores what was heard: one row of the calibration's table a clip."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

import polars as pl

from omnigap.media import decode_audio
from omnigap.media.audio import WAV
from omnigap.vocabulary import Outcome
from omnigap_orchestrator.carriers import speech_carrier_key
from omnigap_orchestrator.carriers.carrier_set import CarrierSet, SpeechVariant
from omnigap_orchestrator.config import Config, ScorerConfig
from omnigap_orchestrator.extras.asr_correction.clips import CALIBRATION_SCHEMA, InstrumentKey
from omnigap_orchestrator.extras.asr_correction.confusables import CalibrationError, Foil, Utterance, utterances
from omnigap_orchestrator.fleet import Endpoints, Required, Role, choose
from omnigap_orchestrator.fleet.choose import services_of
from omnigap_orchestrator.items import Item
from omnigap_orchestrator.journal import CarrierRow, TranscriptRow
from omnigap_orchestrator.pipeline.cells import Cards
from omnigap_orchestrator.pipeline.context import Observer, RunContext, ServiceCalls, call_for_each, in_thread, open_run
from omnigap_orchestrator.pipeline.folder import RunFolder, StoredPlan, replacing
from omnigap_orchestrator.pipeline.prepare import load_cells
from omnigap_orchestrator.pipeline.requests import synthesise, transcribe_request
from omnigap_orchestrator.pipeline.scope import endpoints_of
from omnigap_orchestrator.pipeline.score import scoring_version
from omnigap_orchestrator.plan import metric_rules, scorer_key, transcript_key
from omnigap_orchestrator.pool import CallFailed, Service, Unavailable
from omnigap_orchestrator.preflight import PreflightScope, check_clip_languages, enforce, run_preflight
from omnigap_orchestrator.run import refresh
from omnigap_orchestrator.scoring import NORMALISER_VERSION, score


@dataclass(frozen=True, slots=True)
class Clip:
    """One text in one voice and rate: what several utterances may share, since equal texts make equal clips."""

    spoken: str
    language: str
    variant: SpeechVariant


@dataclass(slots=True)
class _Progress:
    """What is known of each clip so far; `lost` holds the reasons of those that failed."""

    made: dict[Clip, CarrierRow] = field(default_factory=dict)
    heard: dict[Clip, TranscriptRow] = field(default_factory=dict)
    lost: dict[Clip, str] = field(default_factory=dict)


class Measurement:
    """One call of `calibrate`: what the run's journal holds is not done again.

    Clips lie beside the run's own media, their keys among its carriers, and what was heard among its transcripts.
    """

    def __init__(
        self,
        context: RunContext,
        scorer_config: ScorerConfig,
        variants: Sequence[SpeechVariant],
        instrument: InstrumentKey,
        timeout_s: float,
    ) -> None:
        """`timeout_s` is that of one call."""
        self._context = context
        self._config = scorer_config
        self._variants = variants
        self._instrument = instrument
        self._timeout_s = timeout_s
        self._progress = _Progress()

    async def run(self, said: Sequence[Utterance], tts: Service | None, scorer: Service | None) -> pl.DataFrame:
        """Makes and hears what is missing; a service that is away leaves its clips pending.

        Returns:
            A frame of `CALIBRATION_SCHEMA`, utterance by utterance, in every voice and rate.
        """
        clips = list(dict.fromkeys(self._clip(u, variant) for u, variant in product(said, self._variants)))
        await self._each("clips", clips, self._made, self._say, tts)
        await self._each("transcripts of clips", clips, self._known, self._hear, scorer)
        rows = [self._row(utterance, variant) for utterance, variant in product(said, self._variants)]
        return pl.DataFrame(rows, schema=CALIBRATION_SCHEMA, orient="row")

    def _clip(self, utterance: Utterance, variant: SpeechVariant) -> Clip:
        return Clip(utterance.spoken, utterance.item.language, variant)

    async def _each(
        self,
        what: str,
        clips: Sequence[Clip],
        known: Callable[[Clip], bool],
        work: Callable[[Clip, ServiceCalls], Awaitable[None]],
        service: Service | None,
    ) -> None:
        """Works on every clip that is not known, as many at a time as the service takes."""
        todo, observer = [clip for clip in clips if not known(clip)], self._context.observer
        if service is None:
            observer.preparing(what, len(clips) - len(todo), len(clips))
            return

        def failed(clip: Clip, failure: CallFailed) -> None:
            self._progress.lost[clip] = failure.error.reason.value
            observer.note(f"{clip.spoken!r}: {failure.error.message}")

        def away(gone: Unavailable) -> None:
            observer.note(f"the {service.name}: {gone}; its clips stay pending")

        calls = ServiceCalls(service, self._timeout_s, away)
        progress = (observer, what, len(clips))
        await call_for_each(todo, lambda clip: work(clip, calls), calls, progress, failed)

    def _made(self, clip: Clip) -> bool:
        row = self._context.records.carriers.get(self._carrier_key(clip))
        if row is None or not self._context.store.exists(row.media_sha):
            return False
        self._progress.made[clip] = row
        return True

    def _known(self, clip: Clip) -> bool:
        """Whether a clip needs no hearing: it was heard, or there is nothing to hear."""
        made = self._progress.made.get(clip)
        if made is None:
            return True
        row = self._context.records.transcripts.get(self._transcript_key(clip, made))
        if row is not None:
            self._progress.heard[clip] = row
        return row is not None

    def _carrier_key(self, clip: Clip) -> str:
        said = clip.variant
        return speech_carrier_key(clip.spoken, said.voice or "", said.words_per_minute, self._instrument.tts_digest)

    def _transcript_key(self, clip: Clip, made: CarrierRow) -> str:
        return transcript_key(made.media_sha, self._instrument.scorer_key, self._language(clip))

    def _language(self, clip: Clip) -> str:
        return self._config.language or clip.language

    async def _say(self, clip: Clip, tts: ServiceCalls) -> None:
        data = await synthesise(tts, clip.spoken, clip.variant, clip.language)
        sha = await asyncio.to_thread(self._context.store.put, data, "wav")
        row = CarrierRow(self._carrier_key(clip), sha, "wav", WAV, decode_audio(data, WAV).seconds)
        await self._context.records.save(row)
        self._progress.made[clip] = row

    async def _hear(self, clip: Clip, scorer: ServiceCalls) -> None:
        made = self._progress.made[clip]
        key = self._transcript_key(clip, made)
        data = await asyncio.to_thread(self._context.store.read, made.media_sha)
        request_id = f"{self._context.run_id}-{key}"
        request = transcribe_request(data, request_id, self._config.decoding, self._language(clip), scorer.digest)
        self._progress.heard[clip] = await self._context.save_transcript(key, await scorer.call(request))

    def _row(self, utterance: Utterance, variant: SpeechVariant) -> tuple[object, ...]:
        """A row's values in the schema's order."""
        item, clip = utterance.item, self._clip(utterance, variant)
        made, heard = self._progress.made.get(clip), self._progress.heard.get(clip)
        scored = score(item, heard.text, utterance.metric) if heard is not None else None
        lost = self._progress.lost.get(clip)
        outcome = Outcome.ANSWERED if heard is not None else Outcome.PENDING if lost is None else Outcome.FAILED
        return (
            item.id,
            item.task,
            item.answer_type.value,
            item.language,
            utterance.foil.value,
            utterance.foil is Foil.GOLD,
            utterance.truth,
            utterance.spoken,
            variant.voice,
            variant.words_per_minute,
            outcome.value,
            lost if heard is None else None,
            None if heard is None else heard.text,
            None if scored is None else scored.score,
            None if scored is None else scored.score == 1.0,
            None if scored is None else scored.metric,
            None if made is None else made.seconds,
            None if made is None else made.media_sha,
            None if heard is None else heard.asr_digest,
            self._instrument.tts_digest,
            self._instrument.asked,
            self._instrument.scoring_version,
            NORMALISER_VERSION,
        )


# One call of `calibrate`, from fleet to file: brings voice and scorer up, measures, writes calibration.parquet.


CALIBRATE = PreflightScope(finds_carriers=False, makes_carriers=False, generates=False, judges=False, connects=True)
"""`calibrate` speaks answers, transcribes and scores them; of a run that is in the folder it finds the carriers."""


async def calibrate(
    config: Config,
    items: Sequence[Item],
    folder: RunFolder,
    observer: Observer,
    *,
    stored: StoredPlan | None,
    template: str | None = None,
    per_type: int | None = None,
) -> pl.DataFrame:
    """Measures the ASR scorer on texts that are known, and writes the files of the run in the folder again.

    Args:
        stored: configuration and items of that run; None where there is none.
        template: sentence that answers are said in, with `{answer}`; None: the bare answer.
        per_type: items of each answer type, at most; None: all.

    Returns:
        The clips (`CALIBRATION_SCHEMA`).

    Raises:
        as `run.run`; CalibrationError for items or a scorer that can't be used.
    """
    # The files of a stored run are written again afterwards: its carriers are found by their fonts.
    scope = replace(CALIBRATE, finds_carriers=stored is not None)
    config = run_preflight(config, items, scope, folder.root, observer.note)
    async with open_run(folder, observer) as context:
        clips = await _measure(config, items, context, template=template, per_type=per_type)
        if stored is not None:
            await in_thread(refresh, context, load_cells(*stored, folder, context.records))
        return clips


async def _measure(
    config: Config,
    items: Sequence[Item],
    context: RunContext,
    *,
    template: str | None = None,
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
    chosen = utterances(items, metric_rules(config), template, per_type)
    for count, why in (
        (chosen.not_binary, "are left out: their metric knows more than right and wrong"),
        (chosen.unscorable, "are left out: their gold answer in its carrier sentence does not count as right"),
        (chosen.without_alike, "have no sound-alike among the answers"),
    ):
        if count:
            note(f"{count} items {why}")
    services = services_of(config) if config.fleet.services else ()
    wanted = Required(models=(), scorer=not config.scorer.endpoints, tts=not config.tts.endpoints)
    kind, timeout_s = config.fleet.kind, config.fleet.start_timeout_s
    fleet = await choose(kind, endpoints_of(config), services, folder.services, note, timeout_s, wanted)
    async with context.using(fleet) as endpoints:
        clips = await _measured(config, chosen.said, context, endpoints)
    with replacing(folder.calibration) as path:
        clips.write_parquet(path)
    return clips


async def _measured(
    config: Config, said: Sequence[Utterance], context: RunContext, endpoints: Endpoints
) -> pl.DataFrame:
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
