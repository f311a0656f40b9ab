"""Finds the carriers of a plan and makes the missing ones: drawn images, synthesised speech, the items' own media, and
the blanks of control cells.
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
    MediumError,
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
from omnigap_orchestrator.pipeline.requests import carrier_failure_row, synthesise
from omnigap_orchestrator.plan import Plan
from omnigap_orchestrator.pool import CallFailed, Service, Unavailable

Missing = tuple[Item, Modality, int]
"""Item, modality, and index of the rendering variant."""

_MAX_BLANKS = 4
"""Blanks made concurrently, so that their disk writes overlap."""


class CarrierFinder:
    """Looks up stored carriers by a key over everything that they are made from."""

    def __init__(
        self, config: Config, store: MediaStore, records: Records, tts_digest: str, *, with_file: bool = True
    ) -> None:
        """
        Args:
            with_file: a carrier without its file does not exist, so that it is made again. False for commands that ask
                nothing: the answers to a carrier stay known if its file is lost.
        """
        self._with_file = with_file
        self.set = CarrierSet(config)
        self._store = store
        self._tts_digest = tts_digest
        self._records = records

    def missing(self, plan: Plan) -> list[Missing]:
        """Adds all existing carriers to the set; returns the missing ones in plan order."""
        inputs = {condition.input for condition in plan.conditions}
        # A set has no fixed order between processes: sorted, so that carriers are always made in the same order.
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
        """Adds all existing blanks to the set; returns the carriers without one, each once.

        Empty for a plan without the blank control. A carrier that does not exist yet is left out.
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
                    if row is not None and self._is_there(row):
                        self.set.put_blank(carrier, Carrier(row.media_sha, row.mime_type))
                    else:
                        missing[carrier.sha] = carrier
        return list(missing.values())

    def find(self, item: Item, modality: Modality, variant: int) -> Carrier | None:
        """The stored carrier of an item; None if it was not made or its file was removed."""
        own = item.carriers.get(modality)
        if modality is Modality.TEXT:
            text = own.read().decode() if own is not None else item.typed
            return Carrier.typed(text)
        if own is not None and own.path is not None and self._store.root in own.path.parents:
            # Items read from a run's own folder: the file is in the media store, where its name is its hash.
            return Carrier(own.path.stem, own.mime_type)
        row = self._records.carriers.get(self.key(item, modality, variant))
        return Carrier(row.media_sha, row.mime_type) if row is not None and self._is_there(row) else None

    def _is_there(self, row: CarrierRow) -> bool:
        return not self._with_file or self._store.exists(row.media_sha)

    def key(self, item: Item, modality: Modality, variant: int) -> str:
        """The key of a carrier: over text, style or voice, and renderer; for an item's own medium, over that file."""
        own = item.carriers.get(modality)
        if own is not None:
            return own_carrier_key(own)
        if modality is Modality.IMAGE:
            return image_carrier_key(item.typed, self.set.styles[variant])
        speech = self.set.speech_variants[variant]
        return speech_carrier_key(spoken_text(item), speech.voice or "", speech.words_per_minute, self._tts_digest)


def find_carriers(config: Config, plan: Plan, store: MediaStore, records: Records, tts_digest: str) -> CarrierSet:
    """All carriers of a plan that were made, also if their files are lost."""
    finder = CarrierFinder(config, store, records, tts_digest, with_file=False)
    finder.missing(plan)
    finder.missing_blanks(plan)
    return finder.set


def own_carrier_key(own: OwnCarrier) -> str:
    """The key of an item's own medium: path, size and modification time of a file, or the content of bytes."""
    if own.path is not None and own.data is None:
        # Not the content: a resumed run would read gigabytes of media again only to find them unchanged.
        stat = own.path.stat()
        return digest_of(["own", str(own.path.absolute()), stat.st_size, stat.st_mtime_ns])
    return digest_of(["own", sha256_hex(own.read())])


