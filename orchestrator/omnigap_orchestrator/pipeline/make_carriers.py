"""Finds the carriers that a plan needs and makes those that are missing: draws images, has questions read aloud, takes
over the items' own media, and makes the blanks of control cells.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from omnigap.digest import digest_of, sha256_hex
from omnigap.media import decode_audio
from omnigap.media.audio import WAV
from omnigap.media.image import PNG
from omnigap.vocabulary import Control, Modality
from omnigap_orchestrator.carriers import (
    MediaStore,
    blank_carrier_key,
    blank_image,
    check_own_carrier,
    image_carrier_key,
    render_text,
    silence,
    speech_carrier_key,
    spoken_text,
)
from omnigap_orchestrator.carriers.carrier_set import Carrier, CarrierSet
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.items import Item, OwnCarrier
from omnigap_orchestrator.journal import CarrierRow, Records
from omnigap_orchestrator.pipeline.context import RunContext, ServiceCalls, bounded
from omnigap_orchestrator.pipeline.requests import carrier_failure_row, read_aloud
from omnigap_orchestrator.plan import Plan
from omnigap_orchestrator.pool import CallFailed, Service, Unavailable

Missing = tuple[Item, Modality, int]
"""An item, a modality, and which of its renderings."""

_BLANKS_AT_ONCE = 4
"""Blanks in the making: their writes to the disk overlap."""


class CarrierFinder:
    """Finds what was made before, by the key of what it was made from."""

    def __init__(self, config: Config, store: MediaStore, records: Records, tts_digest: str) -> None:
        self.set = CarrierSet(config)
        self._store = store
        self._tts_digest = tts_digest
        self._records = records

    def missing(self, plan: Plan) -> list[Missing]:
        """Fills the set with all that exists; returns what must be made, in plan order."""
        inputs = {condition.input for condition in plan.conditions}
        needed = [(modality, min(plan.replicates, self.set.variants(modality))) for modality in sorted(inputs)]
        missing = []
        for item in plan.items:
            for modality, variants in needed:
                for variant in range(variants):
                    carrier = self.find(item, modality, variant)
                    if carrier is None:
                        missing.append((item, modality, variant))
                    else:
                        self.set.put(item.id, modality, variant, carrier)
        return missing

    def missing_blanks(self, plan: Plan) -> list[Carrier]:
        """Fills the set with the blanks that exist; returns the carriers that still need one, each once.

        Only a plan with the blank control has any. A carrier that is not made yet has none either.
        """
        if Control.BLANK not in plan.controls:
            return []
        missing: dict[str, Carrier] = {}
        for item in plan.items:
            for modality in {condition.input for condition in plan.conditions} - {Modality.TEXT}:
                for replicate in range(min(plan.replicates, self.set.variants(modality))):
                    carrier = self.set.get(item.id, modality, replicate)
                    if carrier is None or self.set.blank_of(carrier) is not None:
                        continue
                    row = self._records.carriers.get(blank_carrier_key(carrier.sha))
                    if row is not None and self._store.exists(row.media_sha):
                        self.set.put_blank(carrier, Carrier(row.media_sha, row.mime_type))
                    else:
                        missing[carrier.sha] = carrier
        return list(missing.values())

    def find(self, item: Item, modality: Modality, variant: int) -> Carrier | None:
        own = item.carriers.get(modality)
        if modality is Modality.TEXT:
            text = own.read().decode() if own is not None else item.typed
            return Carrier.typed(text)
        if own is not None and own.path is not None and self._store.root in own.path.parents:
            # Items read back from a run's own folder: the file's name is its hash already.
            return Carrier(own.path.stem, own.mime_type)
        row = self._records.carriers.get(self.key(item, modality, variant))
        return Carrier(row.media_sha, row.mime_type) if row is not None and self._store.exists(row.media_sha) else None

    def key(self, item: Item, modality: Modality, variant: int) -> str:
        """The key that the carrier is kept by; of a rendered one over text, style or voice, and what renders it."""
        own = item.carriers.get(modality)
        if own is not None:
            return own_carrier_key(own)
        if modality is Modality.IMAGE:
            return image_carrier_key(item.typed, self.set.styles[variant])
        said = self.set.speech_variants[variant]
        return speech_carrier_key(spoken_text(item), said.voice or "", said.words_per_minute, self._tts_digest)


def find_carriers(config: Config, plan: Plan, store: MediaStore, records: Records, tts_digest: str) -> CarrierSet:
    """The carriers of a plan that were made already."""
    finder = CarrierFinder(config, store, records, tts_digest)
    finder.missing(plan)
    finder.missing_blanks(plan)
    return finder.set


def own_carrier_key(own: OwnCarrier) -> str:
    """Of a file by path, size and time, so that a resumed run need not read gigabytes again; of bytes by content."""
    if own.path is not None and own.data is None:
        stat = own.path.stat()
        return digest_of(["own", str(own.path.absolute()), stat.st_size, stat.st_mtime_ns])
    return digest_of(["own", sha256_hex(own.read())])


class CarrierMaker:
    """Makes what a `CarrierFinder` misses. What needs the TTS service waits while that is away."""

    def __init__(self, context: RunContext, finder: CarrierFinder, tts: Service | None, timeout_s: float) -> None:
        """`timeout_s` is that of one call to the TTS service."""
        self._context = context
        self._finder = finder
        self._tts = ServiceCalls(tts, timeout_s, self._went_away) if tts is not None else None
        self.left_out = 0
        """Questions that could not be read aloud because the TTS service was away."""

    async def make(self, missing: Sequence[Missing]) -> None:
        """Makes each of them.

        Raises:
            ItemError: where an item's own carrier does not decode or is over the limits.
            CarrierError: where a text cannot be drawn or read aloud.
        """
        jobs = [job for job in missing if self._tts is not None or not _is_read_aloud(job)]
        self.left_out += len(missing) - len(jobs)
        done = 0

        async def work(job: Missing) -> None:
            nonlocal done
            item, modality, variant = job
            try:
                await self._make(item, modality, variant)
            except Unavailable:
                self.left_out += 1
            except CallFailed as failed:
                await self._context.records.save(carrier_failure_row(item.id, modality, variant, failed.error))
                self._context.observer.note(
                    f"the TTS voice could not read item {item.id!r} aloud: {failed.error.message}"
                )
            done += 1
            self._context.observer.preparing("carriers", done, len(jobs))

        await bounded(jobs, work, 2 + (self._tts.service.pool.capacity if self._tts is not None else 0))

    async def make_blanks(self, carriers: Sequence[Carrier]) -> None:
        """Makes and stores the blank of each carrier.

        Raises:
            StoreError, JournalError: where the disk is full or gone, or a stored medium was removed.
        """
        done = 0

        async def work(carrier: Carrier) -> None:
            nonlocal done
            row = await asyncio.to_thread(_make_blank, carrier, self._context.store)
            # Not waited for: a blank whose row is lost with the process is made again.
            self._context.records.post(row)
            self._finder.set.put_blank(carrier, Carrier(row.media_sha, row.mime_type))
            done += 1
            self._context.observer.preparing("blank carriers", done, len(carriers))

        await bounded(carriers, work, _BLANKS_AT_ONCE)

    def _went_away(self, away: Unavailable) -> None:
        self._context.observer.note(f"the TTS voice went away: {away}")

    async def _make(self, item: Item, modality: Modality, variant: int) -> None:
        key = self._finder.key(item, modality, variant)
        if modality in item.carriers:
            medium = await asyncio.to_thread(check_own_carrier, item, modality)
            data, mime_type, extension = medium.data, medium.mime_type, medium.extension
        elif modality is Modality.IMAGE:
            data = await asyncio.to_thread(render_text, item.typed, self._finder.set.styles[variant])
            mime_type, extension = PNG, "png"
        else:
            assert self._tts is not None
            said = self._finder.set.speech_variants[variant]
            data = await read_aloud(self._tts, spoken_text(item), said, item.language)
            mime_type, extension = WAV, "wav"
        seconds = decode_audio(data, mime_type).seconds if modality is Modality.SPEECH else None
        sha = await asyncio.to_thread(self._context.store.put, data, extension)
        await self._context.records.save(CarrierRow(key, sha, extension, mime_type, seconds))
        self._finder.set.put(item.id, modality, variant, Carrier(sha, mime_type))


def _is_read_aloud(job: Missing) -> bool:
    item, modality, _ = job
    return modality is Modality.SPEECH and modality not in item.carriers


def _make_blank(carrier: Carrier, store: MediaStore) -> CarrierRow:
    source, key = store.read(carrier.sha), blank_carrier_key(carrier.sha)
    if carrier.modality is Modality.IMAGE:
        return CarrierRow(key, store.put(blank_image(source, carrier.mime_type), "png"), "png", PNG)
    data = silence(source, carrier.mime_type)
    return CarrierRow(key, store.put(data, "wav"), "wav", WAV, decode_audio(data, WAV).seconds)
