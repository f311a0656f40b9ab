"""Which text of a spoken answer the first screen rests on: the model's own text where it has one, else the transcript.

A transcript also carries the errors of speech synthesis and of our ASR; the table `synthesis_and_asr` states them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from omnigap.vocabulary import CONDITIONS, Modality, Outcome
from omnigap_orchestrator.analysis.contrasts import (
    ITEM_WEIGHTED,
    Contrast,
    contrast_values,
    estimate_contrast,
)
from omnigap_orchestrator.analysis.options import IntervalOptions, MissingRule
from omnigap_orchestrator.analysis.pairs import (
    MODELS,
    NEEDED_COLUMNS,
    ModelScores,
    item_scores,
    own_text_scored,
    score_matrices,
)
from omnigap_orchestrator.analysis.table import Derived, IntervalColumns, Table, schema_of

OWN_TEXT, TRANSCRIPT = "own_text", "transcript"
"""Sources of a score. A text answer is the model's own text."""
MIXED = "mixed"
"""Source of a contrast of conditions with different sources."""

NumberT = TypeVar("NumberT", np.float64, np.int64)

_SPOKEN = tuple(c.name for c in CONDITIONS if c.output is Modality.SPEECH)
_TYPED = tuple(c.name for c in CONDITIONS if c.output is Modality.TEXT)
_OWN = " own text"


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the scores of the first screen come from.

    Attributes:
        by_condition: (model, condition) -> own_text or transcript; conditions of other tools are left out.
        replaced: the spoken conditions whose transcripts' scores are replaced by those of the own text.
    """

    by_condition: Mapping[tuple[str, str], str]
    replaced: frozenset[tuple[str, str]]

    def uses_own_text(self, model: str, contrast: Contrast) -> bool:
        """Whether the contrast differs from the one on transcripts."""
        return any((model, name) in self.replaced for name in contrast.conditions)

    def of(self, model: str, conditions: Sequence[str]) -> str | None:
        """The source of a contrast: that of its spoken conditions; null for conditions of other tools."""
        found = {self.by_condition.get((model, name)) for name in conditions}
        if None in found:
            return None
        # A text condition is no reason to call a contrast of transcripts mixed.
        spoken = {self.by_condition[model, name] for name in conditions if name in _SPOKEN}
        return MIXED if len(spoken) > 1 else next(iter(spoken), OWN_TEXT)


def sources(results: pl.DataFrame, rule: MissingRule) -> Sources:
    """The source of every condition.

    The own text counts only if the model gives it with practically every answer: `rule` decides how many answered cells
    may lack its score, or have an empty own text with a transcript that is not empty. A model that writes a text now
    and its transcripts are then scored instead of empty own texts.
    """
    optional = {"own_text": pl.String, "transcript": pl.String, "own_text_score": pl.Float64}
    lacking = [pl.lit(None, kind).alias(name) for name, kind in optional.items() if name not in results.columns]
    answered = results.filter(pl.col("outcome") == Outcome.ANSWERED.value).with_columns(lacking)
    found = {
        (model, name): OWN_TEXT
        for model, name in results.select("model", "condition").unique().iter_rows()
        if name in _TYPED
    }
    replaced: set[tuple[str, str]] = set()
    text, transcript, score = pl.col("own_text"), pl.col("transcript"), pl.col("own_text_score")
    unwritten = (_blank(text) & ~_blank(transcript)).fill_null(False)
    counts = (
        answered.filter(pl.col("condition").is_in(_SPOKEN))
        .group_by("model", "condition")
        .agg(
            pl.len().alias("answered"),
            (score.is_null() & ~_blank(text).fill_null(False) | unwritten).sum().alias("unwritten"),
            (score.is_not_null() & ~_blank(text).fill_null(False)).any().alias("written"),
            transcript.is_not_null().any().alias("transcribed"),
        )
    )
    strict = replace(rule, allow=False)
    for model, name, cells, without, written, transcribed in counts.iter_rows():
        if written and not strict.refuses(without, cells):
            found[model, name] = OWN_TEXT
            replaced.add((model, name))
        elif transcribed:
            found[model, name] = TRANSCRIPT
    return Sources(found, frozenset(replaced))


def _blank(text: pl.Expr) -> pl.Expr:
    return text.str.strip_chars() == ""


SOURCES = Derived(lambda given: sources(given.results, given.options.missing))


def _is_replaced(replaced: frozenset[tuple[str, str]]) -> pl.Expr:
    names = [f"{model}\0{condition}" for model, condition in sorted(replaced)]
    return pl.concat_str("model", "condition", separator="\0").is_in(names)


def _own_scores(results: pl.DataFrame, found: Sources) -> dict[str, ModelScores]:
    """The own text's scores of the replaced conditions, by model."""
    rows = results.filter(_is_replaced(found.replaced))
    own = own_text_scored(rows).with_columns(score=pl.col("own_text_score")) if rows.height else rows
    return {scores.model: scores for scores in score_matrices(item_scores(own.select(NEEDED_COLUMNS)))}


