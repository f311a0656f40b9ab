"""Says which services changed since a run was last asked, and how many of its cells are asked again for it."""

from __future__ import annotations

from collections.abc import Iterator

from omnigap_orchestrator.carriers import MediaStore
from omnigap_orchestrator.journal import Records
from omnigap_orchestrator.pipeline.cells import Cards, PlannedCells
from omnigap_orchestrator.pipeline.make_carriers import find_carriers

_SHOWN = 6
"""Characters of a digest."""


def changed_services(cells: PlannedCells, before: Cards, store: MediaStore, records: Records) -> str:
    """One sentence where stored answers no longer count because a service has another digest; else nothing.

    Args:
        cells: with the cards of the services that answer now.
        before: the cards that the journal held until now.
    """
    found = list(_differences(before, cells.cards))
    if not found:
        return ""
    carriers = find_carriers(cells.config, cells.plan, store, records, before.tts_digest)
    earlier = PlannedCells(cells.config, cells.plan, carriers, before)
    now = [cell.key in records.answers for cell in cells]
    lost = sum(cell.key in records.answers and not kept for cell, kept in zip(earlier, now, strict=True))
    unheard = _unheard(earlier, cells, records)
    parts = [f"{lost} of {len(cells.plan)} cells are asked again"] if lost else []
    parts += [f"{unheard} stored answers are transcribed again"] if unheard else []
    if not parts:
        return ""
    return f"{', '.join(found)}: another digest than when this run was last asked, so {' and '.join(parts)}"


def _differences(before: Cards, now: Cards) -> Iterator[str]:
    """The services whose digest is another one, with both digests."""
    models = [(f"model {name}", before.models.get(name), card) for name, card in now.models.items()]
    helpers = [("the TTS voice", before.tts, now.tts), ("the ASR scorer", before.scorer, now.scorer)]
    for what, old, new in (*models, *helpers):
        if old is not None and new is not None and old.digest != new.digest:
            yield f"{what} ({old.digest[:_SHOWN]}… -> {new.digest[:_SHOWN]}…)"


def _unheard(earlier: PlannedCells, now: PlannedCells, records: Records) -> int:
    """Answers that still count, and whose transcript was made by the scorer of before."""
    count = 0
    for cell in now:
        answer = records.answers.get(cell.key or "")
        if answer is not None and answer.media_sha is not None and cell.is_spoken:
            old = earlier.transcript_key(answer.media_sha, cell.item)
            new = now.transcript_key(answer.media_sha, cell.item)
            count += old in records.transcripts and new not in records.transcripts
    return count
