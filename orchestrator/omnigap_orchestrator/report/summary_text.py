"""The first sentences about a model: how big, where, how sure, what to do. Each follows from rows of the analysis."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
from markupsafe import Markup

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.analysis.accuracy import AccuracyRow
from omnigap_orchestrator.analysis.denominators import CONDITION_COUNTS
from omnigap_orchestrator.analysis.power import POWER, PowerRow
from omnigap_orchestrator.analysis.table import rows_of
from omnigap_orchestrator.analysis.waterfall import WATERFALL
from omnigap_orchestrator.report import formatting, select

_MAIN_EFFECTS = (
    (
        "speech input",
        "Speaking the question",
        "keep a typed way in, or let people check the transcript before it is answered",
    ),
    ("image input", "Showing the question", "send the text instead of a picture of it wherever the text is at hand"),
    ("speech output", "Voicing the answer", "show the answer as text beside the voice where people can read"),
)


@dataclass(frozen=True)
class _Difference:
    """What a sentence needs of an estimated difference: rows without an estimate are left out before."""

    estimate: float
    low: float | None
    high: float | None
    p_adjusted: float | None


@dataclass(frozen=True, slots=True)
class _Gap(_Difference):
    condition: str
    task: str | None
    n: int


@dataclass(frozen=True, slots=True)
class _Effect(_Difference):
    effect: str


@dataclass(frozen=True, slots=True)
class _Step:
    step: str
    estimate: float
    n: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the first screen says of one model."""

    headline: Markup
    how_big: Markup
    where: Markup
    how_sure: Markup
    what_to_do: Markup


def verdict(analysis: Analysis, model: str) -> Verdict:
    """The sentences of one model. A gap counts as shown when its adjusted p lies under 1 - level."""
    gaps = select.headline_gaps(analysis, model)
    given = gaps.filter(pl.col("estimate").is_not_null())
    return Verdict(
        _headline(analysis, model, gaps, given),
        _how_big(analysis, model),
        _where(analysis, model),
        _how_sure(analysis, gaps, given),
        _what_to_do(analysis, model, given),
    )


def _points(estimate: float) -> Markup:
    tone = "" if abs(estimate) < 0.0005 else "loss" if estimate < 0 else "gain"
    return Markup('<b class="{}">{}</b>').format(tone, formatting.points(estimate))


def _with_interval(row: _Difference) -> Markup:
    return Markup("{} {}").format(_points(row.estimate), formatting.interval(row.low, row.high, difference=True))


def _condition(name: str) -> Markup:
    return Markup('<abbr title="{}">{}</abbr>').format(formatting.condition_words(name), name)


def _headline(analysis: Analysis, model: str, gaps: pl.DataFrame, given: pl.DataFrame) -> Markup:
    name = analysis.options.reference
    reference = select.by_condition(rows_of(select.headline_accuracy(analysis, model), AccuracyRow)).get(name)
    if reference is None or reference.estimate is None:
        return Markup("<b>{}</b> has no scored answers in {}, so no gap can be given.").format(model, name)
    start = Markup("Asked and answered in text, <b>{}</b> scores <b>{} %</b>").format(
        model, formatting.percent(reference.estimate)
    )
    if name != "t2t":
        start = Markup("In {}, <b>{}</b> scores <b>{} %</b>").format(
            name, model, formatting.percent(reference.estimate)
        )
    if given.is_empty():
        return Markup("{}; no gap can be given: {}.").format(start, _why_none(gaps))
    shown = given.filter(pl.col("p_adjusted") < select.alpha(analysis)).sort("estimate")
    worst = rows_of(shown if shown.height else given.sort("estimate"), _Gap)[0]
    size = formatting.points(abs(worst.estimate), signed=False)
    if shown.is_empty():
        if worst.estimate >= 0:
            return Markup("{}, and no other condition scores lower.").format(start)
        return Markup(
            "{}; no other condition is shown to differ. The largest loss seen, {} points in {}, may be chance."
        ).format(start, size, _condition(worst.condition))
    if worst.estimate >= 0:
        best = rows_of(shown, _Gap)[-1]
        return Markup('{}. It scores higher in {}, by <b class="gain">{} points</b>, and no loss is shown.').format(
            start, _condition(best.condition), formatting.points(best.estimate, signed=False)
        )
    form = formatting.condition_words(worst.condition)
    return Markup('{}. It loses most with a {} ({}): <b class="loss">{} points</b>.').format(
        start, form.replace(", ", " and a "), _condition(worst.condition), size
    )


