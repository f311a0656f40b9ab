"""The table `set_level`: disparity, imbalance and spread of the accuracies, as in XModBench.

A disparity is the sum of two gaps, not one gap: every place that shows it must say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from omnigap_orchestrator.analysis.accuracy import ACCURACY, ANSWERED_ONLY
from omnigap_orchestrator.analysis.contrasts import ITEM_WEIGHTED
from omnigap_orchestrator.analysis.options import MissingRule
from omnigap_orchestrator.analysis.table import Table, schema_of


@dataclass(frozen=True, slots=True)
class SetLevelRow:
    """One measure over the accuracies of a model."""

    model: str
    measure: str
    formula: str
    value: float
    conditions: int
    # Smallest number of items of one of the accuracies.
    n: int


SET_LEVEL_SCHEMA = schema_of(SetLevelRow)


def disparity(accuracies: Mapping[str, float], base: str, other: str, via: str) -> float:
    """XModBench's disparity, (via2other - via2base) + (other2via - base2via), with letters of condition names.

    With a, v and t for audio, vision and text, T vs A is `disparity(acc, "t", "a", via="v")`.

    Raises:
        KeyError: one of the four conditions has no accuracy.
    """
    answering = accuracies[f"{via}2{other}"] - accuracies[f"{via}2{base}"]
    asking = accuracies[f"{other}2{via}"] - accuracies[f"{base}2{via}"]
    return answering + asking


def imbalance(accuracies: Mapping[str, float], first: str, second: str) -> float:
    """XModBench's directional imbalance, first2second - second2first."""
    return accuracies[f"{first}2{second}"] - accuracies[f"{second}2{first}"]


def spread(accuracies: Mapping[str, float]) -> float:
    """Population standard deviation of the accuracies, which XModBench calls consistency; 0 if all are equal."""
    return float(np.std(list(accuracies.values())))


def set_level(accuracy: pl.DataFrame, rule: MissingRule | None = None) -> pl.DataFrame:
    """Spread of each model's accuracies, and every disparity and imbalance whose conditions exist.

    The six conditions of omnigap have no image output, so only the spread and the imbalance of text and speech exist;
    tables of other tools with audio, vision and text on both sides get all measures.

    Args:
        accuracy: a frame of `ACCURACY_SCHEMA`; the item-weighted accuracies on answered items are used.
        rule: conditions whose gaps it refuses are left out.

    Returns:
        A frame of `SET_LEVEL_SCHEMA`.
    """
    held = accuracy.filter(
        pl.col("task").is_null()
        & (pl.col("pooling") == ITEM_WEIGHTED)
        & (pl.col("missing") == ANSWERED_ONLY)
        & pl.col("estimate").is_not_null()
    )
    rule = rule or MissingRule()
    whole = [not rule.refuses(*counts) for counts in held.select("lacking", "planned").iter_rows()]
    held = held.filter(pl.Series(whole, dtype=pl.Boolean))
    rows: list[tuple[object, ...]] = []
    for part in held.partition_by("model", maintain_order=True):
        model, n = part["model"][0], min(part["n"].to_list())
        acc = dict(zip(part["condition"], part["estimate"], strict=True))
        rows.append((model, "spread", "standard deviation of " + ", ".join(acc), spread(acc), len(acc), n))
        letters = (
            sorted({name[0] for name in acc} | {name[-1] for name in acc}) if all(_is_pair(c) for c in acc) else []
        )
        for first in letters:
            for second in letters:
                if first < second and {f"{first}2{second}", f"{second}2{first}"} <= acc.keys():
                    formula = f"{first}2{second} - {second}2{first}"
                    rows.append((model, f"imbalance {first}<->{second}", formula, imbalance(acc, first, second), 2, n))
                # Both gaps of a disparity need a third modality: with two modalities it would be an imbalance.
                for via in letters:
                    needed = {f"{via}2{second}", f"{via}2{first}", f"{second}2{via}", f"{first}2{via}"}
                    if len({first, second, via}) == 3 and first == "t" and needed <= acc.keys():
                        formula = f"({via}2{second} - {via}2{first}) + ({second}2{via} - {first}2{via})"
                        value = disparity(acc, first, second, via)
                        rows.append((model, f"disparity {first} vs {second} (sum of two gaps)", formula, value, 4, n))
    return pl.DataFrame(rows, schema=SET_LEVEL_SCHEMA, orient="row")


def _is_pair(name: str) -> bool:
    return len(name) == 3 and name[1] == "2"


SET_LEVEL = Table(
    name="set_level", row=SetLevelRow, compute=lambda given: set_level(given[ACCURACY], given.options.missing)
)
