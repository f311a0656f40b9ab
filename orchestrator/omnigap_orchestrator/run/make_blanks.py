"""Makes the blank media that control cells send in place of the carriers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from omnigap.media import decode_audio
from omnigap.media.audio import WAV
from omnigap.media.image import PNG
from omnigap.vocabulary import Modality
from omnigap_orchestrator.carriers import MediaStore, blank_carrier_key, blank_image, silence
from omnigap_orchestrator.journal import CarrierRow
from omnigap_orchestrator.journal.writer import JournalWriter
from omnigap_orchestrator.run.carriers import Carrier, CarrierSet
from omnigap_orchestrator.run.observer import Observer

_AT_ONCE = 4
"""Blanks in the making: their writes to the disk overlap."""


async def make_blanks(
    carriers: Sequence[Carrier], into: CarrierSet, store: MediaStore, writer: JournalWriter, observer: Observer
) -> None:
    """Makes and stores the blank of each carrier.

    Raises:
        StoreError, JournalError: where the disk is full or gone, or a stored medium was removed.
    """
    waiting = iter(carriers)
    done = 0

    async def work() -> None:
        nonlocal done
        for carrier in waiting:
            row = await asyncio.to_thread(_make, carrier, store)
            # Not waited for: a blank whose row is lost with the process is made again.
            writer.post(row)
            into.put_blank(carrier, Carrier(row.media_sha, row.mime_type))
            done += 1
            observer.preparing("blank carriers", done, len(carriers))

    async with asyncio.TaskGroup() as group:
        for _ in range(min(_AT_ONCE, len(carriers))):
            group.create_task(work())


def _make(carrier: Carrier, store: MediaStore) -> CarrierRow:
    source, key = store.read(carrier.sha), blank_carrier_key(carrier.sha)
    if carrier.modality is Modality.IMAGE:
        return CarrierRow(key, store.put(blank_image(source, carrier.mime_type), "png"), "png", PNG)
    data = silence(source, carrier.mime_type)
    return CarrierRow(key, store.put(data, "wav"), "wav", WAV, decode_audio(data, WAV).seconds)
