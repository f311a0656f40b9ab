"""Compares two sets of results item by item: two models, ASR scorers, decoding options, or checkpoints."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import polars as pl

from omnigap_orchestrator.analysis.contrasts import ITEM_WEIGHTED, TASK_MACRO, Contrast, contrast_values, estimates
from omnigap_orchestrator.analysis.gap import adjusted
from omnigap_orchestrator.analysis.options import IntervalOptions, MissingRule
from omnigap_orchestrator.analysis.pairs import NEEDED_COLUMNS, item_scores, ordered_conditions, score_matrices
from omnigap_orchestrator.analysis.table import ContrastColumns, schema_of


@dataclass(frozen=True)
class _ComparisonKey:
    first: str
    second: str
    condition: str
    # score, or gap to the reference condition; second minus first.
    quantity: str
    formula: str
    pooling: str
    missing: str
    # Number of items that only one of the tables has.
    only_first: int
    only_second: int


@dataclass(frozen=True, slots=True)
class ComparisonRow(ContrastColumns, _ComparisonKey):
    """The difference of one score or one gap between two tables of results."""


COMPARISON_SCHEMA = schema_of(ComparisonRow)

_A, _B = " (A)", " (B)"
SCORE, GAP = "score", "gap"


def compare(
    first: pl.DataFrame, second: pl.DataFrame, rule: MissingRule, options: IntervalOptions, reference: str = "t2t"
) -> pl.DataFrame:
    """Second minus first, of every condition's score and gap, on the items that both tables have.

    Models are matched by name. If each table has exactly one model, these are compared regardless of their names.

    Returns:
        A frame of `COMPARISON_SCHEMA`; Holm correction within the scores and within the gaps of a pair.

    Raises:
        ValueError: no model is in both tables, or the tables disagree on an item's task or cluster.
    """
    pairs = _pairs(first, second)
    rows: list[tuple[object, ...]] = []
    for one, other in pairs:
        # Both tables become one model whose conditions are "t2t (A)", "t2t (B)" ...: pairing by item, missing cells and
        # intervals are then those of gaps.
        parts = [
            frame.filter(pl.col("model") == name)
            .select(NEEDED_COLUMNS)
            .with_columns(pl.col("condition") + mark, model=pl.lit(f"{other} - {one}"))
            for frame, name, mark in ((first, one, _A), (second, other, _B))
        ]
        held = [set(part["item_id"]) for part in parts]
        unmatched = (len(held[0] - held[1]), len(held[1] - held[0]))
        (scores,) = score_matrices(item_scores(pl.concat(parts)))
        names = ordered_conditions([c.removesuffix(_A) for c in scores.conditions if c.endswith(_A)])
        for condition in (c for c in names if c + _B in scores.conditions):
            for quantity, contrast in _contrasts(condition, reference, set(scores.conditions)):
                values = contrast_values(scores, contrast)
                for pooling in (ITEM_WEIGHTED, TASK_MACRO):
                    for missing, estimate in estimates(values, contrast, pooling, rule, options):
                        keys = (one, other, condition, quantity, contrast.formula, pooling, missing)
                        rows.append((*keys, *unmatched, *astuple(estimate)))
    frame = pl.DataFrame(rows, schema=COMPARISON_SCHEMA, orient="row").fill_nan(None)
    return adjusted(frame, ("first", "second", "quantity", "pooling", "missing"), "{quantity} of {second} - {first}")


def _pairs(first: pl.DataFrame, second: pl.DataFrame) -> list[tuple[str, str]]:
    first_names, second_names = (sorted(frame["model"].unique().to_list()) for frame in (first, second))
    if len(first_names) == len(second_names) == 1:
        return [(first_names[0], second_names[0])]
    common = [name for name in first_names if name in second_names]
    if not common:
        raise ValueError(
            f"no model is in both tables: {', '.join(first_names)} and {', '.join(second_names)}; choose one of each"
        )
    return [(name, name) for name in common]


def _contrasts(condition: str, reference: str, present: set[str]) -> list[tuple[str, Contrast]]:
    score = ((condition + _B, 1.0), (condition + _A, -1.0))
    out = [(SCORE, Contrast(condition, score, f"{condition}{_B} - {condition}{_A}"))]
    if condition != reference and {reference + _A, reference + _B} <= present:
        weights = (*score, (reference + _B, -1.0), (reference + _A, 1.0))
        formula = f"({condition} - {reference}){_B} - ({condition} - {reference}){_A}"
        out.append((GAP, Contrast(f"{condition} gap", weights, formula)))
    return out
