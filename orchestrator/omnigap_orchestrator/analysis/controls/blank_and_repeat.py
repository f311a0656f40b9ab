"""What the control cells say: what is guessed from a blank carrier, and what changes when asked again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from omnigap.vocabulary import Control
from omnigap_orchestrator.analysis.gaps.accuracy import ACCURACY_SCHEMA, accuracy
from omnigap_orchestrator.analysis.inference.choose import Sample, mean_interval
from omnigap_orchestrator.analysis.options import IntervalOptions
from omnigap_orchestrator.analysis.rows import schema_of
from omnigap_orchestrator.analysis.scores.pairs import NEEDED_COLUMNS, is_scored, item_scores, score_matrices
from omnigap_orchestrator.analysis.table import Table


@dataclass(frozen=True, slots=True)
class RepeatRow:
    """What changed in one condition when the same was asked again."""

    model: str
    condition: str
    # Share of items whose score changed when asked again.
    changed: float | None
    changed_low: float | None
    changed_high: float | None
    changed_method: str | None
    # Score when asked again minus score at first.
    drift: float | None
    drift_low: float | None
    drift_high: float | None
    drift_method: str | None
    n: int
    clusters: int


REPEAT_SCHEMA = schema_of(RepeatRow)

_AGAIN = " again"


def blank_accuracy(controls: pl.DataFrame, options: IntervalOptions) -> pl.DataFrame:
    """Accuracy on carriers that hold nothing: what guessing, and leaks, are worth (`ACCURACY_SCHEMA`)."""
    held = controls.filter(pl.col("control") == Control.BLANK.value)
    if held.is_empty():
        return pl.DataFrame(schema=ACCURACY_SCHEMA)
    return accuracy(score_matrices(item_scores(held)), options)


def repeat_noise(results: pl.DataFrame, controls: pl.DataFrame, options: IntervalOptions) -> pl.DataFrame:
    """How often the same cell, asked again, is scored otherwise, and whether it is scored higher or lower.

    Replicates are compared one by one where they have numbers, and then averaged within the item: two that change
    places have both changed.

    A gap smaller than this noise may still be real (it is a mean), but a flip list below it is not worth reading.

    Returns:
        A frame of `REPEAT_SCHEMA`.
    """
    again = controls.filter(pl.col("control") == Control.REPEAT.value).with_columns(pl.col("condition") + _AGAIN)
    if again.is_empty():
        return pl.DataFrame(schema=REPEAT_SCHEMA)
    both = pl.concat([results.select(NEEDED_COLUMNS), again.select(NEEDED_COLUMNS)])
    by_cell = _changed(results, again)
    rows: list[tuple[object, ...]] = []
    for scores in score_matrices(item_scores(both)):
        for condition in scores.conditions:
            if condition + _AGAIN not in scores.conditions:
                continue
            ends = scores.score[:, [scores.column(condition + _AGAIN), scores.column(condition)]]
            held = ~np.any(np.isnan(ends), axis=1)
            if not held.any():
                continue
            part, difference = scores.where(held), ends[held, 0] - ends[held, 1]
            means = (difference != 0).astype(np.float64)
            changed = np.array(
                [by_cell.get((scores.model, condition, i), m) for i, m in zip(part.items, means, strict=True)]
            )
            numbers: list[object] = []
            for values, is_difference in ((changed, False), (difference, True)):
                binary = bool(np.isin(ends[held] if is_difference else changed, (0.0, 1.0)).all())
                sample = Sample(values, part.cluster, part.task, binary, difference=is_difference)
                interval = mean_interval(sample, options, scores.model, condition, "repeat", str(is_difference))
                numbers += [float(values.mean()), interval.low, interval.high, interval.method]
            rows.append((scores.model, condition, *numbers, len(changed), len(np.unique(part.cluster))))
    return pl.DataFrame(rows, schema=REPEAT_SCHEMA, orient="row").fill_nan(None)


def _changed(results: pl.DataFrame, again: pl.DataFrame) -> dict[tuple[str, str, str], float]:
    """By model, condition and item the share of the replicates scored in both that changed; none without numbers."""
    if "replicate" not in results.columns or "replicate" not in again.columns:
        return {}
    keys = ["model", "condition", "item_id", "replicate"]
    first = results.filter(is_scored()).select(*keys, "score").unique(keys, keep="none")
    second = again.filter(is_scored()).with_columns(pl.col("condition").str.strip_suffix(_AGAIN)).select(*keys, "score")
    both = first.join(second.unique(keys, keep="none"), on=keys, suffix=_AGAIN, nulls_equal=True)
    shares = both.group_by(keys[:3]).agg((pl.col("score") != pl.col(f"score{_AGAIN}")).mean())
    return {(model, condition, item): share for model, condition, item, share in shares.iter_rows()}


def control_names(controls: pl.DataFrame) -> Sequence[str]:
    """The kinds of control cells that a table holds, sorted."""
    return sorted(controls["control"].drop_nulls().unique().to_list())


REPEAT = Table(
    name="repeat",
    row=RepeatRow,
    compute=lambda given: repeat_noise(given.results, given.control_cells, given.options.intervals),
)
