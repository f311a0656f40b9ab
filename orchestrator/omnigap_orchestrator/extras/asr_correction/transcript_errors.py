"""The table `transcript_errors`: WER, NE-WER and NE-FNR of transcripts against calibration texts and own texts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from omnigap.vocabulary import Outcome
from omnigap_orchestrator.analysis.denominators import condition_rank
from omnigap_orchestrator.analysis.scorer_errors import KNOWN_ERRORS_SCHEMA
from omnigap_orchestrator.analysis.table import AnalysisInput, Table, schema_of
from omnigap_orchestrator.extras.asr_correction.rates import DISTRACTOR, GOLD, evidence_of
from omnigap_orchestrator.scoring import (
    EntityErrors,
    WordErrors,
    entity_errors,
    pooled,
    pooled_entities,
    whisper_word_errors,
    word_errors,
)


@dataclass(frozen=True, slots=True)
class TranscriptErrorRow:
    """Errors of the transcripts against one kind of reference text."""

    # Reference text: `calibration`, the text that was synthesised; `own_text`, the model's own text.
    against: str
    # Null for the calibration.
    model: str | None
    condition: str | None
    answer_type: str | None
    clips: int
    # (I + D + S) / T, pooled.
    wer: float | None
    wer_errors: int
    wer_words: int
    # The same by Whisper's normaliser.
    wer_whisper: float | None
    wer_errors_whisper: int
    wer_words_whisper: int
    # (T - D) / T, pooled: share of the reference words that were not deleted. Speech that is cut off shows here.
    coverage: float | None
    # Over the gold answers and aliases that occur in the reference text.
    entities: int
    ne_wer: float | None
    ne_fnr: float | None


TRANSCRIPT_ERRORS_SCHEMA = schema_of(TranscriptErrorRow)

_GOLDS: dict[str, pl.DataType | type[pl.DataType]] = {
    "item_id": pl.String,
    "language": pl.String,
    "answers": pl.List(pl.String),
}

GOLDS_SCHEMA = pl.Schema(_GOLDS)
"""Gold answers and aliases of every item: the entities whose errors are counted."""

_STORED = frozenset(("wer_errors_whisper", "wer_words_whisper"))
"""Columns of results that already have the word errors by Whisper's normaliser."""

AGAINST_CALIBRATION, AGAINST_OWN_TEXT = "calibration", "own_text"


def transcript_errors(results: pl.DataFrame, golds: pl.DataFrame, clips: pl.DataFrame | None = None) -> pl.DataFrame:
    """WER, coverage, NE-WER and NE-FNR, each pooled: errors are summed before they are divided.

    NE-WER and NE-FNR are those of ContextASR-Bench (arXiv 2507.05727), with gold answers and aliases as the entities.
    Against the clips of a calibration, by answer type and over all, only TTS and ASR can err; against a model's own
    text, by condition, the model's speech can err as well.

    Args:
        results: with the columns own_text and transcript; without them only the clips are compared.
        golds: a frame of `GOLDS_SCHEMA`.
        clips: the table of a calibration (`CALIBRATION_SCHEMA`).

    Returns:
        A frame of `TRANSCRIPT_ERRORS_SCHEMA`.
    """
    rows: list[tuple[object, ...]] = []
    if clips is not None and clips.height:
        answered = clips.filter(pl.col("transcript").is_not_null()).join(
            golds.select("item_id", "answers"), on="item_id", how="left"
        )
        # The entity of a wrong answer is the text itself: gold answers do not occur in it.
        entities = pl.when(pl.col("truly_right")).then(pl.col("answers")).otherwise(pl.concat_list("truth"))
        answered = answered.with_columns(entities=entities.fill_null(pl.concat_list("truth")))
        for answer_type, part in (("", answered), *((t, answered.filter(answer_type=t)) for t in _types(answered))):
            counted = _counted(part.select("spoken", "transcript", "entities", "language").iter_rows())
            rows.append((AGAINST_CALIBRATION, None, None, answer_type or None, part.height, *counted))
    if {"own_text", "transcript"} <= set(results.columns):
        spoken = results.filter(
            (pl.col("outcome") == Outcome.ANSWERED.value)
            & pl.col("transcript").is_not_null()
            & (pl.col("own_text").str.strip_chars() != "")
        ).select("model", "condition", "item_id", "own_text", "transcript", *_STORED & set(results.columns))
        spoken = spoken.join(golds, on="item_id").sort("model", condition_rank(), "condition")
        for (model, condition), part in spoken.group_by("model", "condition", maintain_order=True):
            counted = _counted(part.select("own_text", "transcript", "answers", "language").iter_rows(), _stored(part))
            rows.append((AGAINST_OWN_TEXT, model, condition, None, part.height, *counted))
    return pl.DataFrame(rows, schema=TRANSCRIPT_ERRORS_SCHEMA, orient="row")


