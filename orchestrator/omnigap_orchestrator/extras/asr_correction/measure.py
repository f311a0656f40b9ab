"""`calibrate`: synthesises known texts, transcribes and scores them, and writes calibration.parquet."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import product

import polars as pl

from omnigap.media import decode_audio
from omnigap.media.audio import WAV
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, Outcome
from omnigap_orchestrator.carriers import speech_carrier_key
from omnigap_orchestrator.carriers.carrier_set import CarrierSet, SpeechVariant
from omnigap_orchestrator.config import Config, ScorerConfig
from omnigap_orchestrator.extras.asr_correction.clips import CALIBRATION_SCHEMA, CalibrationKey, read_clips
from omnigap_orchestrator.extras.asr_correction.confusables import CalibrationError, ClipKind, Utterance, utterances
from omnigap_orchestrator.fleet import Endpoints, Required, Role
from omnigap_orchestrator.items import Item
from omnigap_orchestrator.journal import CarrierRow, TranscriptRow
from omnigap_orchestrator.pipeline.cells import Cards
from omnigap_orchestrator.pipeline.context import Observer, RunContext, ServiceCalls, call_for_each, in_thread, open_run
from omnigap_orchestrator.pipeline.folder import RunFolder, StoredPlan, replacing
from omnigap_orchestrator.pipeline.instruments import InstrumentChange, choose_fleet, enforce_changes
from omnigap_orchestrator.pipeline.prepare import load_cells
from omnigap_orchestrator.pipeline.requests import synthesise, transcribe_request
from omnigap_orchestrator.pipeline.score import scoring_version
from omnigap_orchestrator.pipeline.stored_files import remember
from omnigap_orchestrator.plan import metric_rules, scorer_key, transcript_key
from omnigap_orchestrator.pool import CallFailed, Service, Unavailable
from omnigap_orchestrator.preflight import PreflightScope, check_clip_languages, enforce, run_preflight
from omnigap_orchestrator.run import refresh
from omnigap_orchestrator.scoring import NORMALISER_VERSION, score


@dataclass(frozen=True, slots=True)
class Clip:
    """One text in one voice and rate. Utterances of equal text share a clip."""

    spoken: str
    language: str
    variant: SpeechVariant


@dataclass(slots=True)
class _Progress:
    """Audio and transcript of each clip so far, and the error reason of each failed one."""

    audio: dict[Clip, CarrierRow] = field(default_factory=dict)
    transcripts: dict[Clip, TranscriptRow] = field(default_factory=dict)
    failed: dict[Clip, str] = field(default_factory=dict)


class Measurement:
    """Synthesis, transcription and scoring of the clips of one `calibrate` call.

    Audio is stored in the run's media store, its keys among the carriers of the journal, transcripts among the
    transcripts of the journal. What the journal holds is not requested again.
    """

    def __init__(
        self,
        context: RunContext,
        scorer_config: ScorerConfig,
        variants: Sequence[SpeechVariant],
        key: CalibrationKey,
        timeout_s: float,
    ) -> None:
        """`timeout_s`: timeout of one call to a service, in seconds."""
        self._context = context
        self._config = scorer_config
        self._variants = variants
        self._key = key
        self._timeout_s = timeout_s
        self._progress = _Progress()

    async def run(self, chosen: Sequence[Utterance], tts: Service | None, scorer: Service | None) -> pl.DataFrame:
        """Synthesises and transcribes what is missing; without a service its clips stay pending.

        Returns:
            A frame of `CALIBRATION_SCHEMA`, one row per utterance, voice and rate.
        """
        # Equal texts in one voice are one clip: "Option B." is synthesised and transcribed once.
        clips = list(dict.fromkeys(self._clip(u, variant) for u, variant in product(chosen, self._variants)))
        await self._each("clips", clips, self._has_audio, self._synthesise, tts)
        await self._each("transcripts of clips", clips, self._needs_no_transcript, self._transcribe, scorer)
        rows = [self._row(utterance, variant) for utterance, variant in product(chosen, self._variants)]
        return pl.DataFrame(rows, schema=CALIBRATION_SCHEMA, orient="row")

    def _clip(self, utterance: Utterance, variant: SpeechVariant) -> Clip:
        return Clip(utterance.spoken, utterance.item.language, variant)

    async def _each(
        self,
        what: str,
        clips: Sequence[Clip],
        is_done: Callable[[Clip], bool],
        work: Callable[[Clip, ServiceCalls], Awaitable[None]],
        service: Service | None,
    ) -> None:
        """Calls `work` for every clip that is not done, as many at a time as the service accepts."""
        todo, observer = [clip for clip in clips if not is_done(clip)], self._context.observer
        if service is None:
            observer.preparing(what, len(clips) - len(todo), len(clips))
            return

        def failed(clip: Clip, failure: CallFailed) -> None:
            if not failure.leaves_pending:
                self._progress.failed[clip] = failure.error.reason.value
            observer.note(f"{clip.spoken!r}: {failure.error.message}")

        def unavailable(error: Unavailable) -> None:
            observer.note(f"the {service.name}: {error}; its clips stay pending")

        calls = ServiceCalls(service, self._timeout_s, unavailable)
        progress = (observer, what, len(clips))
        await call_for_each(todo, lambda clip: work(clip, calls), calls, progress, failed)

    def _has_audio(self, clip: Clip) -> bool:
        row = self._context.records.carriers.get(self._carrier_key(clip))
        if row is None or not self._context.store.exists(row.media_sha):
            return False
        self._progress.audio[clip] = row
        return True

    def _needs_no_transcript(self, clip: Clip) -> bool:
        """Whether a clip is transcribed already, or has no audio."""
        audio = self._progress.audio.get(clip)
        if audio is None:
            return True
        row = self._context.records.transcripts.get(self._transcript_key(clip, audio))
        # Earlier versions stored a transcript under the key of the scorer that was asked, whichever answered.
        if row is None or scorer_key(row.asr_digest, self._config.decoding) != self._key.scorer_key:
            return False
        self._progress.transcripts[clip] = row
        return True

    def _carrier_key(self, clip: Clip) -> str:
        voice, rate = clip.variant.voice or "", clip.variant.words_per_minute
        return speech_carrier_key(clip.spoken, voice, rate, self._key.tts_digest)

    def _transcript_key(self, clip: Clip, audio: CarrierRow) -> str:
        return transcript_key(audio.media_sha, self._key.scorer_key, self._language(clip))

    def _language(self, clip: Clip) -> str:
        return self._config.language or clip.language

    async def _synthesise(self, clip: Clip, tts: ServiceCalls) -> None:
        data = await synthesise(tts, clip.spoken, clip.variant, clip.language)
        # The audio is stored before its row: a row without audio would count as done after an interruption.
        sha = await asyncio.to_thread(self._context.store.put, data, "wav")
        row = CarrierRow(self._carrier_key(clip), sha, "wav", WAV, decode_audio(data, WAV).seconds)
        await self._context.records.save(row)
        self._progress.audio[clip] = row

    async def _transcribe(self, clip: Clip, scorer: ServiceCalls) -> None:
        audio = self._progress.audio[clip]
        key = self._transcript_key(clip, audio)
        data = await asyncio.to_thread(self._context.store.read, audio.media_sha)
        request_id = f"{self._context.run_id}-{key}"
        request = transcribe_request(data, request_id, self._config.decoding, self._language(clip), scorer.digest)
        self._progress.transcripts[clip] = await self._context.save_transcript(key, await scorer.call(request))

    def _row(self, utterance: Utterance, variant: SpeechVariant) -> tuple[object, ...]:
        """The values of one row, in the order of `CALIBRATION_SCHEMA`."""
        item, clip = utterance.item, self._clip(utterance, variant)
        audio, transcript = self._progress.audio.get(clip), self._progress.transcripts.get(clip)
        scored = score(item, transcript.text, utterance.metric) if transcript is not None else None
        error = self._progress.failed.get(clip)
        outcome = Outcome.ANSWERED if transcript is not None else Outcome.PENDING if error is None else Outcome.FAILED
        return (
            item.id,
            item.task,
            item.answer_type.value,
            item.language,
            utterance.clip_kind.value,
            utterance.clip_kind is ClipKind.GOLD,
            utterance.truth,
            utterance.spoken,
            variant.voice,
            variant.words_per_minute,
            outcome.value,
            error if transcript is None else None,
            None if transcript is None else transcript.text,
            None if scored is None else scored.score,
            None if scored is None else scored.score == 1.0,
            None if scored is None else scored.metric,
            None if audio is None else audio.seconds,
            None if audio is None else audio.media_sha,
            None if transcript is None else transcript.asr_digest,
            self._key.tts_digest,
            self._key.scorer,
            self._key.scoring_version,
            NORMALISER_VERSION,
        )


CALIBRATE = PreflightScope(finds_carriers=False, makes_carriers=False, generates=False, judges=False, connects=True)
"""Scope of `calibrate` for the preflight checks: it connects to TTS and scorer, and generates no answers."""


async def calibrate(
    config: Config,
    items: Sequence[Item],
    folder: RunFolder,
    observer: Observer,
    *,
    stored: StoredPlan | None,
    template: str | None = None,
    per_type: int | None = None,
    accepts: frozenset[Role] = frozenset(),
) -> pl.DataFrame:
    """Measures the ASR scorer on known texts, and updates the output files of the run in the folder.

    Args:
        stored: configuration and items of that run; None without a run.
        accepts: as for `run.run`.
        template: sentence with `{answer}` that answers are spoken in; None: the bare answer.
        per_type: maximum number of items of each answer type; None: all.

    Returns:
        The clips (`CALIBRATION_SCHEMA`).

    Raises:
        CalibrationError: no usable items, or another scorer than the one that transcribed the run's answers.
        InstrumentError: a calibration with another scorer or voice is stored, and `accepts` does not have it.
        PreflightError, FleetError, JournalError, ServiceError: as `run.run`.
    """
    # The output files of a stored run are written again afterwards, and its image carriers are keyed by their fonts, so
    # the fonts must be checked.
    scope = replace(CALIBRATE, finds_carriers=stored is not None)
    config = run_preflight(config, items, scope, folder.root, observer.note)
    async with open_run(folder, observer, accepts) as context:
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
    """Chooses the texts, starts or connects TTS and scorer, and writes calibration.parquet."""
    folder, note = context.folder, context.observer.note
    chosen = utterances(items, metric_rules(config), template, per_type)
    for count, remark in (
        (chosen.not_binary, "are left out: their metric is not binary"),
        (chosen.unscorable, "are left out: their gold answer in its template sentence does not count as right"),
        (chosen.without_confusable, "have no confusable"),
    ):
        if count:
            note(f"{count} items {remark}")
    wanted = Required(models=(), scorer=not config.scorer.endpoints, tts=not config.tts.endpoints)
    fleet = await choose_fleet(context, config, wanted)
    async with context.using(fleet) as endpoints:
        clips = await _measured(config, chosen.utterances, context, endpoints)
    with replacing(folder.calibration) as path:
        clips.write_parquet(path)
    remember(context.journal, folder.calibration)
    return clips


async def _measured(
    config: Config, chosen: Sequence[Utterance], context: RunContext, endpoints: Endpoints
) -> pl.DataFrame:
    seen = Cards.last_seen(context.records)
    wanted = ((Role.SCORER, endpoints.scorer), (Role.TTS, endpoints.tts))
    scorer, tts = found = await context.connect_all(wanted, config)
    for (role, addresses), service in zip(wanted, found, strict=True):
        if service is None:
            where = ", ".join(addresses) or "no endpoint is configured"
            context.observer.note(f"the {role} is unavailable ({where}): its clips stay pending")
    _check_instruments(context, config, endpoints, scorer, tts)
    if scorer is not None:
        enforce(check_clip_languages(config, [clip.item for clip in chosen], scorer.card), context.observer.note)
    if tts is not None and seen.tts is not None and tts.digest != seen.tts.digest:
        context.observer.note("the TTS service is not the one that synthesised this run's questions")
    first_seen = ((Role.SCORER, scorer, seen.scorer), (Role.TTS, tts, seen.tts))
    # The scorer's card is replaced too if it was accepted: there are no answers that the old one transcribed.
    new = [
        (role, role.value, service)
        for role, service, before in first_seen
        if service is not None and (before is None or (role is Role.SCORER and service.digest != before.digest))
    ]
    await context.save_services(new, config)
    # A service that is down is taken as the one that was seen last: its clips are found in the journal under that
    # digest.
    asr_digest = scorer.digest if scorer is not None else seen.scorer.digest if seen.scorer is not None else ""
    asr_key = scorer_key(asr_digest, config.scorer.decoding)
    tts_digest = tts.digest if tts is not None else seen.tts_digest
    key = CalibrationKey(asr_key, tts_digest, scoring_version(), config.scorer.language or "")
    variants = CarrierSet(config).speech_variants
    measurement = Measurement(context, config.scorer, variants, key, config.run.request_timeout_s)
    return await measurement.run(chosen, tts, scorer)


def _check_instruments(
    context: RunContext, config: Config, endpoints: Endpoints, scorer: Service | None, tts: Service | None
) -> None:
    """Refuses another scorer or voice before any clip is made, if the folder holds results of the one before.

    Raises:
        CalibrationError: another scorer transcribed the run's answers; its rates must not correct theirs.
        InstrumentError: the stored calibration would be replaced.
    """
    seen, folder, changes = Cards.last_seen(context.records), context.folder, list[InstrumentChange]()
    clips = pl.DataFrame(schema=CALIBRATION_SCHEMA)
    if folder.calibration.is_file():
        # A table that can't be read holds nothing that could be replaced: this command writes it anew.
        with suppress(CalibrationError):
            clips = read_clips(folder.calibration).filter(outcome=Outcome.ANSWERED.value)
    stored, again = f"{clips.height} clips of the stored calibration", "they would be made again"
    if scorer is not None and seen.scorer is not None and scorer.digest != seen.scorer.digest:
        # `transcribe` calls a scorer only for a run with spoken answers.
        if folder.config.is_file() and any(c.output is Modality.SPEECH for c in config.run.conditions):
            raise CalibrationError(
                f"the ASR scorer ({scorer.digest[:12]}) is not the one that transcribed this run's answers "
                f"({seen.scorer.digest[:12]}): run `omnigap-orchestrate transcribe --accept-scorer --run-dir "
                f"{folder.root}` first, so that one scorer transcribes both the answers and the calibration"
            )
        if not clips.is_empty():
            what, places = "the ASR scorer", ", ".join(endpoints.scorer)
            changes.append(InstrumentChange(Role.SCORER, what, seen.scorer, scorer.card, places, stored, again))
    if tts is not None and not clips.is_empty() and clips["tts_digest"][0] not in ("", tts.digest):
        before = pb.DescribeResponse(name="a TTS service", digest=clips["tts_digest"][0])
        if seen.tts is not None and seen.tts.digest == before.digest:
            before = seen.tts
        what, places = "the voice (TTS service)", ", ".join(endpoints.tts)
        changes.append(InstrumentChange(Role.TTS, what, before, tts.card, places, stored, again))
    enforce_changes(context, changes)
