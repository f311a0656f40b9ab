"""The table of a verification, a row for each carrier and reader; what follows from it is counted from here."""

from __future__ import annotations

import polars as pl

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
