"""Speech scores and gaps corrected for the ASR scorer, per model and condition, beside the raw ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, replace

import numpy as np
import polars as pl

from omnigap_orchestrator.analysis.choose_interval import Sample, mean_interval
from omnigap_orchestrator.analysis.options import IntervalOptions, MissingRule
from omnigap_orchestrator.analysis.pairs import (
    NEEDED_COLUMNS,
    FloatArray,
    ModelScores,
    is_scored,
    item_scores,
    score_matrices,
)
from omnigap_orchestrator.analysis.table import AnalysisInput, Table, schema_of
from omnigap_orchestrator.extras.asr_correction.rates import ALL_FOILS, PLAIN, SOUND_ALIKE, calibrations_of, evidence_of
from omnigap_orchestrator.extras.asr_correction.rogan_gladen import Calibration, Corrected, correct


@dataclass(frozen=True, slots=True)
class CalibratedRow:
    """Raw and corrected score and gap of one condition, and those by a second scorer."""

    model: str
    condition: str
    # Which ends of the gap the ASR scorer has heard, and which are corrected: condition, reference or both.
    heard: str
    raw: float | None
    corrected: float | None
    low: float | None
    high: float | None
    # Of the part of the interval that the items bring; the calibration's variance is added to it.
    method: str | None
    # The part of the standard error that the calibration itself brings.
    calibration_se: float | None
    n: int
    raw_gap: float | None
    corrected_gap: float | None
    gap_low: float | None
    gap_high: float | None
    gap_method: str | None
    gap_calibration_se: float | None
    gap_n: int
    # Corrected with q0 over plain foils alone, and over sound-alikes alone, as a sensitivity band.
    corrected_plain: float | None
    corrected_sound_alike: float | None
    gap_plain: float | None
    gap_sound_alike: float | None
    # By another ASR scorer, raw, and by the first on the same cells: on items of which both have heard answers.
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
    # Which metrics took rates that are not their own.
    note: str | None
    reason: str | None


CALIBRATED_SCHEMA = schema_of(CalibratedRow)

CONDITION, REFERENCE, BOTH = "condition", "reference", "both"
"""Which ends of a gap the ASR scorer has heard, and so which are corrected."""

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

    Where the reference is itself spoken, both ends of a gap are corrected, and the gaps of written answers, whose
    reference was heard, have rows as well.

    Args:
        results: with answer_type and output; `metric` where rates differ by it; `second_score`, the score by another
        ASR, is compared with the first on the cells that both have heard.
        calibrations: empty: only what needs none is given.
        bands: calibrations with q0 over plain foils alone, and over sound-alikes alone.

    Returns:
        A frame of `CALIBRATED_SCHEMA`, nulls with the `reason` where a correction is refused: scores that are not 0 or
        1, an answer type without calibration, a scorer that tells too little, too many pairs without a score.
    """
    speech = results.filter(pl.col("output") == "speech")
    spoken = set(speech.select("model", "condition").unique().iter_rows())
    graded = speech.filter(is_scored() & ~pl.col("score").is_in([0.0, 1.0]))
    not_binary = set(graded.select("model", "condition").unique().iter_rows())
    second = second_opinions(results, reference, spoken, options)
    kinds = _kinds(results)
    rows: list[tuple[object, ...]] = []
    for scores in score_matrices(item_scores(results.select(NEEDED_COLUMNS))):
        for condition in scores.conditions:
            ends = (scores.model, condition) in spoken, (scores.model, reference) in spoken
            if not ends[0] and (not ends[1] or condition == reference):
                continue
            heard = {(scores.model, name) for name, said in zip((condition, reference), ends, strict=True) if said}
            refusal = "the metric is not binary" if heard & not_binary else None
            ask = _Question(scores, condition, reference, ends, kinds, rule, options, refusal)
            main = ask.score(calibrations), ask.gap(calibrations)
            numbers = [x for c in main for x in (c.raw, c.estimate, c.low, c.high, c.method, c.calibration_se, c.n)]
            band = [found(by).estimate for found in (ask.score, ask.gap) for by in bands]
            side = BOTH if all(ends) and condition != reference else CONDITION if ends[0] else REFERENCE
            opinion = second.get((scores.model, condition), SecondOpinion())
            if ask.too_few():
                opinion = replace(opinion, gap=_NAN, first_gap=_NAN)
            reason = next((c.reason for c in main if c.reason is not None), None)
            note = ask.note(calibrations) if reason is None else None
            rows.append((scores.model, condition, side, *numbers, *band, *astuple(opinion), note, reason))
    return pl.DataFrame(rows, schema=CALIBRATED_SCHEMA, orient="row").fill_nan(None)