def _how_big(analysis: Analysis, model: str) -> Markup:
    rows = _effects(analysis, model)
    parts = [
        Markup("{} {}").format(label, _with_interval(rows[effect]))
        for effect, label, _ in _MAIN_EFFECTS
        if effect in rows
    ]
    if not parts:
        return Markup("No effect over these conditions: too few of them have scored answers for all their items.")
    text = Markup("; ").join([parts[0], *(p[0].lower() + p[1:] for p in parts[1:])])
    return Markup("{} points.{}{}").format(text, _perceiving(analysis, model), _voicing(analysis, model))


def _effects(analysis: Analysis, model: str) -> dict[str, _Effect]:
    """The effects of a model that have an estimate, by name."""
    effects = select.headline_effects(analysis, model).drop_nulls("estimate")
    return {row.effect: row for row in rows_of(effects, _Effect)}


def _perceiving(analysis: Analysis, model: str) -> Markup:
    """What part of a gap arises in hearing or reading the question, where a two-pass control tells."""
    told = []
    for condition, doing in (("s2t", "hearing"), ("i2t", "reading")):
        chain = analysis.frame(WATERFALL).filter((pl.col("model") == model) & (pl.col("condition") == condition))
        steps = {row.step: row for row in rows_of(chain.drop_nulls("estimate"), _Step)}
        lost = steps.get("perception")
        if lost is not None and lost.estimate < -0.0005:
            # With its own gap and n: some items have no words to hear or read, and no such step.
            sentence = Markup(" In {}, {} of {} (n = {}) arise in {} the question.")
            told.append(
                sentence.format(
                    _condition(condition), _points(lost.estimate), _points(steps["gap"].estimate), lost.n, doing
                )
            )
    return Markup("").join(told)


def _voicing(analysis: Analysis, model: str) -> Markup:
    """What part of the gap of t2s comes after the words were chosen, where our own scorer may be to blame."""
    steps = analysis.frame(WATERFALL).filter((pl.col("model") == model) & (pl.col("condition") == "t2s"))
    heard = steps.filter((pl.col("step") == "synthesis_and_asr") & (pl.col("estimate") < -0.0005))
    if heard.is_empty():
        return Markup("")
    return Markup(" In {}, {} arise in voicing and in our hearing of it.").format(
        _condition("t2s"), _points(heard["estimate"][0])
    )


def _where(analysis: Analysis, model: str) -> Markup:
    gaps = select.headline_task_gaps(analysis, model).filter(pl.col("estimate") < 0)
    sure = gaps.filter(pl.col("p_adjusted") < select.alpha(analysis)).sort("estimate")
    if sure.is_empty():
        if gaps.is_empty():
            return Markup("No task lies below its text score in any condition.")
        worst = rows_of(gaps.sort("estimate"), _Gap)[0]
        return Markup(
            "No single task stands out once the grid of tasks is corrected for. Lowest seen: {} in {} {} (n = {})."
        ).format((worst.task or "").replace("_", " "), _condition(worst.condition), _with_interval(worst), worst.n)
    best_of_task = sure.unique("task", keep="first", maintain_order=True).head(3)
    parts = [
        Markup("{} in {} {} (n = {})").format(
            (r.task or "").replace("_", " "), _condition(r.condition), _with_interval(r), r.n
        )
        for r in rows_of(best_of_task, _Gap)
    ]
    return Markup("Most in {}.").format(Markup("; ").join(parts))


