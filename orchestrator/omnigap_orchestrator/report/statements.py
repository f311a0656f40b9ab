"""Sentences that the report and the terminal share: what scores rest on, and why an interval and a test can differ."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import polars as pl

from omnigap_orchestrator.analysis import Tables
from omnigap_orchestrator.analysis.denominators import CONDITION_COUNTS
from omnigap_orchestrator.analysis.floor import FLOOR
from omnigap_orchestrator.analysis.gap import MAIN
from omnigap_orchestrator.analysis.own_text import OWN_TEXT, TRANSCRIPT
from omnigap_orchestrator.analysis.power import POWER
from omnigap_orchestrator.analysis.relative_gap import RELATIVE_GAPS
from omnigap_orchestrator.analysis.scorer_errors import SCORER_ERRORS, ScorerErrorsRow
from omnigap_orchestrator.report import formatting, select

_TESTED = ("model", "name", "estimate", "low", "high", "p", "p_adjusted", "p_adjusted_models", "family")


def statements(tables: Tables, model: str | None = None) -> pl.DataFrame:
    """The tests of the first screen: gaps by their condition, main effects by their name, as the column `name`."""
    gaps = select.headline_gaps(tables, model).rename({"condition": "name"})
    effects = select.headline_effects(tables, model).filter(pl.col("kind") == MAIN).rename({"effect": "name"})
    return pl.concat([gaps.select(_TESTED), effects.select(_TESTED)])


def sources_text(tables: Tables, model: str) -> str:
    """Which text the scores of spoken answers rest on; empty without spoken answers, and for results of other tools."""
    found = select.spoken_sources(tables, model)
    parts = []
    if own := found.get(OWN_TEXT):
        parts.append(f"Spoken answers are scored by the model's own text ({', '.join(own)}).")
    if transcribed := found.get(TRANSCRIPT):
        only = "" if not own else " of the others"
        parts.append(
            f"Spoken answers{only} are scored by our transcript ({', '.join(transcribed)}), because the model gives no "
            "text with its speech: errors of speech synthesis and of our ASR count as its own."
        )
    return " ".join(parts)


MISUNDERSTOOD, NOT_UNDERSTOOD = 0.2, 0.5
"""Word error rates of the scorer above which (by the lower limit of the interval) a warning is shown."""


def is_mismatch(row: ScorerErrorsRow) -> bool:
    """Whether the scorer certainly misunderstands this voice."""
    return row.low is not None and row.low > MISUNDERSTOOD


def is_measured(row: ScorerErrorsRow) -> bool:
    """Whether the interval decides between a scorer that understands this voice and one that does not."""
    return is_mismatch(row) or (row.high is not None and row.high <= NOT_UNDERSTOOD)


def word_errors_text(row: ScorerErrorsRow) -> str:
    """`35.0 % word errors [28.1, 41.9]`; without an interval if there are too few texts for one."""
    limits = "" if row.low is None else f" [{formatting.percent(row.low)}, {formatting.percent(row.high)}]"
    return f"{formatting.percent(row.wer)} % word errors{limits}"


def transcripts_text(tables: Tables, model: str) -> str:
    """How well the scorer understands a model, by its own text; empty if it has none."""
    rows = [row for row in tables.rows(SCORER_ERRORS) if row.model == model and row.wer is not None]
    return f"Our transcripts have {word_errors_text(rows[0])} against the model's own text." if rows else ""


def spoken_models_text(tables: Tables) -> str:
    """Which models' spoken answers are scored by their transcripts, for a table of several models."""
    by_source = {model: select.spoken_sources(tables, model) for model in select.models_of(tables)}
    transcribed = [model for model, found in by_source.items() if TRANSCRIPT in found]
    if not any(OWN_TEXT in found for found in by_source.values()):
        return "Spoken answers are scored by our transcripts." if transcribed else ""
    rest = f"; of {formatting.listed(transcribed)}, those without one by our transcripts" if transcribed else ""
    return f"Spoken answers are scored by the model's own text{rest}."


