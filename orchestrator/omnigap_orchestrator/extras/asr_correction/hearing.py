"""Errors of the ASR scorer on words and on answers: against known texts, and against the models' own texts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from omnigap.vocabulary import Outcome
from omnigap_orchestrator.analysis.denominators import condition_rank
from omnigap_orchestrator.analysis.table import AnalysisInput, Table, schema_of
from omnigap_orchestrator.extras.asr_correction.rates import evidence_of
from omnigap_orchestrator.scoring import (
    EntityErrors,
    WordErrors,
    entity_errors,
    pooled,
    pooled_entities,
    word_errors,
)


@dataclass(frozen=True, slots=True)
class HearingRow:
    """Errors of the transcripts of one kind of text."""

    # What the transcript is compared with: `calibration`, the text that was said; `own_text`, the model's own.
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
    # (T - D) / T, pooled: the share of the words for which something was heard. A lost tail shows here.
    coverage: float | None
    # Over the gold answers and aliases that the reference holds.
    entities: int
    ne_wer: float | None
    ne_fnr: float | None


HEARING_SCHEMA = schema_of(HearingRow)

_GOLDS: dict[str, pl.DataType | type[pl.DataType]] = {
    "item_id": pl.String,
    "language": pl.String,
    "answers": pl.List(pl.String),
}

GOLDS_SCHEMA = pl.Schema(_GOLDS)
"""The gold answer and its aliases of every item: the entities whose errors are counted."""

AGAINST_CALIBRATION, AGAINST_OWN_TEXT = "calibration", "own_text"

_Row = tuple[str, str, tuple[str, ...], str]


def hearing(results: pl.DataFrame, golds: pl.DataFrame, clips: pl.DataFrame | None = None) -> pl.DataFrame:
    """WER, coverage, NE-WER and NE-FNR (`HEARING_SCHEMA`), each pooled: errors are summed before they are divided.

    Against the calibration clips, by answer type and over all, what was said is known. Against a model's own text, by
    condition, its voice errs as well as the scorer.

    Args:
        results: with own_text and transcript; without them only the clips are compared.
        golds: a frame of `GOLDS_SCHEMA`.
        clips: the table of a calibration.
    """
    rows: list[tuple[object, ...]] = []
    if clips is not None and clips.height:
        told = clips.filter(pl.col("transcript").is_not_null()).join(
            golds.select("item_id", "answers"), on="item_id", how="left"
        )
        entities = pl.when(pl.col("truly_right")).then(pl.col("answers")).otherwise(pl.concat_list("truth"))
        told = told.with_columns(entities=entities.fill_null(pl.concat_list("truth")))
        for answer_type, part in (("", told), *((t, told.filter(answer_type=t)) for t in _sorted(told))):
            counted = _counted(part.select("spoken", "transcript", "entities", "language").iter_rows())
            rows.append((AGAINST_CALIBRATION, None, None, answer_type or None, part.height, *counted))
    if {"own_text", "transcript"} <= set(results.columns):
        spoken = results.filter(
            (pl.col("outcome") == Outcome.ANSWERED.value)
            & pl.col("transcript").is_not_null()
            & (pl.col("own_text").str.strip_chars() != "")
        ).select("model", "condition", "item_id", "own_text", "transcript")
        spoken = spoken.join(golds, on="item_id").sort("model", condition_rank(), "condition")
        for (model, condition), part in spoken.group_by("model", "condition", maintain_order=True):
            counted = _counted(part.select("own_text", "transcript", "answers", "language").iter_rows())
            rows.append((AGAINST_OWN_TEXT, model, condition, None, part.height, *counted))
    return pl.DataFrame(rows, schema=HEARING_SCHEMA, orient="row")


def _sorted(clips: pl.DataFrame) -> list[str]:
    return clips["answer_type"].unique().sort().to_list()


def _counted(texts: Iterable[tuple[str, str, list[str], str]]) -> tuple[object, ...]:
    """WER, word errors, words, coverage, entities, NE-WER and NE-FNR of references against what was heard."""
    pairs = [_errors((said, heard, tuple(names), language)) for said, heard, names, language in texts]
    words = pooled(words for words, _ in pairs)
    entities = pooled_entities(named for _, named in pairs)
    errors = words.insertions + words.deletions + words.substitutions
    return words.rate, errors, words.words, words.coverage, entities.entities, entities.ne_wer, entities.ne_fnr


@lru_cache(maxsize=1 << 15)
def _errors(row: _Row) -> tuple[WordErrors, EntityErrors]:
    said, heard, names, language = row
    return word_errors(said, heard, language), entity_errors(said, heard, names, language)


def _hearing(given: AnalysisInput) -> pl.DataFrame:
    evidence = evidence_of(given)
    if evidence.golds is None:
        return HEARING_SCHEMA.to_frame()
    return hearing(given.results, evidence.golds, evidence.clips)


HEARING = Table(name="hearing", row=HearingRow, compute=_hearing)
"""Empty without gold answers."""
