"""Has every utterance said and heard, and scores what was heard: one row of the calibration's table a clip."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import product

import polars as pl

from omnigap.media import decode_audio
from omnigap.media.audio import WAV
from omnigap.vocabulary import Outcome
from omnigap_orchestrator.calibration.clips import CALIBRATION_SCHEMA, InstrumentKey
from omnigap_orchestrator.calibration.foils import Foil, Utterance
from omnigap_orchestrator.carriers import MediaStore, speech_carrier_key
from omnigap_orchestrator.config import ScorerConfig
from omnigap_orchestrator.dispatch import Away, CallFailed, Service
from omnigap_orchestrator.journal import CarrierRow, Journal, TranscriptRow
from omnigap_orchestrator.journal.writer import JournalWriter
from omnigap_orchestrator.plan import transcript_key
from omnigap_orchestrator.run.asking import ask_side_by_side, hearing_request, read_aloud
from omnigap_orchestrator.run.carriers import Reading
from omnigap_orchestrator.run.observer import Observer
from omnigap_orchestrator.run.store import Keeper
from omnigap_orchestrator.scoring import NORMALISER_VERSION, score


@dataclass(frozen=True, slots=True)
class Clip:
    """One text in one reading: what several utterances may share, since equal texts make equal clips."""

    spoken: str
    language: str
    reading: Reading


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
        scorer_config: ScorerConfig,
        readings: Sequence[Reading],
        instrument: InstrumentKey,
        store: MediaStore,
        journal: Journal,
        writer: JournalWriter,
        observer: Observer,
        timeout_s: float,
    ) -> None:
        self._config = scorer_config
        self._readings = readings
        self._instrument = instrument
        self._store = store
        self._writer = writer
        self._observer = observer
        self._timeout_s = timeout_s
        self._run_id = journal.run_id
        self._carriers = {row.key: row for row in journal.all(CarrierRow)}
        self._transcripts = {row.key: row for row in journal.all(TranscriptRow)}
        self._progress = _Progress()

    async def run(self, said: Sequence[Utterance], tts: Service | None, scorer: Service | None) -> pl.DataFrame:
        """Makes and hears what is missing; a service that is away leaves its clips pending.

        Returns:
            A frame of `CALIBRATION_SCHEMA`, utterance by utterance, in every reading.
        """
        clips = list(dict.fromkeys(self._clip(u, reading) for u, reading in product(said, self._readings)))
        await self._each("clips", clips, self._made, self._say, tts)
        await self._each("transcripts of clips", clips, self._known, self._hear, scorer)
        rows = [self._row(utterance, reading) for utterance, reading in product(said, self._readings)]
        return pl.DataFrame(rows, schema=CALIBRATION_SCHEMA, orient="row")

    def _clip(self, utterance: Utterance, reading: Reading) -> Clip:
        return Clip(utterance.spoken, utterance.item.language, reading)

    async def _each(
        self,
        what: str,
        clips: Sequence[Clip],
        known: Callable[[Clip], bool],
        work: Callable[[Clip, Service], Awaitable[None]],
        service: Service | None,
    ) -> None:
        """Works on every clip that is not known, as many at a time as the service takes."""
        todo = [clip for clip in clips if not known(clip)]
        if service is None:
            self._observer.preparing(what, len(clips) - len(todo), len(clips))
            return
        there = service

        def failed(clip: Clip, failure: CallFailed) -> None:
            self._progress.lost[clip] = failure.error.reason.value
            self._observer.note(f"{clip.spoken!r}: {failure.error.message}")

        def away(gone: Away) -> None:
            self._observer.note(f"the {there.name}: {gone}; its clips stay pending")

        progress = (self._observer, what, len(clips))
        await ask_side_by_side(todo, lambda clip: work(clip, there), there, progress, failed, away)

    def _made(self, clip: Clip) -> bool:
        row = self._carriers.get(self._carrier_key(clip))
        if row is None or not self._store.exists(row.media_sha):
            return False
        self._progress.made[clip] = row
        return True

    def _known(self, clip: Clip) -> bool:
        """Whether a clip needs no hearing: it was heard, or there is nothing to hear."""
        made = self._progress.made.get(clip)
        if made is None:
            return True
        row = self._transcripts.get(self._transcript_key(clip, made))
        if row is not None:
            self._progress.heard[clip] = row
        return row is not None

    def _carrier_key(self, clip: Clip) -> str:
        reading = clip.reading
        return speech_carrier_key(
            clip.spoken, reading.voice or "", reading.words_per_minute, self._instrument.tts_digest
        )

    def _transcript_key(self, clip: Clip, made: CarrierRow) -> str:
        return transcript_key(made.media_sha, self._instrument.scorer_key, self._language(clip))

    def _language(self, clip: Clip) -> str:
        return self._config.language or clip.language

    async def _say(self, clip: Clip, tts: Service) -> None:
        data = await read_aloud(tts, clip.spoken, clip.reading, clip.language, self._timeout_s)
        sha = await asyncio.to_thread(self._store.put, data, "wav")
        row = CarrierRow(self._carrier_key(clip), sha, "wav", WAV, decode_audio(data, WAV).seconds)
        await self._writer.write(row)
        self._progress.made[clip] = row

    async def _hear(self, clip: Clip, scorer: Service) -> None:
        made = self._progress.made[clip]
        key = self._transcript_key(clip, made)
        data = await asyncio.to_thread(self._store.read, made.media_sha)
        request = hearing_request(
            data, f"{self._run_id}-{key}", self._config.decoding, self._language(clip), scorer.digest
        )
        answer = await scorer.pool.call(request, self._timeout_s)
        self._progress.heard[clip] = await Keeper(self._store, self._writer).transcript(key, answer)

    def _row(self, utterance: Utterance, reading: Reading) -> tuple[object, ...]:
        """A row's values in the schema's order."""
        item, clip = utterance.item, self._clip(utterance, reading)
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
            reading.voice,
            reading.words_per_minute,
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
