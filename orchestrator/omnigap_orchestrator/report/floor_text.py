"""The sentence about a model that answers no better than a guess, for the report and the terminal."""

from __future__ import annotations

from omnigap_orchestrator.analysis import Tables
from omnigap_orchestrator.analysis.floor import FLOOR
from omnigap_orchestrator.report import formatting

LOOK_AT_ANSWERS = (
    "Look at the answers first: the prompt, the decoding or the scoring may be at fault, or the items are too hard."
)


def floor_text(tables: Tables, model: str) -> str:
    """Why no gap of the model can be measured; empty unless it is at the floor (the table `at_floor`)."""
    row = next((row for row in tables.rows(FLOOR) if row.model == model and row.at_floor), None)
    if row is None:
        return ""
    best = f"at most {formatting.percent(row.highest)} % is right in any condition"
    if row.chance > 0:
        return f"No gap can be measured: {best}, and guessing gives {formatting.percent(row.chance)} %."
    return f"No gap can be measured: {best}."
