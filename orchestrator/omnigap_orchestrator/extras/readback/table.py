"""Builds verification.parquet: one row for each carrier and reader, with the verdict on the carrier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from omnigap.vocabulary import Modality
from omnigap_orchestrator.extras.readback.check import Decision, Readback, Verdict, decide, reader_stats
from omnigap_orchestrator.extras.readback.compare import compare
from omnigap_orchestrator.extras.readback.readers import Reader, Rendering
from omnigap_orchestrator.journal import TranscriptRow
from omnigap_orchestrator.pipeline.folder import FolderError, RunFolder
from omnigap_orchestrator.pipeline.stored import stored_transcript
from omnigap_orchestrator.pipeline.stored_files import fault_of
from omnigap_orchestrator.scoring.normalise import normalise, units

_COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "item_id": pl.String,
    "task": pl.String,
    "language": pl.String,
    # speech or image.
    "modality": pl.String,
    # Index of the voice or font, which replicates cycle through.
    "variant": pl.Int64,
    "voice": pl.String,
    "words_per_minute": pl.Float64,
    "font": pl.String,
    "font_size": pl.Int64,
    "colour": pl.String,
    # SHA-256 of the carrier's bytes; null if it was not generated yet.
    "media": pl.String,
    # Null if no reader has read it.
    "reader": pl.String,
    "reader_digest": pl.String,
    # The expected text, null for a carrier that comes with the item; the text that was read.
    "said": pl.String,
    "read": pl.String,
    # Insertions, deletions and substitutions, over words (in Korean and unspaced scripts: characters).
    "errors": pl.Int64,
    "words": pl.Int64,
    "word_error": pl.Float64,
    # Key pieces that were not read back, each as `kind text`.
    "missing": pl.List(pl.String),
    # Largest word error rate of a kept carrier.
    "max_word_error": pl.Float64,
    # Verdict on the carrier, over all its readers: kept, doubtful, lost, own or unread.
    "verdict": pl.String,
    "why": pl.String,
}

VERIFICATION_SCHEMA = pl.Schema(_COLUMNS)


def verification_table(
    renderings: Sequence[Rendering], readers: Sequence[Reader], transcripts: Mapping[str, TranscriptRow], limit: float
) -> pl.DataFrame:
    """Every carrier with all its readbacks and its verdict (`VERIFICATION_SCHEMA`); an unread carrier has one row.

    Args:
        readers: the latest first.
        transcripts: key of a readback -> its row in the journal.
        limit: largest word error rate of a kept carrier.
    """
    with_readbacks = [(rendering, _readbacks(rendering, readers, transcripts)) for rendering in renderings]
    # A reader may fail with one voice or font size only, so its reliability is measured on the same rendering.
    same_rendering = reader_stats(((_rendering_group(r), readbacks) for r, readbacks in with_readbacks), limit)
    same_language = reader_stats(((_language_group(r), readbacks) for r, readbacks in with_readbacks), limit)
    rows: list[tuple[object, ...]] = []
    for rendering, readbacks in with_readbacks:
        decision = (
            decide(
                readbacks,
                same_rendering[_rendering_group(rendering)],
                same_language[_language_group(rendering)],
                limit,
            )
            if readbacks
            else _unread(rendering, readers)
        )
        each: list[Readback | None] = [*readbacks] or [None]
        for readback in each:
            rows.append(
                (
                    *_carrier_values(rendering),
                    *_readback_values(readback, rendering),
                    limit,
                    decision.verdict.value,
                    decision.why,
                )
            )
    return pl.DataFrame(rows, schema=VERIFICATION_SCHEMA, orient="row")


def _rendering_group(rendering: Rendering) -> tuple[object, ...]:
    return rendering.modality, rendering.item.language, rendering.variant


def _language_group(rendering: Rendering) -> tuple[object, ...]:
    return rendering.modality, rendering.item.language


def _readbacks(
    rendering: Rendering, readers: Sequence[Reader], transcripts: Mapping[str, TranscriptRow]
) -> list[Readback]:
    if rendering.said is None or rendering.carrier is None:
        return []
    found: dict[str, Readback] = {}
    for reader in readers:
        # Readers come latest first: of several readers with the same weights, the latest one counts.
        if reader.modality is not rendering.modality or reader.kind in found:
            continue
        row = stored_transcript(transcripts, reader.key(rendering), reader.digest)
        if row is not None:
            compared = compare(rendering.item, rendering.said, row.text)
            label = _label(reader, readers)
            found[reader.kind] = Readback(label, reader.digest, row.text, compared, _in_characters(rendering))
    return list(found.values())


def _label(reader: Reader, readers: Sequence[Reader]) -> str:
    """The name of a reader, with its digest if another reader with the same name has other weights."""
    kinds = {other.kind for other in readers if (other.name, other.modality) == (reader.name, reader.modality)}
    return reader.name if len(kinds) < 2 else f"{reader.name} {reader.digest[:8]}"


def _in_characters(rendering: Rendering) -> bool:
    """Whether the units of the text are characters, as in Korean and unspaced scripts."""
    text = normalise(rendering.said or "", rendering.item.language)
    return max((len(unit) for unit in units(text, rendering.item.language)), default=0) < 2


def _unread(rendering: Rendering, readers: Sequence[Reader]) -> Decision:
    """Why a carrier has no readback."""
    if rendering.said is None:
        return Decision(Verdict.OWN, "the carrier comes with the item")
    if rendering.carrier is None:
        return Decision(Verdict.UNREAD, "the carrier was not generated yet")
    of_modality = [reader for reader in readers if reader.modality is rendering.modality]
    if of_modality and not any(reader.supports(rendering.item.language) for reader in of_modality):
        names = ", ".join(dict.fromkeys(reader.name for reader in of_modality))
        key, flag = ("[ocr]", "--ocr") if rendering.modality is Modality.IMAGE else ("[scorer]", "--asr")
        fix = f"name a reader that does with {key} endpoints or {flag}"
        return Decision(Verdict.UNREAD, f"{names} does not support the language {rendering.item.language}: {fix}")
    return Decision(Verdict.UNREAD, "no reader has read it yet")


def _carrier_values(rendering: Rendering) -> tuple[object, ...]:
    item = rendering.item
    return (
        item.id,
        item.task,
        item.language,
        rendering.modality.value,
        rendering.variant,
        rendering.voice,
        rendering.words_per_minute,
        rendering.font,
        rendering.font_size,
        rendering.colour,
        rendering.carrier.sha if rendering.carrier is not None else None,
    )


def _readback_values(readback: Readback | None, rendering: Rendering) -> tuple[object, ...]:
    if readback is None:
        return (None, None, rendering.said, None, None, None, None, None)
    compared = readback.comparison
    return (
        readback.reader,
        readback.digest,
        rendering.said,
        readback.text,
        compared.errors,
        compared.words,
        compared.word_error,
        list(compared.missing),
    )


def read_verification(folder: RunFolder) -> pl.DataFrame | None:
    """The table of `verify`; None if the folder has none.

    Raises:
        FolderError: the file is not a table, or has the columns of another version.
    """
    if not folder.verification.is_file():
        return None
    if fault := fault_of(folder.verification):
        raise FolderError(
            f"{folder.verification} {fault}: run `omnigap-orchestrate verify --run-dir {folder.root}` again, or delete "
            "the file"
        )
    try:
        table = pl.read_parquet(folder.verification, glob=False)
    # polars panics on some damaged Parquet files; PanicException is not a PolarsError.
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException):
        table = None
    if table is None or table.schema != VERIFICATION_SCHEMA:
        raise FolderError(
            f"{folder.verification} is not a verification of this version: run `omnigap-orchestrate verify --run-dir "
            f"{folder.root}` again, or delete the file"
        )
    return table