def unadjusted_text(tables: Tables, model: str, level: float) -> str:
    """Why tests are not significant although their intervals exclude 0; empty if there are none."""
    alpha = round(1 - level, 10)
    excludes = (pl.col("low") > 0) | (pl.col("high") < 0)
    found = statements(tables, model).filter(excludes & (pl.col("p_adjusted") >= alpha))
    corrected = found.filter(pl.col("p") < alpha)
    parts = []
    if corrected.height:
        count = _family_size(corrected["family"][0])
        names = formatting.listed(corrected["name"].to_list())
        parts.append(
            f"The {100 * level:g} % interval of {names} excludes 0, but the adjusted test does not: it corrects for "
            f"{count} comparisons in one family."
        )
    # An exact test and an interval of another method can disagree close to the limit.
    if (other := found.filter(pl.col("p") >= alpha)).height:
        names = formatting.listed(other["name"].to_list())
        parts.append(f"The interval of {names} excludes 0, but the test of another method does not.")
    return " ".join(parts)


def detectable_text(tables: Tables, model: str) -> str:
    """The smallest gaps that this number of items can show; empty if all are under the target gap.

    Contrasts without differing answers say nothing about it: their variance is not known.
    """
    found = [row for row in tables.rows(POWER) if row.model == model and row.detectable_gap is not None]
    if not found or all(row.q is not None and row.q >= 1 for row in found):
        return ""
    gaps = sorted(row.detectable_gap or 0.0 for row in found)
    low, high = (f"{100 * gap:.0f}" for gap in (gaps[0], gaps[-1]))
    items = sorted({row.n for row in found})
    pairs = f"{items[0]:,}" if len(items) == 1 else f"{items[0]:,} to {items[-1]:,}"
    size = high if low == high else f"{low} to {high}, depending on the condition,"
    return (
        f"With {pairs} pairs, the smallest gap that one test detects with {100 * found[0].power:g} % power is about"
        f" {size} points: a smaller one can go unnoticed, more so after the correction."
    )


def _family_size(family: str | None) -> str:
    found = re.search(r"\((\d+)\)$", family or "")
    return found.group(1) if found else "several"


def across_models_text(tables: Tables, level: float, random: Collection[str] = ()) -> str:
    """What is significant if all models are one family; empty for fewer than two.

    Args:
        random: models with random weights, whose tests are no part of the family.
    """
    found = statements(tables).filter(~pl.col("model").is_in(list(random)))
    if found["model"].n_unique() < 2:
        return ""
    alpha = round(1 - level, 10)
    tests = found["p"].drop_nulls().len()
    held = found.filter(pl.col("p_adjusted_models") < alpha)
    which = "all models without random weights" if random else "all models"
    start = f"Adjusted over {which} together (Holm over {tests} tests)"
    if held.is_empty():
        return f"{start}, no gap and no main effect is significant."
    by_model = held.group_by("model", maintain_order=True).agg("name").iter_rows()
    named = "; ".join(f"{model}: {', '.join(names)}" for model, names in by_model)
    return f"{start}, these are significant: {named}."


_ROLE_WORDS = {"tts": "voice of the questions", "scorer": "ASR scorer", "judge": "judge"}


def random_mark(roles: Sequence[str]) -> str:
    """The mark beside the name of a model in tables; empty without roles.

    Args:
        roles: what had random weights of all that its figures depend on (`random_weights_of`).
    """
    if "model" in roles or not roles:
        return "random weights" if roles else ""
    return f"random {formatting.listed([_ROLE_WORDS[role] for role in roles])}"


def random_text(model: str, roles: Sequence[str]) -> str:
    """Why no statement is made about a model; empty without roles."""
    if not roles:
        return ""
    if "model" in roles:
        return (
            f"{model} answered with random weights (--tiny): its figures only show that the measurement ran, and say "
            "nothing about this model."
        )
    what = formatting.listed([f"the {_ROLE_WORDS[role]}" for role in roles])
    verb = "has" if len(roles) == 1 else "have"
    return f"{what[0].upper()}{what[1:]} {verb} random weights (--tiny): the figures of {model} say nothing about it."


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
