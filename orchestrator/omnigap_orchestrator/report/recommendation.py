"""What a user of a model should do: the recommendation on its card, and the main effects that it follows from."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
from markupsafe import Markup

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.analysis.denominators import CONDITION_COUNTS
from omnigap_orchestrator.analysis.own_text import OWN_TEXT, TRANSCRIPT
from omnigap_orchestrator.analysis.power import POWER, PowerRow
from omnigap_orchestrator.analysis.table import rows_of
from omnigap_orchestrator.report import formatting, select
from omnigap_orchestrator.report.statements import LOOK_AT_ANSWERS, floor_text

# Effect in the analysis, its name in the sentence, what to do about a significant loss.
MAIN_EFFECTS = (
    (
        "speech input",
        "Spoken questions",
        "keep a text input, or let users confirm the transcript before it is answered",
    ),
    ("image input", "Image questions", "send the text instead of an image of it where the text is available"),
    ("speech output", "Spoken answers", "show the answer as text next to the speech where users can read it"),
)


@dataclass(frozen=True)
class Difference:
    """The columns of a difference that the sentences use; rows without an estimate are filtered out first."""

    estimate: float
    low: float | None
    high: float | None
    p_adjusted: float | None


@dataclass(frozen=True, slots=True)
class Effect(Difference):
    effect: str


def effects(analysis: Analysis, model: str) -> dict[str, Effect]:
    """The effects of a model that have an estimate, by name."""
    found = select.headline_effects(analysis, model).drop_nulls("estimate")
    return {row.effect: row for row in rows_of(found, Effect)}


def recommendation(analysis: Analysis, model: str, estimated: pl.DataFrame, *, resumable: bool) -> Markup:
    counts = analysis.frame(CONDITION_COUNTS).filter(pl.col("model") == model)
    pending = int(counts["pending"].sum() or 0)
    if pending and resumable:
        return Markup("Finish the run first: {} pending. The same command resumes it.").format(
            formatting.plural(pending, "cell is", "cells are")
        )
    if floor_text(analysis, model):
        return Markup('{} <a href="#items">All answers</a> are in the item browser. {}').format(
            LOOK_AT_ANSWERS, _retry_failed(counts, resumable=resumable)
        )
    rows = effects(analysis, model)
    alpha = select.alpha(analysis)
    advice = [
        advice
        for _, advice in sorted(
            (rows[effect].estimate, advice)
            for effect, _, advice in MAIN_EFFECTS
            if effect in rows and _is_significant_loss(rows[effect], alpha)
        )
    ]
    if advice:
        text = advice[0][0].upper() + advice[0][1:]
        if advice[1:]:
            text += "; " + formatting.listed(advice[1:])
        flips = Markup('<a href="#items?verdict=flip">the flips</a>')
        return Markup("{}. Then check {}: they show whether the model or the scorer is at fault.{}").format(
            text, flips, _transcribed(analysis, model)
        )
    losses = estimated.filter((pl.col("p_adjusted") < alpha) & (pl.col("estimate") < 0)).sort("estimate")
    if losses.height:
        avoid = Markup(", ").join(condition_name(c) for c in losses["condition"])
        spoken = _transcribed(analysis, model) if losses.filter(select.is_spoken()).height else ""
        retry = _retry_failed(counts, resumable=resumable)
        return Markup("Where accuracy matters, avoid {}. {}{}").format(avoid, retry, spoken)
    if counts["failed"].sum():
        return Markup(_retry_failed(counts, resumable=resumable))
    possible = [-low for low in estimated["low"].drop_nulls() if formatting.known(low)]
    if not possible:
        return Markup("Collect more answered pairs before drawing conclusions.")
    return Markup(
        "No modality is shown to cost accuracy. This does not show that there is no cost: the intervals allow a loss "
        "of up to {} points. {}"
    ).format(f"{100 * max(0.0, *possible):.0f}", _items_needed(analysis, model))


def basis(analysis: Analysis, model: str, estimated: pl.DataFrame) -> str:
    """What the advice rests on, if that is the model's own text; empty without gaps and without spoken answers."""
    if estimated.is_empty() or list(select.spoken_sources(analysis, model)) != [OWN_TEXT]:
        return ""
    return " This rests on the model's own text, not on transcripts."


def _transcribed(analysis: Analysis, model: str) -> str:
    """A reservation about advice that rests on transcripts; empty if it rests on own texts."""
    if TRANSCRIPT not in select.spoken_sources(analysis, model):
        return ""
    return " Spoken answers are known by our transcripts only: `calibrate` shows how much of their loss is our ASR's."


def _is_significant_loss(row: Effect, alpha: float) -> bool:
    return row.estimate < 0 and is_significant(row, alpha)


def is_significant(row: Effect, alpha: float) -> bool:
    """For main effects only: other effects belong to families that the first screen does not speak of."""
    main = {effect for effect, _, _ in MAIN_EFFECTS}
    return row.effect in main and row.p_adjusted is not None and row.p_adjusted < alpha


def _retry_failed(counts: pl.DataFrame, *, resumable: bool) -> str:
    failed = int(counts["failed"].sum())
    if not resumable:
        lacking = failed + int(counts["pending"].sum())
        return f"{formatting.plural(lacking, 'answer is', 'answers are')} missing." if lacking else ""
    return f"Run the same command again to retry the {formatting.plural(failed, 'failed cell')}." if failed else ""


def _items_needed(analysis: Analysis, model: str) -> str:
    """How many items the target gap takes in the condition that needs most; plain advice if that is unknown."""
    table = analysis.frame(POWER).filter(pl.col("model") == model).drop_nulls("needed")
    advice = "Add items before routing on this result"
    if table.is_empty():
        return f"{advice}."
    most = rows_of(table.sort("needed"), PowerRow)[-1]
    gap = formatting.points(most.target_gap, signed=False)
    if most.q is not None and most.q >= 1:
        return f"This run has enough items to detect a gap of {gap} points."
    return (
        f"{advice}: detecting a gap of {gap} points takes up to {formatting.count(most.needed)} items "
        f"({100 * most.power:g} % power), and this run has {formatting.count(most.n)}."
    )


def condition_name(name: str) -> Markup:
    return Markup('<abbr title="{}">{}</abbr>').format(formatting.condition_words(name), name)
