"""Contrasts of conditions and their tests: estimates with intervals, sign-flip test, Holm, Benjamini-Hochberg.

A contrast is computed per item and then averaged; gaps, effects and interactions are all contrasts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from omnigap_orchestrator.analysis.choose_interval import Sample, macro_interval, mean_interval
from omnigap_orchestrator.analysis.inference import Inference, infer
from omnigap_orchestrator.analysis.intervals import Interval
from omnigap_orchestrator.analysis.options import IntervalOptions, MissingRule
from omnigap_orchestrator.analysis.pairs import BoolArray, FloatArray, ModelScores

_Step = Callable[[FloatArray, int], FloatArray]


def holm(p: npt.ArrayLike) -> FloatArray:
    """Adjusted p-values of one family: Holm's step-down procedure (1979), which controls the familywise error.

    NaN (no test) stays NaN and is not counted as a test.
    """
    return _adjust(p, lambda ordered, m: np.maximum.accumulate(ordered * np.arange(m, 0, -1)))


def benjamini_hochberg(p: npt.ArrayLike) -> FloatArray:
    """Adjusted p-values of one family: Benjamini and Hochberg (1995), which controls the false discovery rate.

    NaN (no test) stays NaN and is not counted as a test.
    """
    return _adjust(p, lambda ordered, m: np.minimum.accumulate((ordered * m / np.arange(1, m + 1))[::-1])[::-1])


def _adjust(p: npt.ArrayLike, step: _Step) -> FloatArray:
    """Applies `step` to the sorted p-values and their number, and clips to 1."""
    values = np.asarray(p, dtype=np.float64)
    out = np.full(values.shape, np.nan)
    present = np.flatnonzero(~np.isnan(values))
    if present.size:
        order = present[np.argsort(values[present], kind="stable")]
        out[order] = np.minimum(step(values[order], present.size), 1.0)
    return out


ITEM_WEIGHTED = "item_weighted"
TASK_MACRO = "task_macro"

ANSWERED_PAIRS = "answered_pairs"
MISSING_AS_WRONG = "missing_as_wrong"


def headline(frame: pl.DataFrame, missing: str, model: str | None = None) -> pl.DataFrame:
    """The main rows of a table of accuracies or contrasts: item-weighted, with one treatment of missing answers.

    Args:
        missing: answered_only, answered_pairs or missing_as_wrong.
        model: name of the model; None: all models.
    """
    chosen = frame.filter((pl.col("pooling") == ITEM_WEIGHTED) & (pl.col("missing") == missing))
    return chosen if model is None else chosen.filter(pl.col("model") == model)


@dataclass(frozen=True, slots=True)
class Contrast:
    """A weighted sum of conditions whose weights add up to 0: (("s2t", 1), ("t2t", -1)) is the gap of s2t."""

    name: str
    weights: tuple[tuple[str, float], ...]
    # The contrast as tables show it.
    formula: str

    def __post_init__(self) -> None:
        # Otherwise it would not be 0 for equal conditions.
        if abs(sum(weight for _, weight in self.weights)) > 1e-12 or not self.weights:
            raise ValueError(f"the weights of contrast {self.name!r} do not add up to 0: {self.weights}")

    @property
    def conditions(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.weights)

    @property
    def is_pair(self) -> bool:
        return sorted(weight for _, weight in self.weights) == [-1.0, 1.0]

    @property
    def bound(self) -> float:
        """Largest absolute value with scores in [0, 1]."""
        return sum(abs(weight) for _, weight in self.weights) / 2


def gap_contrast(condition: str, reference: str) -> Contrast:
    return Contrast(condition, ((condition, 1.0), (reference, -1.0)), f"{condition} - {reference}")


@dataclass(frozen=True, slots=True)
class ContrastValues:
    """A contrast per planned item, arrays of shape (items,); `value` is NaN where a condition has no score."""

    value: FloatArray
    # With every missing replicate as wrong, and the smallest and largest value that missing replicates allow.
    missing_as_wrong: FloatArray
    low: FloatArray
    high: FloatArray
    lacking: BoolArray
    # A pair of conditions with one replicate each, and all known scores 0 or 1.
    binary: bool
    scores: ModelScores


def contrast_values(scores: ModelScores, contrast: Contrast) -> ContrastValues:
    """The contrast on the items whose cells are planned and supported in all of its conditions."""
    columns = [scores.column(name) for name in contrast.conditions]
    part = scores.where(np.all(scores.planned[:, columns] > 0, axis=1))
    weights = np.array([weight for _, weight in contrast.weights])
    score, low, high = part.score[:, columns], part.low[:, columns], part.high[:, columns]
    # The lower bound takes missing scores as wrong in conditions of positive weight and right in the others.
    positive = weights > 0
    known = score[~np.isnan(score)]
    return ContrastValues(
        value=score @ weights,
        missing_as_wrong=low @ weights,
        low=np.where(positive, low, high) @ weights,
        high=np.where(positive, high, low) @ weights,
        lacking=part.lacking(columns),
        binary=bool(contrast.is_pair and (part.planned[:, columns] == 1).all() and np.isin(known, (0.0, 1.0)).all()),
        scores=part,
    )


@dataclass(frozen=True, slots=True)
class Estimate:
    """One estimate with its interval, counts, bounds and tests; fields as in `ContrastColumns`, NaN for null."""

    estimate: float = math.nan
    low: float = math.nan
    high: float = math.nan
    method: str | None = None
    se: float = math.nan
    n: int = 0
    clusters: int = 0
    planned: int = 0
    lacking: int = 0
    bound_low: float = math.nan
    bound_high: float = math.nan
    reason: str | None = None
    b: int | None = None
    c: int | None = None
    p: float = math.nan
    p_method: str | None = None
    p_adjusted: float = math.nan
    adjustment: str | None = None
    family: str | None = None


def pooled_mean(values: FloatArray, scores: ModelScores, pooling: str) -> float:
    """The item-weighted mean, or the mean of the task means; NaN without values."""
    if len(values) == 0:
        return math.nan
    if pooling == ITEM_WEIGHTED:
        return float(values.mean())
    sizes = np.bincount(scores.task)
    means = np.bincount(scores.task, weights=values) / np.maximum(sizes, 1)
    return float(means.sum() / np.count_nonzero(sizes))


def estimates(
    values: ContrastValues, contrast: Contrast, pooling: str, rule: MissingRule, options: IntervalOptions
) -> list[tuple[str, Estimate]]:
    """The contrast on the answered pairs and with missing as wrong; the same estimate if nothing is missing."""
    out: list[tuple[str, Estimate]] = []
    for missing in (ANSWERED_PAIRS, MISSING_AS_WRONG):
        if out and not values.lacking.any():
            out.append((missing, out[0][1]))
            continue
        estimate = estimate_contrast(
            values,
            contrast,
            pooling=pooling,
            missing_as_wrong=missing == MISSING_AS_WRONG,
            rule=rule,
            options=options,
        )
        out.append((missing, estimate))
    return out


def estimate_contrast(
    values: ContrastValues,
    contrast: Contrast,
    *,
    pooling: str,
    missing_as_wrong: bool,
    rule: MissingRule,
    options: IntervalOptions,
) -> Estimate:
    """The mean of a contrast with interval, discordant counts, test and bounds.

    Answers rarely go missing by chance. As long as `rule` would not refuse the contrast without `allow`, interval and
    test on the answered pairs hold for every value of the missing scores: the interval reaches from the lower limit
    with the smallest values to the upper limit with the largest ones (Horowitz and Manski 2000, Journal of the American
    Statistical Association 95:77), and p is that of the values nearest to no difference. With more missing, which
    `allow` asks for, they are about the answered pairs alone.

    Args:
        missing_as_wrong: count every planned pair; otherwise only answered pairs, and the estimate is null, with a
            reason, if `rule` refuses it.
    """
    planned, lacking = len(values.value), int(values.lacking.sum())
    bounds = pooled_mean(values.low, values.scores, pooling), pooled_mean(values.high, values.scores, pooling)
    partial = Estimate(planned=planned, lacking=lacking, bound_low=bounds[0], bound_high=bounds[1])
    everywhere = values.missing_as_wrong if missing_as_wrong else values.value
    used = ~np.isnan(everywhere)
    reason = _refusal(planned, lacking, int(used.sum()), rule, missing_as_wrong)
    if reason is not None:
        return replace(partial, reason=reason)
    # Bounds are over all planned items, the estimate over the used ones only.
    scores = values.scores.where(used)
    sample = Sample(everywhere[used], scores.cluster, scores.task, values.binary, difference=True, bound=contrast.bound)
    macro = pooling == TASK_MACRO
    note = None
    if not lacking or missing_as_wrong:
        found = infer(sample, options, macro=macro)
    elif replace(rule, allow=False).refuses(lacking, planned):
        note = f"on answered pairs: {lacking} of {planned} planned pairs lack a score"
        found = infer(sample, options, macro=macro)
    else:
        note = (
            f"on answered pairs: {lacking} of {planned} planned pairs lack a score; "
            "interval and test hold for all their possible values"
        )
        every = values.scores
        filled = [
            replace(sample, values=end, cluster=every.cluster, task=every.task) for end in (values.low, values.high)
        ]
        interval = (macro_interval if macro else mean_interval)(sample, options)
        found = _for_all_values(interval, [infer(each, options, macro=macro) for each in filled], bounds)
    b = c = None
    if values.binary:
        b, c = int((sample.values < 0).sum()), int((sample.values > 0).sum())
    return replace(
        partial,
        estimate=pooled_mean(sample.values, scores, pooling),
        low=found.low,
        high=found.high,
        method=found.method,
        se=found.se,
        n=len(sample.values),
        clusters=int(np.count_nonzero(np.bincount(scores.cluster))),
        reason=note,
        b=b,
        c=c,
        p=found.p,
        p_method=found.p_method,
    )


def _for_all_values(answered: Interval, ends: list[Inference], bounds: tuple[float, float]) -> Inference:
    """The interval and test that hold wherever the missing scores lie between the two `ends`."""
    low, high = ends
    if math.isnan(low.low) or math.isnan(high.high):
        return Inference(math.nan, math.nan, answered.method, answered.se, math.nan, None)
    if bounds[0] <= 0 <= bounds[1]:
        p, p_method = (1.0, "missing_bounds") if bounds[0] < bounds[1] else (low.p, low.p_method)
    else:
        nearest = low if bounds[0] > 0 else high
        p, p_method = nearest.p, nearest.p_method
    return Inference(low.low, high.high, answered.method, answered.se, p, p_method)


def _refusal(planned: int, lacking: int, used: int, rule: MissingRule, missing_as_wrong: bool) -> str | None:
    """Reason why a contrast is not estimated; None if it is."""
    if planned == 0:
        return "no item is planned and supported in all conditions of the contrast"
    if missing_as_wrong:
        return None
    if used == 0:
        return f"none of {planned} planned pairs has both scores"
    if rule.refuses(lacking, planned):
        return f"refused: {lacking} of {planned} planned pairs lack a score; --allow-missing uses the others"
    return None