def _how_sure(analysis: Analysis, gaps: pl.DataFrame, given: pl.DataFrame) -> Markup:
    refused = gaps.height - given.height
    if given.is_empty():
        if gaps.is_empty():
            return Markup("Nothing to be sure of yet.")
        return Markup("{} refused: {}.").format(formatting.plural(refused, "gap"), _why_none(gaps))
    sure = given.filter(pl.col("p_adjusted") < select.alpha(analysis)).height
    sizes = sorted(given["n"].to_list())
    pairs = f"{sizes[0]:,}" if sizes[0] == sizes[-1] else f"{sizes[0]:,} to {sizes[-1]:,}"
    methods = formatting.listed([formatting.method(m) for m in given["method"].unique(maintain_order=True).to_list()])
    text = Markup("{} of {} gaps hold after Holm at {}. {} pairs each; {} intervals, by {}.").format(
        sure, given.height, f"p < {select.alpha(analysis):g}", pairs, select.level_words(analysis), methods
    )
    lacking = int(given["lacking"].sum() or 0)
    if lacking:
        text += Markup(" {} lack a score: see the bounds.").format(formatting.plural(lacking, "pair"))
    if refused:
        text += Markup(" {} refused for missing answers.").format(formatting.plural(refused, "gap"))
    return text


def _what_to_do(analysis: Analysis, model: str, given: pl.DataFrame) -> Markup:
    counts = analysis.frame(CONDITION_COUNTS).filter(pl.col("model") == model)
    pending = int(counts["pending"].sum() or 0)
    if pending:
        return Markup("Finish the run first: {} pending. The same command goes on.").format(
            formatting.plural(pending, "cell is", "cells are")
        )
    rows = _effects(analysis, model)
    level = select.alpha(analysis)
    costly = sorted(
        (rows[effect].estimate, advice)
        for effect, _, advice in _MAIN_EFFECTS
        if effect in rows and _shown_loss(rows[effect], level)
    )
    if not costly:
        lossy = given.filter((pl.col("p_adjusted") < level) & (pl.col("estimate") < 0)).sort("estimate")
        if lossy.height:
            avoid = Markup(", ").join(_condition(c) for c in lossy["condition"])
            return Markup("Where accuracy matters, avoid {}. {}").format(avoid, _again(counts))
        if counts["failed"].sum():
            return Markup(_again(counts))
        possible = [-low for low in given["low"].drop_nulls() if formatting.known(low)]
        if not possible:
            return Markup("Bring more answered pairs before anything is decided.")
        return Markup(
            "No form is shown to cost accuracy, which is not the same as no cost: the intervals leave room for a loss "
            "of {} points. {}"
        ).format(f"{100 * max(0.0, *possible):.0f}", _more_items(analysis, model))
    first, *rest = [advice for _, advice in costly]
    text = first[0].upper() + first[1:]
    if rest:
        text += "; " + formatting.listed(rest)
    flips = Markup('<a href="#items?verdict=flip">the flips</a>')
    return Markup("{}. Then listen to {}: they tell whether the model or the scorer is at fault.").format(text, flips)


def _more_items(analysis: Analysis, model: str) -> str:
    """How many items the declared gap takes in the form that asks for most; nothing but the advice where none tells."""
    table = analysis.frame(POWER).filter(pl.col("model") == model).drop_nulls("needed")
    advice = "Add items before routing on it"
    if table.is_empty():
        return f"{advice}."
    most = rows_of(table.sort("needed"), PowerRow)[-1]
    gap = formatting.points(most.target_gap, signed=False)
    if most.q is not None and most.q >= 1:
        return f"This run has the items for a gap of {gap} points."
    return (
        f"{advice}: a gap of {gap} points takes up to {formatting.count(most.needed)} of them "
        f"({100 * most.power:g} % power), and this run has {formatting.count(most.n)}."
    )


def _why_none(gaps: pl.DataFrame) -> str:
    """The first reason for which a gap was refused, without its advice."""
    reasons = gaps["reason"].drop_nulls().to_list()
    if not reasons:
        return "no other condition was asked"
    return str(reasons[0]).removeprefix("refused: ").partition(";")[0]


def _again(counts: pl.DataFrame) -> str:
    failed = int(counts["failed"].sum())
    return (
        f"Run the same command again: it asks the {formatting.plural(failed, 'failed cell')} once more."
        if failed
        else ""
    )


def _shown_loss(row: _Effect, alpha: float) -> bool:
    return row.estimate < 0 and row.p_adjusted is not None and row.p_adjusted < alpha
