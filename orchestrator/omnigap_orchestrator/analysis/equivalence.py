"""The table `equivalence`: two one-sided tests (TOST) of each gap against a declared margin (Schuirmann 1987).

"Equivalent" is a claim about all planned items, so it must also hold with missing answers as wrong, and in the worst
case: answers that are missing because the condition loses hide the loss from the answered pairs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from scipy import stats

from omnigap_orchestrator.analysis.choose_interval import Sample, mean_interval
from omnigap_orchestrator.analysis.contrasts import ContrastValues, contrast_values, gap_contrast
from omnigap_orchestrator.analysis.intervals import Interval
from omnigap_orchestrator.analysis.options import DEFAULT_MARGIN, IntervalOptions, MissingRule
from omnigap_orchestrator.analysis.own_text import HEADLINE_MODELS
from omnigap_orchestrator.analysis.pairs import FloatArray, ModelScores
from omnigap_orchestrator.analysis.power import clusters_effect, pairs_needed_for_equivalence
from omnigap_orchestrator.analysis.table import Table, schema_of


@dataclass(frozen=True, slots=True)
class EquivalenceRow:
    """The two one-sided tests of one gap."""

    model: str
    condition: str
    reference: str
    margin: float
    alpha: float
    estimate: float | None
    # Interval at level 1 - 2 alpha.
    low: float | None
    high: float | None
    method: str | None
    n: int
    p: float | None
    needed: int | None
    # equivalent, not shown or refused.
    verdict: str
    # Items planned in both conditions, and those of them that lack a score.
    planned: int
    lacking: int
    # The interval of the same level with missing answers as wrong.
    wrong_low: float | None
    wrong_high: float | None
    # One-sided limits of the worst cases: missing wrong in the condition and right in the reference, and the reverse.
    bound_low: float | None
    bound_high: float | None
    # Why equivalence is not claimed; null where it is.
    reason: str | None


EQUIVALENCE_SCHEMA = schema_of(EquivalenceRow)


def equivalence(
    models: Sequence[ModelScores],
    reference: str,
    rule: MissingRule,
    options: IntervalOptions,
    margin: float = DEFAULT_MARGIN,
    alpha: float = 0.05,
    power: float = 0.8,
) -> pl.DataFrame:
    """TOST of every gap, on its answered pairs and with missing answers filled in.

    Two one-sided tests at level alpha reject a gap beyond +-margin if and only if the 1 - 2 alpha interval lies inside
    the margin. The interval is that of `mean_interval`; `p` is the larger one-sided p of the t tests on the answered
    pairs, null for an interval of another method. With missing answers, the interval of missing as wrong and the
    limits of both worst cases must lie inside the margin as well. `needed` is the number of items that show
    equivalence with `power` if there is no gap, at this run's variance and clusters.

    Returns:
        A frame of `EQUIVALENCE_SCHEMA`; `verdict` is equivalent, not shown, or refused (too many pairs without a
        score).

    Raises:
        ValueError: the margin is not between 0 and 1.
    """
    if not 0 < margin < 1:
        raise ValueError(f"the equivalence margin {margin} must lie between 0 and 1")
    # 90 % for alpha = 5 %: each of the two one-sided tests has level alpha.
    inner = replace(options, level=1 - 2 * alpha)
    rows: list[tuple[object, ...]] = []
    for scores in models:
        for condition in scores.conditions:
            if reference not in scores.conditions or condition == reference:
                continue
            values = contrast_values(scores, gap_contrast(condition, reference))
            used = ~np.isnan(values.value)
            n, planned, lacking = int(used.sum()), len(values.value), int(values.lacking.sum())
            head = (scores.model, condition, reference, margin, alpha)
            if n == 0 or rule.refuses(lacking, planned):
                refused = f"{lacking} of {planned} planned pairs lack a score"
                nothing = (math.nan, math.nan, math.nan, None, n, math.nan, None)
                rows.append((*head, *nothing, "refused", planned, lacking, *[math.nan] * 4, refused))
                continue
            part = values.scores.where(used)
            sample = Sample(values.value[used], part.cluster, part.task, values.binary, difference=True)
            interval = mean_interval(sample, inner)
            limits = _limits(values, sample, interval, inner)
            estimate = float(sample.values.mean())
            p = math.nan
            if interval.method == "cluster_t":
                p = tost_p(estimate, interval.se, len(np.unique(part.cluster)) - 1, margin)
            effect = clusters_effect(sample.values, sample.cluster)
            needed = None
            if not math.isnan(effect):
                variance = float(sample.values.var(ddof=1))
                needed = pairs_needed_for_equivalence(variance, margin, power, alpha, effect)
            reason = next((text for text in (_beyond(limit, margin) for limit in limits) if text), None)
            verdict = "equivalent" if reason is None else "not shown"
            filled = [end for limit in limits[1:] for end in (limit.low, limit.high)]
            tests = (estimate, interval.low, interval.high, interval.method, n, p, needed)
            rows.append((*head, *tests, verdict, planned, lacking, *filled, reason))
    return pl.DataFrame(rows, schema=EQUIVALENCE_SCHEMA, orient="row", infer_schema_length=None).fill_nan(None)


@dataclass(frozen=True, slots=True)
class _Limits:
    """The two limits that must lie inside the margin, under one treatment of missing answers."""

    name: str
    low: float
    high: float


def _limits(values: ContrastValues, answered: Sample, found: Interval, options: IntervalOptions) -> list[_Limits]:
    """The limits on the answered pairs, with missing as wrong, and of the two worst cases; equal if nothing is missing.

    Args:
        answered: the sample of the answered pairs, and `found` its interval.
    """
    out = [_Limits("on the answered pairs", found.low, found.high)]
    if not values.lacking.any():
        return [*out, replace(out[0], name="with missing answers as wrong"), replace(out[0], name="in the worst case")]

    def interval(filled: FloatArray) -> Interval:
        # Binary pairs stay binary when a missing score is filled in with 0 or 1.
        scores = values.scores
        sample = Sample(filled, scores.cluster, scores.task, answered.binary, difference=True)
        return mean_interval(sample, options)

    wrong, worst, best = (interval(filled) for filled in (values.missing_as_wrong, values.low, values.high))
    return [
        *out,
        _Limits("with missing answers as wrong", wrong.low, wrong.high),
        _Limits("in the worst case of the missing answers", worst.low, best.high),
    ]


def _beyond(limits: _Limits, margin: float) -> str | None:
    """Why limits don't show equivalence; None if they do."""
    if math.isnan(limits.low) or math.isnan(limits.high):
        return f"{limits.name} there is no interval"
    # Strict: an interval that touches the margin does not show equivalence.
    if -margin < limits.low and limits.high < margin:
        return None
    reach = limits.low if limits.low <= -margin else limits.high
    return f"{limits.name} the gap may be {100 * reach:+.1f} points, and the margin is {100 * margin:g}"


def tost_p(estimate: float, se: float, df: float, margin: float) -> float:
    """The larger p of the two one-sided t tests that the mean is above -margin and below +margin.

    Args:
        df: degrees of freedom.
    """
    if se == 0:
        return 0.0 if abs(estimate) < margin else 1.0
    return float(max(stats.t.sf((estimate + margin) / se, df), stats.t.cdf((estimate - margin) / se, df)))


EQUIVALENCE = Table(
    name="equivalence",
    row=EquivalenceRow,
    compute=lambda given: equivalence(
        given[HEADLINE_MODELS],
        given.options.reference,
        given.options.missing,
        given.options.intervals,
        given.options.margin,
        power=given.options.power,
    ),
)
