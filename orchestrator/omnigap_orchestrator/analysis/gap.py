"""Gaps, gaps by task and effects: paired differences of conditions, without adjusted p-values (see `families`).

A gap is the mean over items of score in the condition minus score in the reference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from omnigap_orchestrator.analysis.families import Tests, adjust_families
from omnigap_orchestrator.analysis.options import IntervalOptions, MissingRule
from omnigap_orchestrator.analysis.own_text import HEADLINE_MODELS, SOURCES, Sources
from omnigap_orchestrator.analysis.pairs import MODELS, ModelScores
from omnigap_orchestrator.analysis.table import AnalysisInput, Derived, FamilyColumns, Table, schema_of
from omnigap_orchestrator.results import random_weights_of


@dataclass(frozen=True)
class _GapKey:
    model: str
    condition: str
    reference: str
    task: str | None
    pooling: str
    missing: str


@dataclass(frozen=True, slots=True)
class GapRow(FamilyColumns, _GapKey):
    """One gap; `task` and `pooling` as in `AccuracyRow`, `missing` is answered_pairs or missing_as_wrong."""


GAPS_SCHEMA = schema_of(GapRow)


Chosen = Callable[[str, Contrast], bool]
"""Whether a contrast of the named model is estimated."""


def _every(model: str, contrast: Contrast) -> bool:
    return True


def gaps(
    models: Sequence[ModelScores],
    reference: str,
    rule: MissingRule,
    options: IntervalOptions,
    chosen: Chosen = _every,
) -> pl.DataFrame:
    """The gap of each condition of each model.

    Returns:
        A frame of `GAPS_SCHEMA` without adjusted p-values: for each condition one row per pooling and treatment of
        missing cells. A model without the reference condition has no rows.
    """
    rows = [
        row
        for scores in models
        for row in _rows(scores, reference, None, (ITEM_WEIGHTED, TASK_MACRO), rule, options, chosen)
    ]
    return pl.DataFrame(rows, schema=GAPS_SCHEMA, orient="row").fill_nan(None)


def gaps_by_task(
    models: Sequence[ModelScores],
    reference: str,
    rule: MissingRule,
    options: IntervalOptions,
    chosen: Chosen = _every,
) -> pl.DataFrame:
    """The gap of each condition within each task (`GAPS_SCHEMA`, without adjusted p-values)."""
    rows = [
        row
        for scores in models
        for code, name in enumerate(scores.tasks)
        for row in _rows(scores.where(scores.task == code), reference, name, (ITEM_WEIGHTED,), rule, options, chosen)
    ]
    return pl.DataFrame(rows, schema=GAPS_SCHEMA, orient="row").fill_nan(None)


def _rows(
    scores: ModelScores,
    reference: str,
    task: str | None,
    poolings: Sequence[str],
    rule: MissingRule,
    options: IntervalOptions,
    chosen: Chosen,
) -> list[tuple[object, ...]]:
    if reference not in scores.conditions:
        return []
    rows: list[tuple[object, ...]] = []
    for condition in scores.conditions:
        if condition == reference:
            continue
        contrast = gap_contrast(condition, reference)
        if not chosen(scores.model, contrast):
            continue
        values = contrast_values(scores, contrast)
        for pooling in poolings:
            for missing, estimate in estimates(values, contrast, pooling, rule, options):
                rows.append((scores.model, condition, reference, task, pooling, missing, *astuple(estimate), None))
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


@dataclass(frozen=True)
class _EffectKey:
    model: str
    effect: str
    kind: str
    formula: str
    pooling: str
    missing: str


@dataclass(frozen=True, slots=True)
class EffectRow(FamilyColumns, _EffectKey):
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

MAIN_EFFECTS = tuple(contrast for kind, contrast in _EFFECTS if kind == MAIN)
"""The effects that the first screen speaks of, together with the gaps."""


def effects(
    models: Sequence[ModelScores],
    rule: MissingRule,
    options: IntervalOptions,
    chosen: Chosen = _every,
    poolings: Sequence[str] = (ITEM_WEIGHTED, TASK_MACRO),
) -> pl.DataFrame:
    """The effects of every model whose plan has their conditions.

    Returns:
        A frame of `EFFECTS_SCHEMA` without adjusted p-values.
    """
    rows: list[tuple[object, ...]] = []
    for scores in models:
        for kind, contrast in _EFFECTS:
            if not set(contrast.conditions) <= set(scores.conditions) or not chosen(scores.model, contrast):
                continue
            values = contrast_values(scores, contrast)
            for pooling in poolings:
                for missing, estimate in estimates(values, contrast, pooling, rule, options):
                    key = (scores.model, contrast.name, kind, contrast.formula, pooling, missing)
                    rows.append((*key, *astuple(estimate), None))
    return pl.DataFrame(rows, schema=EFFECTS_SCHEMA, orient="row").fill_nan(None)


@dataclass(frozen=True, slots=True)
class HeadlineGapRow(GapRow):
    """A gap of the first screen; `source` is own_text, transcript or mixed, null for a table of another tool."""

    source: str | None


@dataclass(frozen=True, slots=True)
class HeadlineEffectRow(EffectRow):
    """An item-weighted effect of the first screen, with its `source` as in `HeadlineGapRow`."""

    source: str | None


HEADLINE_GAPS_SCHEMA = schema_of(HeadlineGapRow)
HEADLINE_EFFECTS_SCHEMA = schema_of(HeadlineEffectRow)

STATEMENTS = "gaps and main effects of {model}"
"""The family of the first screen."""
_FAMILIES = (
    STATEMENTS,
    "gaps and main effects of {model} by transcript",
    "interaction effects of {model}",
    "interaction effects of {model} by transcript",
    "simple effects of {model}",
    "simple effects of {model} by transcript",
    "model x task x condition",
    "model x task x condition by transcript",
)
"""All families; a contrast belongs to the first of those that it is part of."""


@dataclass(frozen=True, slots=True)
class Contrasts:
    """All tables of gaps and effects, adjusted together: of the scores, and of the first screen."""

    gaps: pl.DataFrame
    effects: pl.DataFrame
    by_task: pl.DataFrame
    headline_gaps: pl.DataFrame
    headline_effects: pl.DataFrame
    headline_by_task: pl.DataFrame


def contrasts(given: AnalysisInput) -> Contrasts:
    """Gaps and effects of the scores and of the first screen; a contrast in several tables is one test."""
    options, models = given.options, given[MODELS]
    rule, intervals, reference = options.missing, options.intervals, options.reference
    base = gaps(models, reference, rule, intervals)
    by_task = gaps_by_task(models, reference, rule, intervals)
    main = effects(models, rule, intervals)
    # Only contrasts that the own texts change are computed a second time.
    found, own = given[SOURCES], given[HEADLINE_MODELS]
    differs = found.uses_own_text
    first = _replaced(base, gaps(own, reference, rule, intervals, differs), ("model", "condition"), found)
    tasks = _replaced(
        by_task, gaps_by_task(own, reference, rule, intervals, differs), ("model", "condition", "task"), found
    )
    # The first screen shows item-weighted effects only.
    weighted = main.filter(pl.col("pooling") == ITEM_WEIGHTED)
    changed = effects(own, rule, intervals, differs, (ITEM_WEIGHTED,))
    over = _replaced(weighted, changed, ("model", "effect"), found)
    ends = pl.min_horizontal("condition", "reference"), pl.max_horizontal("condition", "reference")
    pair = pl.concat_str(*ends, separator=_AND)
    # A run with a single task has the same contrasts in both tables of gaps.
    several = by_task["task"].n_unique() > 1
    task_pair = pl.concat_str(pair, "task", separator=_AND) if several else pair
    # A simple effect of two conditions is a gap if one of them is the reference.
    sides = pl.col("formula").str.split(" - ").list.sort().list.join(_AND)
    simple = pl.when(pl.col("kind") == SIMPLE).then(sides).otherwise("formula")
    statements, of_main = pl.lit(STATEMENTS), _family_of_effects("")
    transcribed, of_transcribed = pl.lit(_FAMILIES[1]), _family_of_effects(" by transcript")
    grid, transcribed_grid = pl.lit(_FAMILIES[6]), pl.lit(_FAMILIES[7])
    # Contrasts on own texts are other hypotheses than those of the same conditions on transcripts.
    new = [
        Tests(first, _named(pair), statements),
        Tests(over, _named(simple), of_main),
        Tests(tasks, _named(task_pair), grid, exploratory=True),
        Tests(base, pair, transcribed),
        Tests(main, simple, of_transcribed),
        Tests(by_task, task_pair, transcribed_grid, exploratory=True),
    ]
    done = adjust_families(new, _FAMILIES, random_weights_of(given.results))
    rest = [frame.drop(_IS_OWN) for frame in done[:3]]
    return Contrasts(done[3], done[4], done[5], rest[0], rest[1], rest[2])


_IS_OWN = "_own"
_AND = "\0"


def _named(contrast: pl.Expr) -> pl.Expr:
    return pl.when(_IS_OWN).then(pl.lit("own text of ") + contrast).otherwise(contrast)


def _family_of_effects(suffix: str) -> pl.Expr:
    return (
        pl.when(pl.col("kind") == MAIN)
        .then(pl.lit("gaps and main effects of {model}" + suffix))
        .otherwise(pl.col("kind") + pl.lit(" effects of {model}" + suffix))
    )


def _replaced(base: pl.DataFrame, own: pl.DataFrame, key: tuple[str, ...], found: Sources) -> pl.DataFrame:
    """The rows of `base`, those that are in `own` replaced, with `source` and whether a row was replaced."""
    rows = pl.concat(
        [
            base.join(
                own.select(key).unique(), on=key, how="anti", maintain_order="left", nulls_equal=True
            ).with_columns(pl.lit(False).alias(_IS_OWN)),
            own.with_columns(pl.lit(True).alias(_IS_OWN)),
        ]
    )
    # In the order of the table of all scores.
    order = base.select(*key, "pooling", "missing").with_row_index("_place")
    rows = rows.join(order, on=[*key, "pooling", "missing"], how="left", nulls_equal=True).sort("_place").drop("_place")
    if "effect" in key:
        named = {contrast.name: contrast.conditions for _, contrast in _EFFECTS}
        ends = [(model, named[effect]) for model, effect in rows.select("model", "effect").iter_rows()]
    else:
        ends = [(model, tuple(names)) for model, *names in rows.select("model", "condition", "reference").iter_rows()]
    sources = [found.of(model, names) for model, names in ends]
    return rows.with_columns(pl.Series("source", sources, dtype=pl.String))


CONTRASTS = Derived(contrasts)


GAPS = Table(name="gaps", row=GapRow, compute=lambda given: given[CONTRASTS].gaps)

GAPS_BY_TASK = Table(name="gaps_by_task", row=GapRow, compute=lambda given: given[CONTRASTS].by_task)

EFFECTS = Table(name="effects", row=EffectRow, compute=lambda given: given[CONTRASTS].effects)

HEADLINE_GAPS = Table(name="headline_gaps", row=HeadlineGapRow, compute=lambda given: given[CONTRASTS].headline_gaps)

HEADLINE_GAPS_BY_TASK = Table(
    name="headline_gaps_by_task", row=HeadlineGapRow, compute=lambda given: given[CONTRASTS].headline_by_task
)

HEADLINE_EFFECTS = Table(
    name="headline_effects", row=HeadlineEffectRow, compute=lambda given: given[CONTRASTS].headline_effects
)
