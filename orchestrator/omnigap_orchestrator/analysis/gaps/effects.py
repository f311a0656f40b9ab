"""Input effects, output effects and their interactions, as contrasts of the six conditions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import polars as pl

from omnigap_orchestrator.analysis.gaps.contrasts import ITEM_WEIGHTED, TASK_MACRO, Contrast, contrast_values, estimates
from omnigap_orchestrator.analysis.gaps.gap import adjusted
from omnigap_orchestrator.analysis.options import IntervalOptions, MissingRule
from omnigap_orchestrator.analysis.rows import ContrastColumns, schema_of
from omnigap_orchestrator.analysis.scores.pairs import MODELS, ModelScores
from omnigap_orchestrator.analysis.table import Table


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
    """`kind` is main (mean over the other factor), simple (at one level of it) or interaction."""


EFFECTS_SCHEMA = schema_of(EffectRow)

MAIN, SIMPLE, INTERACTION = "main", "simple", "interaction"


def _contrasts() -> tuple[tuple[str, Contrast], ...]:
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
    weight = 1.0 / len(pairs)
    formula = ", ".join(f"{high} - {low}" for high, low in pairs)
    weights = tuple(part for high, low in pairs for part in ((high, weight), (low, -weight)))
    return Contrast(name, weights, formula if len(pairs) == 1 else f"mean of {formula}")


_EFFECTS = _contrasts()
"""(kind, contrast): three main effects, seven simple ones, two interactions."""


def effects(models: Sequence[ModelScores], rule: MissingRule, options: IntervalOptions) -> pl.DataFrame:
    """The effects of every model that has their conditions in its plan; Holm within a model's effects of one kind.

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
                for missing, estimate in estimates(values, contrast, pooling, rule, options, scores.model, ""):
                    rows.append(
                        (scores.model, contrast.name, kind, contrast.formula, pooling, missing, *astuple(estimate))
                    )
    frame = pl.DataFrame(rows, schema=EFFECTS_SCHEMA, orient="row").fill_nan(None)
    return adjusted(frame, ("model", "kind", "pooling", "missing"), "{kind} effects of {model}")


EFFECTS = Table(
    name="effects",
    row=EffectRow,
    compute=lambda given: effects(given[MODELS], given.options.missing, given.options.intervals),
)