_Kind = tuple[str | None, str | None]
"""An answer type, and the metric of the item."""


def _kinds(results: pl.DataFrame) -> dict[str, _Kind]:
    metric = pl.col("metric") if "metric" in results.columns else pl.lit(None, pl.String)
    frame = results.group_by("item_id").agg(pl.col("answer_type").first(), metric=metric.drop_nulls().first())
    return {item: (answer_type, name) for item, answer_type, name in frame.iter_rows()}


@dataclass(frozen=True, slots=True)
class _Question:
    """One condition of one model; `ends`: whether its answers, and those of the reference, were heard by the scorer."""

    scores: ModelScores
    condition: str
    reference: str
    ends: tuple[bool, bool]
    kinds: Mapping[str, _Kind]
    rule: MissingRule
    options: IntervalOptions
    refusal: str | None

    def score(self, calibrations: tuple[Calibration, ...]) -> Corrected:
        """The accuracy; a written answer's is not corrected, and has no reason not to be."""
        if self.ends[0]:
            return self._corrected([self.condition], calibrations)
        held = self.scores.score[:, self.scores.column(self.condition)]
        held = held[~np.isnan(held)]
        raw = float(held.mean()) if len(held) else _NAN
        return Corrected.refused(raw, len(held), 0, None)

    def gap(self, calibrations: tuple[Calibration, ...]) -> Corrected:
        """The gap; of the reference itself there is none."""
        if self.condition == self.reference:
            return Corrected.refused(_NAN, 0, 0, None)
        if self.reference not in self.scores.conditions:
            return Corrected.refused(_NAN, 0, 0, f"no {self.reference} to compare with")
        found = self._corrected([self.condition, self.reference], calibrations)
        return replace(found, raw=_NAN) if self.too_few() else found

    def too_few(self) -> bool:
        """Whether the gap is refused for missing scores, corrected or not."""
        names = (self.condition, self.reference)
        if not set(names) <= set(self.scores.conditions):
            return False
        return self.rule.refuses(*self._lacking([self.scores.column(name) for name in names]))

    def _lacking(self, columns: list[int]) -> tuple[int, int]:
        """Of the items planned in these conditions those that lack a score, and the number of all."""
        planned = self.scores.where(np.all(self.scores.planned[:, columns] > 0, axis=1))
        return int(planned.lacking(columns).sum()), len(planned.items)

    def note(self, calibrations: tuple[Calibration, ...]) -> str | None:
        """The metrics that have no rates of their own, and so take those of all clips of their answer type."""
        places, others = _Places(calibrations), set()
        for answer_type, metric in {self.kinds[str(item)] for item in self.scores.items}:
            code = places.of((answer_type, metric))
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
        places = _Places(calibrations)
        found = [places.of(self.kinds[str(item)]) for item in held.items]
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
        key = ("corrected", scores.model, *names)
        return correct(ends[0], codes, calibrations, held.cluster, base, self.options, heard=self.ends, key=key)


class _Places:
    """Which calibration an item takes: that of its answer type by its metric, else the one over most metrics."""

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
    """Empty without a calibration and without a second scorer: raw scores are in the other tables."""
    results, evidence, options = given.results, evidence_of(given), given.options
    second = "second_score" in results.columns and results["second_score"].null_count() < results.height
    known = {"output", "answer_type"} <= set(results.columns)
    if not known or (evidence.clips is None and not evidence.refused and not second):
        return CALIBRATED_SCHEMA.to_frame()
    if evidence.clips is None:
        table = calibrated(results, (), options.missing, options.intervals, options.reference)
        return table.with_columns(reason=pl.lit(evidence.refused)) if evidence.refused else table
    by_all, plain, sound_alike = (calibrations_of(evidence.clips, foil) for foil in (ALL_FOILS, PLAIN, SOUND_ALIKE))
    bands = (plain, sound_alike)
    return calibrated(results, by_all, options.missing, options.intervals, options.reference, bands)


