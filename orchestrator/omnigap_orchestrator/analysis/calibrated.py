"""Speech scores and gaps corrected for the ASR scorer, per model and condition, beside the raw ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from omnigap.vocabulary import Outcome
from omnigap_orchestrator.analysis.choose import IntervalOptions
from omnigap_orchestrator.analysis.contrasts import MissingRule
from omnigap_orchestrator.analysis.pairs import (
    NEEDED_COLUMNS,
    FloatArray,
    ModelScores,
    is_scored,
    item_scores,
    score_matrices,
)
from omnigap_orchestrator.analysis.rogan_gladen import Calibration, Corrected, correct
from omnigap_orchestrator.analysis.study_schemas import CALIBRATED_SCHEMA


def calibrated(
    results: pl.DataFrame,
    calibrations: tuple[Calibration, ...],
    rule: MissingRule,
    options: IntervalOptions,
    reference: str = "t2t",
    bands: tuple[tuple[Calibration, ...], tuple[Calibration, ...]] = ((), ()),
) -> pl.DataFrame:
    """Raw and corrected accuracy and gap of every condition with a speech answer.

    Args:
        results: with answer_type and output; `second_score`, the score by another ASR, is shown raw where the table
        has it.
        calibrations: empty: only what needs none is given.
        bands: calibrations with q0 over plain foils alone, and over sound-alikes alone.

    Returns:
        A frame of `CALIBRATED_SCHEMA`, nulls with the `reason` where a correction is refused: scores that are not 0 or
        1, an answer type without calibration, a scorer that tells too little, too many pairs without a score.
    """
    speech = results.filter(pl.col("output") == "speech")
    types = dict(results.select("item_id", "answer_type").unique().iter_rows())
    second = _second_scores(results, reference)
    graded = set(
        speech.filter(is_scored() & ~pl.col("score").is_in([0.0, 1.0]))
        .select("model", "condition")
        .unique()
        .iter_rows()
    )
    rows: list[tuple[object, ...]] = []
    for scores in score_matrices(item_scores(results.select(NEEDED_COLUMNS))):
        spoken = set(speech.filter(model=scores.model)["condition"])
        for condition in (name for name in scores.conditions if name in spoken):
            refusal = "the metric is not binary" if (scores.model, condition) in graded else None

            def found(
                by: tuple[Calibration, ...],
                scores: ModelScores = scores,
                condition: str = condition,
                refusal: str | None = refusal,
            ) -> list[Corrected]:
                return [
                    _corrected(scores, condition, base, types, by, rule, options.level, refusal)
                    for base in (None, reference)
                ]

            main = found(calibrations)
            numbers = [x for c in main for x in (c.raw, c.estimate, c.low, c.high, c.calibration_se, c.n)]
            plain, alike = (found(band) for band in bands)
            band = [pair[place].estimate for place in (0, 1) for pair in (plain, alike)]
            reason = next((c.reason for c in main if c.reason is not None), None)
            others = second.get((scores.model, condition), (None, None, None))
            rows.append((scores.model, condition, *numbers, *band, *others, reason))
    return pl.DataFrame(rows, schema=CALIBRATED_SCHEMA, orient="row").fill_nan(None)


def _second_scores(
    results: pl.DataFrame, reference: str
) -> dict[tuple[str, str], tuple[float | None, float | None, int | None]]:
    """Mean by the second scorer, its gap on the items that have a reference, and how many cells it heard."""
    if "second_score" not in results.columns:
        return {}
    held = results.filter(
        (pl.col("outcome") == Outcome.ANSWERED.value) & pl.col("second_score").is_not_null() & is_scored()
    )
    base = item_scores(results.select(NEEDED_COLUMNS)).filter(condition=reference)
    joined = held.join(base.select("model", "item_id", base="score"), on=["model", "item_id"], how="left")
    means = joined.group_by("model", "condition").agg(
        pl.col("second_score").mean(), gap=(pl.col("second_score") - pl.col("base")).mean(), n=pl.len().cast(pl.Int64)
    )
    return {(model, condition): (mean, gap, n) for model, condition, mean, gap, n in means.iter_rows()}


def _corrected(
    scores: ModelScores,
    condition: str,
    reference: str | None,
    types: Mapping[str, str | None],
    calibrations: tuple[Calibration, ...],
    rule: MissingRule,
    level: float,
    refusal: str | None,
) -> Corrected:
    nan = float("nan")
    if reference is not None and reference not in scores.conditions:
        return Corrected(nan, nan, nan, nan, nan, nan, 0, 0, f"no {reference} to compare with")
    columns = [scores.column(name) for name in (condition, reference) if name is not None]
    planned = scores.where(np.all(scores.planned[:, columns] > 0, axis=1))
    lacking = int(np.any(planned.scored[:, columns] < planned.planned[:, columns], axis=1).sum())
    held = planned.where(~np.any(np.isnan(planned.score[:, columns]), axis=1))
    heard: FloatArray = held.score[:, columns[0]]
    base = None if reference is None else held.score[:, columns[1]]
    n, clusters = len(heard), len(np.unique(held.cluster))
    raw = float((heard - (0.0 if base is None else base)).mean()) if n else nan
    kinds = [types.get(str(item)) for item in held.items]
    names = {c.answer_type: code for code, c in enumerate(calibrations)}
    unknown = sorted({str(kind) for kind in kinds if kind not in names})
    if not calibrations:
        refusal = refusal or "not calibrated"
    elif unknown:
        refusal = refusal or f"no calibration of answer type {', '.join(unknown)}"
    if rule.refuses(lacking, len(planned.task)):
        refusal = refusal or f"refused: {lacking} of {len(planned.task)} planned items lack a score"
    if refusal is not None or n == 0:
        return Corrected(raw, nan, nan, nan, nan, nan, n, clusters, refusal or "no scores")
    codes = np.array([names[str(kind)] for kind in kinds], dtype=np.int64)
    return correct(heard, codes, calibrations, held.cluster, base, level)
