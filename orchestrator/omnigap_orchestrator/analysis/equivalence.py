"""The table `equivalence`: two one-sided tests (TOST) of each gap against a declared margin (Schuirmann 1987)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from scipy import stats

from omnigap_orchestrator.analysis.choose_interval import Sample, mean_interval
from omnigap_orchestrator.analysis.contrasts import contrast_values, gap_contrast
from omnigap_orchestrator.analysis.options import DEFAULT_MARGIN, IntervalOptions, MissingRule
from omnigap_orchestrator.analysis.pairs import MODELS, ModelScores
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
    verdict: str


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
    """TOST of every gap on its answered pairs.

    Two one-sided tests at level alpha reject a gap beyond +-margin if and only if the 1 - 2 alpha interval lies inside
    the margin. The interval is that of `mean_interval`; `p` is the larger one-sided p of the t tests, null for an
    interval of another method. `needed` is the number of items that show equivalence with `power` if there is no gap,
    at this run's variance and clusters.

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
            n, planned = int(used.sum()), len(values.value)
            head = (scores.model, condition, reference, margin, alpha)
            if n == 0 or rule.refuses(int(values.lacking.sum()), planned):
                rows.append((*head, math.nan, math.nan, math.nan, None, n, math.nan, None, "refused"))
                continue
            part = values.scores.where(used)
            sample = Sample(values.value[used], part.cluster, part.task, values.binary, difference=True)
            interval = mean_interval(sample, inner)
            estimate = float(sample.values.mean())
            p = math.nan
            if interval.method == "cluster_t":
                p = tost_p(estimate, interval.se, len(np.unique(part.cluster)) - 1, margin)
            effect = clusters_effect(sample.values, sample.cluster)
            needed = None
            if not math.isnan(effect):
                variance = float(sample.values.var(ddof=1))
                needed = pairs_needed_for_equivalence(variance, margin, power, alpha, effect)
            # Strict: an interval that touches the margin does not show equivalence. NaN limits don't either.
            verdict = "equivalent" if -margin < interval.low and interval.high < margin else "not shown"
            rows.append((*head, estimate, interval.low, interval.high, interval.method, n, p, needed, verdict))
    return pl.DataFrame(rows, schema=EQUIVALENCE_SCHEMA, orient="row").fill_nan(None)


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
        given[MODELS],
        given.options.reference,
        given.options.missing,
        given.options.intervals,
        given.options.margin,
        power=given.options.power,
    ),
)
