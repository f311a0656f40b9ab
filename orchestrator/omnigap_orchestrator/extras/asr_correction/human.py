"""The table `human`: prediction-powered score and gap (PPI++) of every condition that has human labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from omnigap_orchestrator.analysis.options import IntervalOptions, MissingRule
from omnigap_orchestrator.analysis.pairs import FloatArray, IntArray, is_scored, item_scores, ordered_conditions
from omnigap_orchestrator.analysis.table import AnalysisInput, Table, schema_of
from omnigap_orchestrator.extras.asr_correction.influence import Labelled
from omnigap_orchestrator.extras.asr_correction.ppi import PpiEstimate, ppi_difference, ppi_mean
from omnigap_orchestrator.extras.asr_correction.rates import evidence_of


@dataclass(frozen=True, slots=True)
class HumanRow:
    """Score or gap of one condition from human labels.

    `n` counts the answers of the condition, `labelled` those with a label, `undecided` those labelled "unsure".
    """

    model: str
    condition: str
    # score, or gap against the reference condition.
    quantity: str
    # From the ASR scorer only, over all answers.
    raw: float | None
    # Prediction-powered: from the labels and all scores.
    estimate: float | None
    low: float | None
    high: float | None
    se: float | None
    # Tuned weight lambda of the scorer's mean; null where every weight gives the same estimate.
    lam: float | None
    # Weighted share of the labelled answers on which human and scorer agree.
    agreement: float | None
    n: int
    labelled: int
    undecided: int
    reason: str | None


HUMAN_SCHEMA = schema_of(HumanRow)

LABELS_SCHEMA = pl.Schema(
    {
        "model": pl.String,
        "condition": pl.String,
        "item_id": pl.String,
        "replicate": pl.Int64,
        # 1 right, 0 wrong, in between if several annotators disagree; null for "unsure".
        "label": pl.Float64,
        # Probability that the answer was drawn for labelling; null: equal for all.
        "inclusion_probability": pl.Float64,
    }
)

RIGHT_FROM = 0.5
"""Lowest score that counts as right when a sample is stratified by right and wrong."""

_KEY = ("model", "condition", "item_id", "replicate")


def human(
    results: pl.DataFrame,
    labels: pl.DataFrame,
    options: IntervalOptions,
    reference: str = "t2t",
    rule: MissingRule | None = None,
) -> pl.DataFrame:
    """Raw and prediction-powered score and gap of each model and condition that has labels.

    The scores of the reference are taken as true, as for text answers; if the reference has labels, it is
    estimated from them like the condition.

    Args:
        results: as for `analyse`; without a column `replicate` every cell is replicate 0.
        labels: a frame of `LABELS_SCHEMA`, at most one row per answer.
        rule: when a gap is refused for pairs without a score.

    Returns:
        A frame of `HUMAN_SCHEMA`.

    Raises:
        ValueError: an inclusion probability lies outside (0, 1].
    """
    cells = _cells(results, labels)
    scores, rule = item_scores(results), rule or MissingRule()
    base = scores.filter(condition=reference).select("model", "item_id", base="score")
    rows: list[tuple[object, ...]] = []
    for model in cells["model"].unique().sort():
        of_model = cells.filter(model=model)
        for condition in ordered_conditions(of_model["condition"].unique().to_list()):
            part = of_model.filter(condition=condition)
            rows.append((model, condition, "score", *_numbers(part, None, options.level)))
            if condition == reference:
                continue
            lacking, planned = _lacking(scores.filter(model=model), condition, reference)
            labelled = of_model.filter(condition=reference)
            if rule.refuses(lacking, planned):
                reason = f"refused: {lacking} of {planned} planned pairs lack a score"
                rows.append((model, condition, "gap", *_refused(part, reason)))
            elif labelled.is_empty():
                paired = part.join(base, on=["model", "item_id"]).drop_nulls("base")
                known = Labelled.known(paired["base"].to_numpy(), _codes(paired["cluster"]))
                rows.append((model, condition, "gap", *_numbers(paired, known, options.level)))
            else:
                rows.append((model, condition, "gap", *_both_labelled(part, labelled, options.level)))
    return pl.DataFrame(rows, schema=HUMAN_SCHEMA, orient="row").fill_nan(None)


def _cells(results: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """The scored cells of the conditions that have labels, with their labels."""
    outside = labels.filter((pl.col("inclusion_probability") <= 0) | (pl.col("inclusion_probability") > 1))
    if outside.height:
        raise ValueError(f"inclusion_probability {outside['inclusion_probability'][0]} lies outside (0, 1]")
    if "replicate" not in results.columns:
        results = results.with_columns(replicate=pl.lit(0))
    scored = results.filter(is_scored()).with_columns(
        pl.col("replicate").cast(pl.Int64), pl.col("cluster").fill_null(pl.col("item_id"))
    )
    seen = labels.select("model", "condition").unique()
    named = labels.cast(LABELS_SCHEMA).with_columns(in_sample=pl.lit(True))
    return (
        scored.select(*_KEY, "cluster", "score")
        .join(seen, on=["model", "condition"])
        .join(named, on=list(_KEY), how="left")
        .sort(*_KEY)
    )


def _lacking(scores: pl.DataFrame, condition: str, reference: str) -> tuple[int, int]:
    """Number of items planned in both conditions that lack a score, and number of items planned in both."""
    ends = scores.filter(pl.col("condition").is_in([condition, reference]))
    pairs = ends.group_by("item_id").agg(pl.len(), lacks=(pl.col("scored") < pl.col("planned")).any()).filter(len=2)
    return int(pairs["lacks"].sum()), pairs.height


def _refused(part: pl.DataFrame, reason: str) -> tuple[object, ...]:
    return (*[None] * 7, part.height, int(part["label"].is_not_null().sum()), 0, reason)


def _both_labelled(part: pl.DataFrame, reference: pl.DataFrame, level: float) -> tuple[object, ...]:
    """The gap of two labelled conditions, paired by item, with one answer per item in each."""
    for cells in (part, reference):
        if cells["item_id"].is_duplicated().any():
            return _refused(
                part, "several answers per item, and the reference has labels too: label one replicate only"
            )
    paired = part.join(reference.select("item_id"), on="item_id", how="semi").sort("item_id")
    other = reference.join(paired.select("item_id"), on="item_id", how="semi").sort("item_id")
    return _numbers(paired, _sample(other), level)


def _sample(part: pl.DataFrame) -> Labelled:
    score = part["score"].to_numpy()
    label = part["label"].fill_null(float("nan")).to_numpy()
    chosen = part.filter(pl.col("in_sample"))["inclusion_probability"]
    # Without inclusion probabilities nothing says that the sample was drawn from both strata, and a stratum without a
    # label would be refused: it is then treated as one stratum.
    stratified = bool(len(chosen)) and chosen.null_count() == 0
    weight = 1 / part["inclusion_probability"].fill_null(1.0).to_numpy()
    stratum = (score >= RIGHT_FROM).astype(np.int64) if stratified else np.zeros(len(score), dtype=np.int64)
    return Labelled(score, label, weight, stratum, _codes(part["cluster"]))


def _numbers(part: pl.DataFrame, reference: Labelled | None, level: float) -> tuple[object, ...]:
    sample = _sample(part)
    score, label, weight = sample.score, sample.label, sample.weight
    in_sample = part["in_sample"].fill_null(False).to_numpy()
    found: PpiEstimate = ppi_mean(sample, level) if reference is None else ppi_difference(sample, reference, level)
    base: FloatArray | float = 0.0 if reference is None else reference.score
    held = ~np.isnan(label)
    agreement = float(np.average(1 - np.abs(label[held] - score[held]), weights=weight[held])) if held.any() else None
    return (
        float((score - base).mean()) if len(score) else None,
        found.estimate,
        found.low,
        found.high,
        found.se,
        found.lam[0] if found.lam else None,
        agreement,
        len(score),
        int(held.sum()),
        int((in_sample & ~held).sum()),
        found.reason,
    )


def _codes(labels: pl.Series) -> IntArray:
    _, codes = np.unique(labels.to_numpy().astype(str), return_inverse=True)
    return np.asarray(codes, dtype=np.int64)


def _human(given: AnalysisInput) -> pl.DataFrame:
    labels, options = evidence_of(given).labels, given.options
    if labels is None:
        return HUMAN_SCHEMA.to_frame()
    return human(given.results, labels, options.intervals, options.reference, options.missing)


HUMAN = Table(name="human", row=HumanRow, compute=_human)
"""Empty without human labels."""
