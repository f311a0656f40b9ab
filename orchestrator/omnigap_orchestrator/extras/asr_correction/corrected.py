"""The table `calibrated`: raw and corrected score and gap of every condition that involves transcribed speech."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace

import numpy as np
import polars as pl

from omnigap_orchestrator.analysis.options import IntervalOptions, MissingRule
from omnigap_orchestrator.analysis.pairs import (
    NEEDED_COLUMNS,
    ModelScores,
    is_scored,
    item_scores,
    score_matrices,
)
from omnigap_orchestrator.analysis.table import AnalysisInput, Table, schema_of
from omnigap_orchestrator.extras.asr_correction.rates import (
    ALL_WRONG,
    CONFUSABLE,
    DISTRACTOR,
    calibrations_of,
    evidence_of,
)
from omnigap_orchestrator.extras.asr_correction.rogan_gladen import Calibration, Corrected, correct
from omnigap_orchestrator.extras.asr_correction.scorer_comparison import ScorerComparison, scorer_comparisons


@dataclass(frozen=True, slots=True)
class CalibratedRow:
    """Raw and corrected score and gap of one condition, and those from a second scorer."""

    model: str
    condition: str
    # Which conditions of the gap are transcribed by the ASR scorer, and so corrected: condition, reference or both.
    corrected_ends: str
    raw: float | None
    corrected: float | None
    low: float | None
    high: float | None
    # Method of the interval over the items; the calibration's variance is added to it.
    method: str | None
    # The part of the standard error that is due to the calibration.
    calibration_se: float | None
    n: int
    raw_gap: float | None
    corrected_gap: float | None
    gap_low: float | None
    gap_high: float | None
    gap_method: str | None
    gap_calibration_se: float | None
    gap_n: int
    # Corrected with q0 over distractors only, and over confusables only, as a sensitivity band.
    corrected_distractor: float | None
    corrected_confusable: float | None
    gap_distractor: float | None
    gap_confusable: float | None
    # Raw score from another ASR scorer, and from the first one, over the answers that both have transcribed.
    second_scorer: float | None
    second_first: float | None
    second_n: int
    second_cells: int
    # Second minus first.
    second_difference: float | None
    second_low: float | None
    second_high: float | None
    second_method: str | None
    second_gap: float | None
    second_first_gap: float | None
    second_gap_n: int
    # Metrics that were corrected with the rates of their whole answer type.
    note: str | None
    reason: str | None


CALIBRATED_SCHEMA = schema_of(CalibratedRow)

CONDITION, REFERENCE, BOTH = "condition", "reference", "both"
"""Values of `corrected_ends`."""

_NAN = float("nan")


def calibrated(
    results: pl.DataFrame,
    calibrations: tuple[Calibration, ...],
    rule: MissingRule,
    options: IntervalOptions,
    reference: str = "t2t",
    bands: tuple[tuple[Calibration, ...], tuple[Calibration, ...]] = ((), ()),
) -> pl.DataFrame:
    """Raw and corrected accuracy and gap of every condition with a speech answer.

    If the reference is spoken, both conditions of a gap are corrected, and text conditions have rows as well.

    Args:
        results: with the columns answer_type and output; optional: metric, where the rates differ by it, and
            second_score, the score from another ASR scorer, which is compared with the first.
        calibrations: empty: only the columns that need none are filled.
        bands: calibrations with q0 over distractors only, and over confusables only.

    Returns:
        A frame of `CALIBRATED_SCHEMA`. Corrected values are null, with a `reason`, for graded scores, an answer type
        without calibration, an unreliable scorer, and too many pairs without a score.
    """
    speech = results.filter(pl.col("output") == "speech")
    spoken = set(speech.select("model", "condition").unique().iter_rows())
    graded = speech.filter(is_scored() & ~pl.col("score").is_in([0.0, 1.0]))
    not_binary = set(graded.select("model", "condition").unique().iter_rows())
    comparisons = scorer_comparisons(results, reference, spoken, options)
    kinds = _kinds(results)
    rows: list[tuple[object, ...]] = []
    for scores in score_matrices(item_scores(results.select(NEEDED_COLUMNS))):
        for condition in scores.conditions:
            ends = (scores.model, condition) in spoken, (scores.model, reference) in spoken
            if not ends[0] and (not ends[1] or condition == reference):
                continue
            transcribed = {
                (scores.model, name) for name, by_asr in zip((condition, reference), ends, strict=True) if by_asr
            }
            refusal = "the metric is not binary" if transcribed & not_binary else None
            target = _Target(scores, condition, reference, ends, kinds, rule, options, refusal)
            main = target.score(calibrations), target.gap(calibrations)
            numbers = [x for c in main for x in (c.raw, c.estimate, c.low, c.high, c.method, c.calibration_se, c.n)]
            band = [found(by).estimate for found in (target.score, target.gap) for by in bands]
            side = BOTH if all(ends) and condition != reference else CONDITION if ends[0] else REFERENCE
            comparison = comparisons.get((scores.model, condition), ScorerComparison())
            if target.gap_is_refused():
                comparison = replace(comparison, gap=_NAN, first_gap=_NAN)
            reason = next((c.reason for c in main if c.reason is not None), None)
            note = target.note(calibrations) if reason is None else None
            rows.append((scores.model, condition, side, *numbers, *band, *astuple(comparison), note, reason))
    return pl.DataFrame(rows, schema=CALIBRATED_SCHEMA, orient="row").fill_nan(None)


_Kind = tuple[str | None, str | None]
"""An answer type, and the metric of the item."""


def _kinds(results: pl.DataFrame) -> dict[str, _Kind]:
    metric = pl.col("metric") if "metric" in results.columns else pl.lit(None, pl.String)
    frame = results.group_by("item_id").agg(pl.col("answer_type").first(), metric=metric.drop_nulls().first())
    return {item: (answer_type, name) for item, answer_type, name in frame.iter_rows()}


@dataclass(frozen=True, slots=True)
class _Target:
    """One condition of one model, whose score and gap are corrected.

    Attributes:
        ends: whether the answers of the condition, and those of the reference, are transcribed.
        kinds: answer type and metric of each item.
        refusal: reason why no correction applies, known beforehand; None if it may.
    """

    scores: ModelScores
    condition: str
    reference: str
    ends: tuple[bool, bool]
    kinds: Mapping[str, _Kind]
    rule: MissingRule
    options: IntervalOptions
    refusal: str | None

    def score(self, calibrations: tuple[Calibration, ...]) -> Corrected:
        """The accuracy; that of text answers has no corrected value, and no reason, since it needs none."""
        if self.ends[0]:
            return self._corrected([self.condition], calibrations)
        held = self.scores.score[:, self.scores.column(self.condition)]
        held = held[~np.isnan(held)]
        raw = float(held.mean()) if len(held) else _NAN
        return Corrected.refused(raw, len(held), 0, None)

    def gap(self, calibrations: tuple[Calibration, ...]) -> Corrected:
        """The gap; the reference itself has none."""
        if self.condition == self.reference:
            return Corrected.refused(_NAN, 0, 0, None)
        if self.reference not in self.scores.conditions:
            return Corrected.refused(_NAN, 0, 0, f"no {self.reference} to compare with")
        found = self._corrected([self.condition, self.reference], calibrations)
        return replace(found, raw=_NAN) if self.gap_is_refused() else found

    def gap_is_refused(self) -> bool:
        """Whether too many pairs of the gap lack a score, so that not even the raw gap is given."""
        names = (self.condition, self.reference)
        if not set(names) <= set(self.scores.conditions):
            return False
        return self.rule.refuses(*self._lacking([self.scores.column(name) for name in names]))

    def _lacking(self, columns: list[int]) -> tuple[int, int]:
        """Number of items planned in these conditions that lack a score, and number of planned items."""
        planned = self.scores.where(np.all(self.scores.planned[:, columns] > 0, axis=1))
        return int(planned.lacking(columns).sum()), len(planned.items)

    def note(self, calibrations: tuple[Calibration, ...]) -> str | None:
        """Names the metrics that have no separate rates and use those of their whole answer type."""
        lookup, others = _Lookup(calibrations), set()
        for answer_type, metric in {self.kinds[str(item)] for item in self.scores.items}:
            code = lookup.of((answer_type, metric))
            by = () if code is None else calibrations[code].metrics
            if metric is not None and by not in ((), (metric,)):
                others.add(f"{answer_type} by {metric} with the rates of {answer_type} by {', '.join(by)}")
        return "; ".join(sorted(others)) or None

    def _corrected(self, names: list[str], calibrations: tuple[Calibration, ...]) -> Corrected:
        scores, refusal = self.scores, self.refusal
        columns = [scores.column(name) for name in names]
        planned = scores.where(np.all(scores.planned[:, columns] > 0, axis=1))
        lacking, total = self._lacking(columns)
        held = planned.where(~np.any(np.isnan(planned.score[:, columns]), axis=1))
        ends = [held.score[:, column] for column in columns]
        base = ends[1] if len(ends) > 1 else None
        n, clusters = len(held.task), len(np.unique(held.cluster))
        raw = float((ends[0] - (0.0 if base is None else base)).mean()) if n else _NAN
        lookup = _Lookup(calibrations)
        found = [lookup.of(self.kinds[str(item)]) for item in held.items]
        if not calibrations:
            refusal = refusal or "not calibrated"
        elif None in found:
            unknown = {str(self.kinds[str(i)][0]) for i, code in zip(held.items, found, strict=True) if code is None}
            refusal = refusal or f"no calibration of answer type {', '.join(sorted(unknown))}"
        if self.rule.refuses(lacking, total):
            refusal = refusal or f"refused: {lacking} of {total} planned items lack a score"
        if refusal is not None or n == 0:
            return Corrected.refused(raw, n, clusters, refusal or "no scores")
        codes = np.array([code for code in found if code is not None], dtype=np.int64)
        return correct(ends[0], codes, calibrations, held.cluster, base, self.options, transcribed=self.ends)


class _Lookup:
    """The calibration of an item: that of its answer type and metric, otherwise the type's with the most metrics."""

    def __init__(self, calibrations: tuple[Calibration, ...]) -> None:
        self._own = {(c.answer_type, c.metrics): code for code, c in enumerate(calibrations)}
        widest = sorted(enumerate(calibrations), key=lambda found: len(found[1].metrics))
        self._widest = {c.answer_type: code for code, c in widest}

    def of(self, kind: _Kind) -> int | None:
        answer_type, metric = kind
        if answer_type is None:
            return None
        own = self._own.get((answer_type, (metric,))) if metric is not None else None
        return self._widest.get(answer_type) if own is None else own


def _calibrated(given: AnalysisInput) -> pl.DataFrame:
    """Empty without a calibration and without a second scorer: the raw scores are in the other tables."""
    results, evidence, options = given.results, evidence_of(given), given.options
    second = "second_score" in results.columns and results["second_score"].null_count() < results.height
    known = {"output", "answer_type"} <= set(results.columns)
    if not known or (evidence.clips is None and not evidence.refused and not second):
        return CALIBRATED_SCHEMA.to_frame()
    if evidence.clips is None:
        table = calibrated(results, (), options.missing, options.intervals, options.reference)
        return table.with_columns(reason=pl.lit(evidence.refused)) if evidence.refused else table
    by_all, distractor, confusable = (
        calibrations_of(evidence.clips, kind) for kind in (ALL_WRONG, DISTRACTOR, CONFUSABLE)
    )
    bands = (distractor, confusable)
    return calibrated(results, by_all, options.missing, options.intervals, options.reference, bands)


CALIBRATED = Table(name="calibrated", row=CalibratedRow, compute=_calibrated)