def errors_by_voice(clips: pl.DataFrame) -> pl.DataFrame | None:
    """Word errors of the transcribed clips of a calibration (`KNOWN_ERRORS_SCHEMA`), clustered by the spoken text.

    Confusables are left out: they are chosen to be misrecognised. None for a table without transcripts.
    """
    if "transcript" not in clips.columns:
        return None
    if "clip_kind" in clips.columns:
        clips = clips.filter(pl.col("clip_kind").is_in([GOLD, DISTRACTOR]))
    answered = clips.filter(pl.col("transcript").is_not_null()).select("voice", "spoken", "transcript", "language")
    rows = [
        (voice, spoken, (found := word_errors(spoken, transcript, language)).errors, found.words)
        for voice, spoken, transcript, language in answered.iter_rows()
    ]
    return pl.DataFrame(rows, schema=KNOWN_ERRORS_SCHEMA, orient="row")


def _types(clips: pl.DataFrame) -> list[str]:
    return clips["answer_type"].unique().sort().to_list()


def _stored(answers: pl.DataFrame) -> tuple[int, int] | None:
    """Errors and words by Whisper's normaliser, as the score stage has counted them; None if it has not."""
    if not set(answers.columns) >= _STORED or any(answers[name].null_count() for name in _STORED):
        return None
    return int(answers["wer_errors_whisper"].sum()), int(answers["wer_words_whisper"].sum())


def _counted(
    texts: Iterable[tuple[str, str, list[str], str]], stored: tuple[int, int] | None = None
) -> tuple[object, ...]:
    """The values of a `TranscriptErrorRow` from `wer` on, pooled.

    Args:
        texts: reference, transcript, entities and language.
        stored: errors and words by Whisper's normaliser, if they are known; otherwise they are counted here.
    """
    rows = list(texts)
    pairs = [_errors(reference, transcript, tuple(names), language) for reference, transcript, names, language in rows]
    words = pooled(words for words, _ in pairs)
    entities = pooled_entities(named for _, named in pairs)
    if stored is None:
        whisper = pooled(
            whisper_word_errors(reference, transcript, language) for reference, transcript, _, language in rows
        )
        stored = whisper.errors, whisper.words
    rate = stored[0] / stored[1] if stored[1] else None
    wer = (words.rate, words.errors, words.words, rate, *stored)
    return *wer, words.coverage, entities.entities, entities.ne_wer, entities.ne_fnr


# Cached, because every clip is counted twice (in its type and over all), and texts of clips repeat in several voices.
@lru_cache(maxsize=1 << 15)
def _errors(reference: str, transcript: str, names: tuple[str, ...], language: str) -> tuple[WordErrors, EntityErrors]:
    return word_errors(reference, transcript, language), entity_errors(reference, transcript, names, language)


def _transcript_errors(given: AnalysisInput) -> pl.DataFrame:
    evidence = evidence_of(given)
    if evidence.golds is None:
        return TRANSCRIPT_ERRORS_SCHEMA.to_frame()
    return transcript_errors(given.results, evidence.golds, evidence.clips)


TRANSCRIPT_ERRORS = Table(name="transcript_errors", row=TranscriptErrorRow, compute=_transcript_errors)
"""Empty without gold answers."""
