"""Consistency of a model, and what extras add, in a few lines of the terminal."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import polars as pl

from omnigap_orchestrator.analysis import Tables
from omnigap_orchestrator.analysis.consistency import CONSISTENCY, ConsistencyRow
from omnigap_orchestrator.analysis.denominators import CONDITION_COUNTS
from omnigap_orchestrator.analysis.table import rows_of
from omnigap_orchestrator.cli.tables import estimate_text
from omnigap_orchestrator.extension import extras

_MEASURES = (
    ("RER", "same answer in all conditions (RER)"),
    ("CFR", "of the items right somewhere, not right everywhere (CFR)"),
    ("all_right", "right in all conditions"),
    ("MMC", "right in at least one (MMC)"),
)


def brief_lines(tables: Tables, random: Collection[str] = ()) -> list[str]:
    """Lines on consistency and of the extras, such as routing, for each model with at least two conditions.

    Args:
        random: models with random weights, about which nothing is said.
    """
    counts = tables.frame(CONDITION_COUNTS).filter(pl.col("planned") > 0)
    counts = counts.group_by("model", maintain_order=True).len("conditions")
    models = counts.filter(pl.col("conditions") > 1, ~pl.col("model").is_in(list(random)))["model"].to_list()
    lines: list[str] = []
    for model in models:
        lines += _consistency(tables, model)
        for extra in extras():
            lines += extra.brief(tables, model)
    return lines


def _consistency(tables: Tables, model: str) -> Iterator[str]:
    rows = {row.measure: row for row in rows_of(tables.frame(CONSISTENCY).filter(model=model), ConsistencyRow)}
    known = [(row, words) for name, words in _MEASURES if (row := rows.get(name)) is not None]
    if not known:
        return
    parts = []
    for row, words in known:
        if row.estimate is None or not row.n:
            continue
        guessing = f", by guessing {100 * row.if_guessing:.1f} %" if row.if_guessing is not None else ""
        parts.append(f"{words} {estimate_text(row.estimate, row.low, row.high, unit=' %')}{guessing}")
    conditions = known[0][0].conditions
    items = max(row.n for row, _ in known)
    if not parts:
        yield f"{model}: consistency: no item has a score in all {conditions} conditions"
        return
    sample = f"the items scored in all {conditions} conditions (at most {items})"
    yield f"{model}: consistency over {sample}: {'; '.join(parts)}"