CALIBRATED = Table(name="calibrated", row=CalibratedRow, compute=_calibrated)


# Both scorers on the answers that both have transcribed, paired by item.


@dataclass(frozen=True, slots=True)
class SecondOpinion:
    """Both scorers on the cells that both have heard, replicates averaged within the item; NaN where there are none.

    Attributes:
        score, first_score, n: mean over items by the second and by the first scorer, and the number of items.
        cells: answers that both have heard.
        difference: second minus first on these, with its interval and the method of that.
        gap, first_gap, gap_n: mean gap by each, over the items that have the reference as well.
    """

    score: float = np.nan
    first_score: float = np.nan
    n: int = 0
    cells: int = 0
    difference: float = np.nan
    low: float = np.nan
    high: float = np.nan
    method: str | None = None
    gap: float = np.nan
    first_gap: float = np.nan
    gap_n: int = 0


def second_opinions(
    results: pl.DataFrame, reference: str, spoken: Iterable[tuple[str, str]], options: IntervalOptions
) -> dict[tuple[str, str], SecondOpinion]:
    """By model and spoken condition; empty where the table has no `second_score`.

    A reference that is spoken is the second scorer's own in its gaps, and both scorers' gaps stand on the items of
    which both have heard both ends; a written one is the same for both.

    Args:
        spoken: the (model, condition) pairs whose answers the scorers hear.
    """
    if "second_score" not in results.columns:
        return {}
    scored = results.filter(is_scored()).with_columns(pl.col("cluster").fill_null(pl.col("item_id")))
    both = _by_item(scored.filter(pl.col("second_score").is_not_null()))
    written = _by_item(scored.filter(condition=reference).with_columns(second_score=pl.col("score")))
    pairs = set(spoken)
    out: dict[tuple[str, str], SecondOpinion] = {}
    for model, condition in sorted(pairs):
        held = both.filter(model=model, condition=condition)
        if held.is_empty():
            continue
        ends = (both if (model, reference) in pairs else written).filter(model=model, condition=reference)
        paired = held.join(ends.select("item_id", base="score", second_base="second_score"), on="item_id")
        out[model, condition] = _opinion(held, paired.clear() if condition == reference else paired, options)
    return out


def _by_item(cells: pl.DataFrame) -> pl.DataFrame:
    return (
        cells.group_by("model", "condition", "item_id", "task", "cluster")
        .agg(pl.col("score").mean(), pl.col("second_score").mean(), cells=pl.len())
        .sort("model", "condition", "item_id")
    )


def _opinion(held: pl.DataFrame, paired: pl.DataFrame, options: IntervalOptions) -> SecondOpinion:
    first, second = _values(held, "score"), _values(held, "second_score")
    apart = second - first
    binary = bool((held["cells"] == 1).all() and np.isin(np.concatenate([first, second]), (0.0, 1.0)).all())
    sample = Sample(apart, _codes(held["cluster"]), _codes(held["task"]), binary, difference=True)
    interval = mean_interval(sample, options, "second scorer", held["model"][0], held["condition"][0])
    base, second_base = _values(paired, "base"), _values(paired, "second_base")
    return SecondOpinion(
        score=float(second.mean()),
        first_score=float(first.mean()),
        n=held.height,
        cells=int(held["cells"].sum()),
        difference=float(apart.mean()),
        low=interval.low,
        high=interval.high,
        method=interval.method,
        gap=_mean(_values(paired, "second_score") - second_base),
        first_gap=_mean(_values(paired, "score") - base),
        gap_n=paired.height,
    )


def _values(frame: pl.DataFrame, name: str) -> FloatArray:
    return frame[name].cast(pl.Float64).to_numpy()


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if len(values) else np.nan


def _codes(labels: pl.Series) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    _, codes = np.unique(labels.to_numpy().astype(str), return_inverse=True)
    return np.asarray(codes, dtype=np.int64)
