"""What the methods say of the control cells: which were run, and how."""

from __future__ import annotations

import polars as pl

from omnigap.vocabulary import Control
from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.analysis.controls.tables import CONTROLS
from omnigap_orchestrator.plan import BLANK_TEXT
from omnigap_orchestrator.report import words
from omnigap_orchestrator.report.facts import RunFacts


def controls_paragraph(analysis: Analysis, facts: RunFacts) -> str:
    """A sentence or two for each kind of control that was asked; empty where none was."""
    counts = analysis.frame(CONTROLS)
    asked = {control: _counts(counts, control) for control in Control if control.value in counts["control"]}
    if not asked:
        return ""
    return " ".join(["Beside these cells, controls were asked.", *(_HOW[c](n, facts) for c, n in asked.items())])


def _counts(counts: pl.DataFrame, control: Control) -> str:
    """`280 cells`, or `278 of 280 cells answered`."""
    rows = counts.filter(pl.col("control") == control.value)
    planned, answered = int(rows["planned"].sum()), int(rows["answered"].sum())
    return words.plural(planned, "cell") if answered == planned else f"{answered:,} of {planned:,} cells answered"


def _two_pass(counts: str, facts: RunFacts) -> str:
    quoted = words.listed([f'"{prompt}"' for prompt in facts.prompts])
    prompts = f" ({quoted})" if quoted else ""
    return (
        f"Two-pass ({counts}): the model first wrote down the spoken or shown question{prompts}, then answered its own "
        "words as a typed question; the difference to the typed question itself is the loss in perceiving."
    )


def _blank(counts: str, facts: RunFacts) -> str:
    return (
        f"Blank ({counts}): the question was replaced by a white image of the same size, by silence of the same "
        f'length, or by a typed empty line ("{BLANK_TEXT}"), and a typed instruction was kept.'
    )


def _repeat(counts: str, facts: RunFacts) -> str:
    return f"Repeat ({counts}): each cell was asked once more, with the same request under another id."


_HOW = {Control.TWO_PASS: _two_pass, Control.BLANK: _blank, Control.REPEAT: _repeat}