class CarrierMaker:
    """Makes the carriers that a `CarrierFinder` reports as missing; without a TTS service, all but the speech."""

    def __init__(self, context: RunContext, finder: CarrierFinder, tts: Service | None, timeout_s: float) -> None:
        """
        Args:
            timeout_s: timeout of one call to the TTS service.
        """
        self._context = context
        self._finder = finder
        self._tts = ServiceCalls(tts, timeout_s, self._report_unavailable) if tts is not None else None
        self.skipped = 0
        """Questions that were not synthesised because the TTS service was unavailable."""

    async def make(self, missing: Sequence[Missing]) -> None:
        """Makes and stores the missing carriers.

        Raises:
            ItemError: an item's own carrier does not decode or is over the limits.
            CarrierError: a text can't be drawn or synthesised.
        """
        jobs = [job for job in missing if self._tts is not None or not _needs_tts(job)]
        self.skipped += len(missing) - len(jobs)
        done = 0

        async def work(job: Missing) -> None:
            nonlocal done
            item, modality, variant = job
            try:
                await self._make(item, modality, variant)
            except Unavailable:
                self.skipped += 1
            except CallFailed as failed:
                await self._context.records.save(carrier_failure_row(item.id, modality, variant, failed.error))
                self._context.observer.note(f"speech synthesis of item {item.id!r} failed: {failed.error.message}")
            done += 1
            self._context.observer.preparing("carriers", done, len(jobs))

        # Two more than the TTS service takes, so that images are drawn while every replica is busy.
        await bounded(jobs, work, 2 + (self._tts.service.pool.capacity if self._tts is not None else 0))

    async def make_blanks(self, carriers: Sequence[Carrier]) -> int:
        """Makes and stores the blank of each carrier; returns the number of carriers that could not be read.

        The file of such a carrier is moved out of the way, so that the carrier is made again.

        Raises:
            StoreError, JournalError: the disk is full.
        """
        done = damaged = 0

        async def work(carrier: Carrier) -> None:
            nonlocal done, damaged
            try:
                row = await asyncio.to_thread(_make_blank, carrier, self._context.store)
            except MediumError as error:
                damaged += 1
                self._context.observer.note(f"a carrier is damaged and made again: {error}")
                await asyncio.to_thread(error.set_aside)
                return
            # Not awaited: if the process dies before the row is written, the blank is simply made again.
            self._context.records.post(row)
            self._finder.set.put_blank(carrier, Carrier(row.media_sha, row.mime_type))
            done += 1
            self._context.observer.preparing("blank carriers", done, len(carriers))

        await bounded(carriers, work, _MAX_BLANKS)
        return damaged

    def _report_unavailable(self, error: Unavailable) -> None:
        self._context.observer.note(f"the TTS service became unavailable: {error}")

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
            speech = self._finder.set.speech_variants[variant]
            data = await synthesise(self._tts, spoken_text(item), speech, item.language)
            mime_type, extension = WAV, "wav"
        seconds = decode_audio(data, mime_type).seconds if modality is Modality.SPEECH else None
        sha = await asyncio.to_thread(self._context.store.put, data, extension)
        await self._context.records.save(CarrierRow(key, sha, extension, mime_type, seconds))
        self._finder.set.put(item.id, modality, variant, Carrier(sha, mime_type))


def _needs_tts(job: Missing) -> bool:
    item, modality, _ = job
    return modality is Modality.SPEECH and modality not in item.carriers


def _make_blank(carrier: Carrier, store: MediaStore) -> CarrierRow:
    source, key = store.read(carrier.sha), blank_carrier_key(carrier.sha)
    if carrier.modality is Modality.IMAGE:
        return CarrierRow(key, store.put(blank_image(source, carrier.mime_type), "png"), "png", PNG)
    data = silence(source, carrier.mime_type)
    return CarrierRow(key, store.put(data, "wav"), "wav", WAV, decode_audio(data, WAV).seconds)
