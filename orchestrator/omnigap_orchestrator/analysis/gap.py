"""The tables `gaps`, `gaps_by_task` and `effects`: paired differences of conditions, with multiplicity correction.

A gap is the mean over items of score in the condition minus score in the reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
import polars as pl

from omnigap_orchestrator.analysis.contrasts import (
    ITEM_WEIGHTED,
    TASK_MACRO,
    Contrast,
    benjamini_hochberg,
    contrast_values,
    estimates,
    gap_contrast,
    holm,
)
from omnigap_orchestrator.analysis.options import IntervalOptions, MissingRule
from omnigap_orchestrator.analysis.pairs import MODELS, ModelScores
from omnigap_orchestrator.analysis.table import ContrastColumns, Table, schema_of


@dataclass(frozen=True)
class _GapKey:
    model: str
    condition: str
    reference: str
    task: str | None
    pooling: str
    missing: str


@dataclass(frozen=True, slots=True)
class GapRow(ContrastColumns, _GapKey):
    """One gap; `task` and `pooling` as in `AccuracyRow`, `missing` is answered_pairs or missing_as_wrong."""


GAPS_SCHEMA = schema_of(GapRow)


def gaps(models: Sequence[ModelScores], reference: str, rule: MissingRule, options: IntervalOptions) -> pl.DataFrame:
    """The gap of each condition of each model, with Holm correction within a model's item-weighted gaps.

    Returns:
        A frame of `GAPS_SCHEMA`: for each condition one row per pooling and treatment of missing cells. A model without
        the reference condition has no rows.
    """
    rows = [
        row for scores in models for row in _rows(scores, reference, None, (ITEM_WEIGHTED, TASK_MACRO), rule, options)
    ]
    frame = pl.DataFrame(rows, schema=GAPS_SCHEMA, orient="row").fill_nan(None)
    # A family is what one statement draws on: the gaps of one model, under one treatment of missing answers.
    return adjusted(frame, ("model", "pooling", "missing"), "gaps of {model}")


def gaps_by_task(
    models: Sequence[ModelScores], reference: str, rule: MissingRule, options: IntervalOptions
) -> pl.DataFrame:
    """The gap of each condition within each task (`GAPS_SCHEMA`).

    The grid of model x task x condition is exploratory, so it gets the Benjamini-Hochberg correction.
    """
    rows = [
        row
        for scores in models
        for code, name in enumerate(scores.tasks)
        for row in _rows(scores.where(scores.task == code), reference, name, (ITEM_WEIGHTED,), rule, options)
    ]
    frame = pl.DataFrame(rows, schema=GAPS_SCHEMA, orient="row").fill_nan(None)
    return adjusted(frame, ("pooling", "missing"), "model x task x condition", method="benjamini_hochberg")


def _rows(
    scores: ModelScores,
    reference: str,
    task: str | None,
    poolings: Sequence[str],
    rule: MissingRule,
    options: IntervalOptions,
) -> list[tuple[object, ...]]:
    if reference not in scores.conditions:
        return []
    rows: list[tuple[object, ...]] = []
    for condition in scores.conditions:
        if condition == reference:
            continue
        contrast = gap_contrast(condition, reference)
        values = contrast_values(scores, contrast)
        for pooling in poolings:
            for missing, estimate in estimates(values, contrast, pooling, rule, options):
                rows.append((scores.model, condition, reference, task, pooling, missing, *astuple(estimate)))
    return rows


def adjusted(frame: pl.DataFrame, by: Sequence[str], family: str, method: str = "holm") -> pl.DataFrame:
    """Fills `p_adjusted`, `adjustment` and `family` of the item-weighted rows.

    Args:
        by: columns whose groups are the families.
        family: name of a family, with columns in braces; the number of tests is appended.
        method: holm or benjamini_hochberg.
    """
    adjust = holm if method == "holm" else benjamini_hochberg
    p = frame["p"].fill_null(np.nan).to_numpy().copy()
    # Item-weighted and task-macro rows state the same hypothesis: only one of them may count as a test.
    p[(frame["pooling"] != ITEM_WEIGHTED).to_numpy()] = np.nan
    out = np.full(frame.height, np.nan)
    names: list[str | None] = [None] * frame.height
    indexed = frame.with_row_index("_row")
    for part in indexed.partition_by(list(by), maintain_order=True):
        rows = part["_row"].to_numpy()
        out[rows] = adjust(p[rows])
        tests = int((~np.isnan(p[rows])).sum())
        for row, values in zip(rows, part.select(by).iter_rows(named=True), strict=True):
            if not np.isnan(out[row]):
                names[row] = f"{family.format(**values)} ({tests})"
    return frame.with_columns(
        pl.Series("p_adjusted", out).fill_nan(None),
        pl.Series("family", names, dtype=pl.String),
        pl.Series("adjustment", [None if name is None else method for name in names], dtype=pl.String),
    )


def unadjusted_note(row: ContrastColumns, level: float) -> str | None:
    """One sentence if the interval excludes 0 and the adjusted test does not reject; None otherwise.

    Args:
        level: of the interval, such as 0.95.
    """
    if row.low is None or row.high is None or row.p_adjusted is None or row.low <= 0 <= row.high:
        return None
    alpha = round(1 - level, 12)
    if row.p_adjusted < alpha:
        return None
    return (
        f"The interval excludes 0 and p = {row.p:.3g}, but this is one of the tests of {row.family}: "
        f"adjusted for them p = {row.p_adjusted:.3g}, not below {alpha:.2g}."
    )


GAPS = Table(
    name="gaps",
    row=GapRow,
    compute=lambda given: gaps(given[MODELS], given.options.reference, given.options.missing, given.options.intervals),
)

GAPS_BY_TASK = Table(
    name="gaps_by_task",
    row=GapRow,
    compute=lambda given: gaps_by_task(
        given[MODELS], given.options.reference, given.options.missing, given.options.intervals
    ),
)


@dataclass(frozen=True)
class _EffectKey:
    model: str
    effect: str
    kind: str
    formula: str
    pooling: str
    missing: str


@dataclass(frozen=True, slots=True)
class EffectRow(ContrastColumns, _EffectKey):
    """One effect; `kind` is main (mean over the other factor), simple (at one of its levels) or interaction."""


EFFECTS_SCHEMA = schema_of(EffectRow)

MAIN, SIMPLE, INTERACTION = "main", "simple", "interaction"


def _effects() -> tuple[tuple[str, Contrast], ...]:
    """(kind, contrast) of the 3 x 2 design: three main effects, seven simple effects, two interactions."""
    out: list[tuple[str, Contrast]] = []
    for name, letter in (("speech", "s"), ("image", "i")):
        pairs = [(f"{letter}2{o}", f"t2{o}") for o in "ts"]
        out.append((MAIN, _mean_of(f"{name} input", pairs)))
        out += [
            (SIMPLE, _mean_of(f"{name} input, {out_} output", [pair]))
            for pair, out_ in zip(pairs, ("text", "speech"), strict=True)
        ]
    pairs = [(f"{i}2s", f"{i}2t") for i in "tsi"]
    out.append((MAIN, _mean_of("speech output", pairs)))
    names = ("text", "speech", "image")
    out += [(SIMPLE, _mean_of(f"speech output, {name} input", [pair])) for pair, name in zip(pairs, names, strict=True)]
    for name, letter in (("speech", "s"), ("image", "i")):
        weights = ((f"{letter}2s", 1.0), (f"{letter}2t", -1.0), ("t2s", -1.0), ("t2t", 1.0))
        out.append(
            (
                INTERACTION,
                Contrast(f"{name} input x speech output", weights, f"({letter}2s - {letter}2t) - (t2s - t2t)"),
            )
        )
    return tuple(out)


def _mean_of(name: str, pairs: list[tuple[str, str]]) -> Contrast:
    # The mean of the simple effects; that of a single pair has the formula of a gap.
    weight = 1.0 / len(pairs)
    formula = ", ".join(f"{high} - {low}" for high, low in pairs)
    weights = tuple(part for high, low in pairs for part in ((high, weight), (low, -weight)))
    return Contrast(name, weights, formula if len(pairs) == 1 else f"mean of {formula}")


_EFFECTS = _effects()


def effects(models: Sequence[ModelScores], rule: MissingRule, options: IntervalOptions) -> pl.DataFrame:
    """The effects of every model whose plan has their conditions, with Holm correction within one kind of effects.

    Returns:
        A frame of `EFFECTS_SCHEMA`.
    """
    rows: list[tuple[object, ...]] = []
    for scores in models:
        for kind, contrast in _EFFECTS:
            if not set(contrast.conditions) <= set(scores.conditions):
                continue
            values = contrast_values(scores, contrast)
            for pooling in (ITEM_WEIGHTED, TASK_MACRO):
                for missing, estimate in estimates(values, contrast, pooling, rule, options):
                    rows.append(
                        (scores.model, contrast.name, kind, contrast.formula, pooling, missing, *astuple(estimate))
                    )
    # Each kind answers a different question, so each is a separate family.
    frame = pl.DataFrame(rows, schema=EFFECTS_SCHEMA, orient="row").fill_nan(None)
    return adjusted(frame, ("model", "kind", "pooling", "missing"), "{kind} effects of {model}")


EFFECTS = Table(
    name="effects",
    row=EffectRow,
    compute=lambda given: effects(given[MODELS], given.options.missing, given.options.intervals),
)
