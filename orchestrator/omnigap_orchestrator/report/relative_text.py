"""The line of relative gaps for the terminal."""

from __future__ import annotations

from omnigap_orchestrator.analysis import Tables
from omnigap_orchestrator.analysis.denominators import CONDITION_COUNTS
from omnigap_orchestrator.analysis.relative_gap import RELATIVE_GAPS


def relative_text(tables: Tables, model: str) -> str:
    """Every gap of a model as a share of what the reference shows above chance.

    Empty without such a gap, and for a single model that can't guess: its relative gaps say no more than its points.
    """
    rows = [row for row in tables.rows(RELATIVE_GAPS) if row.model == model and row.estimate is not None]
    several = tables.frame(CONDITION_COUNTS)["model"].n_unique() > 1
    if not rows or not (several or any(row.chance for row in rows)):
        return ""
    parts = []
    for row in rows:
        span = "" if row.low is None or row.high is None else f" ({100 * row.low:+.1f} to {100 * row.high:+.1f})"
        parts.append(f"{row.condition} {100 * (row.estimate or 0.0):+.1f} %{span}")
    chance = f"{100 * (rows[0].chance or 0.0):.1f} %"
    return f"relative to {rows[0].reference} above chance ({chance}): {', '.join(parts)}"
