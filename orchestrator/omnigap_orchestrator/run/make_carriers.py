"""Makes the carriers that are missing: draws images, has questions read aloud, takes over the items' own media."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from omnigap.media import decode_audio
from omnigap.media.audio import WAV
from omnigap.media.image import PNG
from omnigap.vocabulary import Modality
from omnigap_orchestrator.carriers import MediaStore, check_own_carrier, render_text, spoken_text
from omnigap_orchestrator.dispatch import Away, CallFailed, Service
from omnigap_orchestrator.items import Item
from omnigap_orchestrator.journal import CarrierRow
from omnigap_orchestrator.journal.writer import JournalWriter
from omnigap_orchestrator.run.asking import read_aloud
from omnigap_orchestrator.run.carriers import Carrier, CarrierFinder
from omnigap_orchestrator.run.failures import carrier_failure_row
from omnigap_orchestrator.run.observer import Observer

Wanted = tuple[Item, Modality, int]


class CarrierMaker:
    """Fills the gaps of a `CarrierFinder`'s set. What needs the TTS voice waits where the voice is away."""

    def __init__(
        self,
        finder: CarrierFinder,
        store: MediaStore,
        writer: JournalWriter,
        observer: Observer,
        tts: Service | None,
        timeout_s: float,
    ) -> None:
        self._finder = finder
        self._store = store
        self._writer = writer
        self._observer = observer
        self._tts = tts
        self._timeout_s = timeout_s
        self.left_out = 0

    async def make(self, wanted: Sequence[Wanted]) -> None:
        """Makes each of them.

        Raises:
            ItemError: where an item's own carrier does not decode or is over the limits.
            CarrierError: where a text cannot be drawn or read aloud.
        """
        jobs = iter([job for job in wanted if not self._needs_absent_voice(job)])
        total = len(wanted) - self.left_out
        done = 0

        async def work() -> None:
            nonlocal done
            for item, modality, variant in jobs:
                try:
                    await self._make(item, modality, variant)
                except Away as away:
                    self._leave_out(f"the TTS voice went away: {away}")
                except CallFailed as failed:
                    await self._writer.write(carrier_failure_row(item.id, modality, variant, failed.error))
                    self._observer.note(f"the TTS voice could not read item {item.id!r} aloud: {failed.error.message}")
                done += 1
                self._observer.preparing("carriers", done, total)

        width = 2 + (self._tts.pool.capacity if self._tts is not None else 0)
        async with asyncio.TaskGroup() as group:
            for _ in range(min(width, total)):
                group.create_task(work())

    def _needs_absent_voice(self, job: Wanted) -> bool:
        item, modality, _ = job
        absent = self._tts is None and modality is Modality.SPEECH and modality not in item.carriers
        self.left_out += absent
        return absent

    def _leave_out(self, why: str) -> None:
        self.left_out += 1
        self._observer.note(why)

    async def _make(self, item: Item, modality: Modality, variant: int) -> None:
        key = self._finder.key(item, modality, variant)
        if modality in item.carriers:
            medium = await asyncio.to_thread(check_own_carrier, item, modality)
            data, mime_type, extension = medium.data, medium.mime_type, medium.extension
        elif modality is Modality.IMAGE:
            data = await asyncio.to_thread(render_text, item.typed, self._finder.set.styles[variant])
            mime_type, extension = PNG, "png"
        else:
            data, mime_type, extension = await self._speak(item, variant), WAV, "wav"
        seconds = decode_audio(data, mime_type).seconds if modality is Modality.SPEECH else None
        sha = await asyncio.to_thread(self._store.put, data, extension)
        await self._writer.write(CarrierRow(key, sha, extension, mime_type, seconds))
        self._finder.set.put(item.id, modality, variant, Carrier(sha, mime_type))

    async def _speak(self, item: Item, variant: int) -> bytes:
        assert self._tts is not None
        reading = self._finder.set.readings[variant]
        return await read_aloud(self._tts, spoken_text(item), reading, item.language, self._timeout_s)
