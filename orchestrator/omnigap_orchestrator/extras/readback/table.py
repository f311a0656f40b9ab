"""The table of a verification, a row for each carrier and reader; what follows from it is counted from here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from omnigap.vocabulary import Modality
from omnigap_orchestrator.extras.readback.check import Judged, Reading, Verdict, abilities, judge
from omnigap_orchestrator.extras.readback.compare import compare
from omnigap_orchestrator.extras.readback.readers import Reader, Subject
from omnigap_orchestrator.journal import TranscriptRow
from omnigap_orchestrator.scoring.normalise import normalise, units

_COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "item_id": pl.String,
    "task": pl.String,
    "language": pl.String,
    # speech or image.
    "modality": pl.String,
    # Which rendering: replicates cycle through them.
    "variant": pl.Int64,
    "voice": pl.String,
    "words_per_minute": pl.Float64,
    "font": pl.String,
    "font_size": pl.Int64,
    "colour": pl.String,
    # SHA-256 of the carrier's bytes; null where it was not made yet.
    "media": pl.String,
    # Null where nobody has read it.
    "reader": pl.String,
    "reader_digest": pl.String,
    # What it should say, null for a carrier of the item's own; what the reader made of it.
    "said": pl.String,
    "read": pl.String,
    # Insertions, deletions and substitutions, over words (in Korean and unspaced scripts: characters).
    "errors": pl.Int64,
    "words": pl.Int64,
    "word_error": pl.Float64,
    # Key pieces that did not come back, each as `kind text`.
    "missing": pl.List(pl.String),
    # Word error up to which a reading counted as whole.
    "max_word_error": pl.Float64,
    # Of the carrier, over all its readers: kept, doubtful, lost, own or unread.
    "verdict": pl.String,
    "why": pl.String,
}

VERIFICATION_SCHEMA = pl.Schema(_COLUMNS)


# From carriers and readings to the table of a verification.


def verification_table(
    subjects: Sequence[Subject], readers: Sequence[Reader], transcripts: Mapping[str, TranscriptRow], limit: float
) -> pl.DataFrame:
    """Every carrier with every reading of it, and the verdict over them; a carrier that nobody read has one row.

    Args:
        readers: the latest first. transcripts: by their keys.
        limit: word error up to which a reading is whole.
    """
    found = [(subject, _readings(subject, readers, transcripts)) for subject in subjects]
    # A reader may know one voice and not another, or fail at one size: it is judged on carriers that were made alike.
    alike = abilities(((_making(subject), readings) for subject, readings in found), limit)
    at_all = abilities(((_kind(subject), readings) for subject, readings in found), limit)
    rows: list[tuple[object, ...]] = []
    for subject, readings in found:
        judged = (
            judge(readings, alike[_making(subject)], at_all[_kind(subject)], limit)
            if readings
            else _unread(subject, readers)
        )
        each: list[Reading | None] = [*readings] or [None]
        for reading in each:
            rows.append((*_facts(subject), *_read(reading, subject), limit, judged.verdict.value, judged.why))
    return pl.DataFrame(rows, schema=VERIFICATION_SCHEMA, orient="row")


def _making(subject: Subject) -> tuple[object, ...]:
    """Which carriers are made alike: the same modality, language and rendering."""
    return subject.modality, subject.item.language, subject.variant


def _kind(subject: Subject) -> tuple[object, ...]:
    return subject.modality, subject.item.language


def _readings(subject: Subject, readers: Sequence[Reader], transcripts: Mapping[str, TranscriptRow]) -> list[Reading]:
    if subject.said is None or subject.carrier is None:
        return []
    found: dict[str, Reading] = {}
    for reader in readers:
        if reader.modality is not subject.modality or reader.kind in found:
            continue
        row = transcripts.get(reader.key(subject))
        if row is not None:
            compared = compare(subject.item, subject.said, row.text)
            label = _label(reader, readers)
            found[reader.kind] = Reading(label, reader.digest, row.text, compared, _in_characters(subject))
    return list(found.values())


def _label(reader: Reader, readers: Sequence[Reader]) -> str:
    """A reader's name, with its digest where one of the same name and other weights read as well."""
    alike = {other.kind for other in readers if (other.name, other.modality) == (reader.name, reader.modality)}
    return reader.name if len(alike) < 2 else f"{reader.name} {reader.digest[:8]}"


def _in_characters(subject: Subject) -> bool:
    """Whether the units of a text are characters, as in Korean and unspaced scripts."""
    text = normalise(subject.said or "", subject.item.language)
    return max((len(unit) for unit in units(text, subject.item.language)), default=0) < 2


def _unread(subject: Subject, readers: Sequence[Reader]) -> Judged:
    if subject.said is None:
        return Judged(Verdict.OWN, "the item brings it along")
    if subject.carrier is None:
        return Judged(Verdict.UNREAD, "it was not made yet")
    here = [reader for reader in readers if reader.modality is subject.modality]
    if here and not any(reader.knows(subject.item.language) for reader in here):
        names = ", ".join(dict.fromkeys(reader.name for reader in here))
        key, flag = ("[ocr]", "--ocr") if subject.modality is Modality.IMAGE else ("[scorer]", "--asr")
        mend = f"name a reader that does at {key} endpoints or {flag}"
        return Judged(Verdict.UNREAD, f"{names} does not know the language {subject.item.language}: {mend}")
    return Judged(Verdict.UNREAD, "no reader has read it yet")


def _facts(subject: Subject) -> tuple[object, ...]:
    item = subject.item
    return (
        item.id,
        item.task,
        item.language,
        subject.modality.value,
        subject.variant,
        subject.voice,
        subject.words_per_minute,
        subject.font,
        subject.font_size,
        subject.colour,
        subject.carrier.sha if subject.carrier is not None else None,
    )


def _read(reading: Reading | None, subject: Subject) -> tuple[object, ...]:
    if reading is None:
        return (None, None, subject.said, None, None, None, None, None)
    digest = reading.digest
    compared = reading.comparison
    return (
        reading.reader,
        digest,
        subject.said,
        reading.text,
        compared.errors,
        compared.words,
        compared.word_error,
        list(compared.missing),
    )