OWN_SCORES = Derived(lambda given: _own_scores(given.results, given[SOURCES]))


def _with_own_text(scores: ModelScores, own: ModelScores | None, rename: Callable[[str], str]) -> ModelScores:
    """The scores with the columns of `own` under other names, in place of those that they have already."""
    if own is None:
        return scores
    names = tuple(rename(name) for name in own.conditions)
    conditions = (*scores.conditions, *(name for name in names if name not in scores.conditions))
    columns = [conditions.index(name) for name in names]
    # Both are sorted by id, and the items of `own` are among those of the model.
    places = np.ix_(np.searchsorted(scores.items, own.items), np.array(columns))
    added = len(conditions) - len(scores.conditions)

    def spliced(base: NDArray[NumberT], values: NDArray[NumberT], empty: float) -> NDArray[NumberT]:
        out = np.pad(base, ((0, 0), (0, added)), constant_values=empty)
        out[:, columns] = empty
        out[places] = values
        return out

    return replace(
        scores,
        conditions=conditions,
        planned=spliced(scores.planned, own.planned, 0),
        scored=spliced(scores.scored, own.scored, 0),
        score=spliced(scores.score, own.score, np.nan),
        low=spliced(scores.low, own.low, np.nan),
        high=spliced(scores.high, own.high, np.nan),
    )


def _headline(models: Sequence[ModelScores], own: Mapping[str, ModelScores]) -> list[ModelScores]:
    return [_with_own_text(scores, own.get(scores.model), lambda name: name) for scores in models]


def headline_scores(results: pl.DataFrame, rule: MissingRule) -> list[ModelScores]:
    """The scores of every model, by its own text in the spoken conditions that have one.

    Raises:
        ResultsError: as `item_scores`.
    """
    return _headline(score_matrices(item_scores(results)), _own_scores(results, sources(results, rule)))


HEADLINE_MODELS = Derived(lambda given: _headline(given[MODELS], given[OWN_SCORES]))
"""As `MODELS`, with the score of the own text in the conditions of `Sources.replaced`."""


@dataclass(frozen=True)
class _SpokenKey:
    model: str
    condition: str


@dataclass(frozen=True, slots=True)
class SpokenRow(IntervalColumns, _SpokenKey):
    """Score of the transcript minus score of the own text, on the same answers."""

    lacking: int
    reason: str | None
    # Mean scores on these answers.
    own_text: float | None
    transcript: float | None


SPOKEN_SCHEMA = schema_of(SpokenRow)


def synthesis_and_asr(
    models: Sequence[ModelScores], own: Mapping[str, ModelScores], rule: MissingRule, options: IntervalOptions
) -> pl.DataFrame:
    """Transcript minus own text of each spoken condition, item-weighted: what speech synthesis and our ASR change.

    Args:
        models: scores of the transcripts.
        own: scores of the own texts, by model, in the conditions to compare.

    Returns:
        A frame of `SPOKEN_SCHEMA`.
    """
    rows: list[tuple[object, ...]] = []
    for scores in (_with_own_text(s, own[s.model], lambda name: name + _OWN) for s in models if s.model in own):
        for condition in own[scores.model].conditions:
            contrast = Contrast(condition, ((condition, 1.0), (condition + _OWN, -1.0)), f"{condition} -{_OWN}")
            values = contrast_values(scores, contrast)
            found = estimate_contrast(
                values,
                contrast,
                pooling=ITEM_WEIGHTED,
                missing_as_wrong=False,
                rule=rule,
                options=options,
            )
            used = values.scores.where(~np.isnan(values.value))
            means = [
                float(used.score[:, used.column(name)].mean()) if found.n else None
                for name in (condition + _OWN, condition)
            ]
            interval = (found.estimate, found.low, found.high, found.method, found.n, found.clusters, found.planned)
            rows.append((scores.model, condition, *interval, found.lacking, found.reason, *means))
    return pl.DataFrame(rows, schema=SPOKEN_SCHEMA, orient="row").fill_nan(None)


SYNTHESIS_AND_ASR = Table(
    name="synthesis_and_asr",
    row=SpokenRow,
    compute=lambda given: synthesis_and_asr(
        given[MODELS], given[OWN_SCORES], given.options.missing, given.options.intervals
    ),
)
