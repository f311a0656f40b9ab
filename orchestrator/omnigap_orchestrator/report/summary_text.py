"""Summary sentences of each model: headline, effects, task losses, significance, recommendation.

Every sentence follows from rows of the analysis; nothing is estimated here.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
from markupsafe import Markup, escape

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.analysis.accuracy import AccuracyRow
from omnigap_orchestrator.analysis.own_text import OWN_TEXT, SYNTHESIS_AND_ASR, TRANSCRIPT
from omnigap_orchestrator.analysis.table import rows_of
from omnigap_orchestrator.analysis.waterfall import WATERFALL
from omnigap_orchestrator.extension import extras
from omnigap_orchestrator.report import formatting, select
from omnigap_orchestrator.report.recommendation import (
    MAIN_EFFECTS,
    Difference,
    basis,
    condition_name,
    effects,
    is_significant,
    recommendation,
)
from omnigap_orchestrator.report.statements import (
    detectable_text,
    floor_text,
    random_text,
    sources_text,
    statements,
    transcripts_text,
    unadjusted_text,
)

# Smaller differences are printed as 0.0 points, so they are neither coloured nor called a loss.
_ROUNDS_TO_ZERO = 0.0005


@dataclass(frozen=True, slots=True)
class _Gap(Difference):
    condition: str
    task: str | None
    n: int


@dataclass(frozen=True, slots=True)
class _Step:
    step: str
    estimate: float
    n: int


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """The sentences on the card of one model, as HTML.

    Attributes:
        spoken: what speech synthesis and our ASR change in the scores of spoken answers; empty without own texts.
    """

    headline: Markup
    effects: Markup
    spoken: Markup
    tasks: Markup
    significance: Markup
    recommendation: Markup


def summarise(analysis: Analysis, model: str, *, resumable: bool = True) -> ModelSummary:
    """The summary of one model. A gap is significant if its adjusted p is below 1 - level.

    Args:
        resumable: the results are of a run, whose command asks for missing answers again.
    """
    gaps = select.headline_gaps(analysis, model)
    estimated = gaps.filter(pl.col("estimate").is_not_null())
    random = random_text(model, analysis.random_weights.get(model, ()))
    if random:
        # The figures stay in the matrix and in the tables; nothing is said or advised that would follow from them.
        none = Markup("None, because of the random weights.")
        return ModelSummary(escape(random), none, Markup(""), none, none, none)
    return ModelSummary(
        _headline(analysis, model, gaps, estimated),
        _effect_sentence(analysis, model),
        _spoken_sentence(analysis, model),
        _task_sentence(analysis, model),
        _significance(analysis, model, gaps, estimated),
        recommendation(analysis, model, estimated, resumable=resumable) + basis(analysis, model, estimated),
    )


def _headline(analysis: Analysis, model: str, gaps: pl.DataFrame, estimated: pl.DataFrame) -> Markup:
    name = analysis.options.reference
    reference = select.by_condition(rows_of(select.headline_accuracy(analysis, model), AccuracyRow)).get(name)
    if reference is None or reference.estimate is None:
        return Markup("<b>{}</b> has no scored answers in {}, so no gap can be computed.").format(model, name)
    where = "With text questions and text answers" if name == "t2t" else f"In {name}"
    start = Markup("{}, <b>{}</b> scores <b>{} %</b>").format(where, model, formatting.percent(reference.estimate))
    if estimated.is_empty():
        return Markup("{}; no gap can be computed: {}.").format(start, _first_reason(gaps))
    if floor := floor_text(analysis, model):
        return Markup("{}. {}").format(start, floor)
    by = _by(analysis, model)
    significant = estimated.filter(pl.col("p_adjusted") < select.alpha(analysis)).sort("estimate")
    worst = rows_of(significant if significant.height else estimated.sort("estimate"), _Gap)[0]
    size = formatting.points(abs(worst.estimate), signed=False)
    if significant.is_empty():
        held = [row for row in effects(analysis, model).values() if is_significant(row, select.alpha(analysis))]
        if held:
            # Averaged over the other factor, an effect can be significant where no single condition is.
            named = Markup(", ").join(
                Markup("{} by {} points").format(row.effect, _points(row.estimate)) for row in held
            )
            return Markup("{}. {} single condition differs significantly, but over all conditions: {}.").format(
                start, _capital(f"{by}no"), named
            )
        if worst.estimate >= 0:
            return Markup("{}. {} other condition scores lower.").format(start, _capital(f"{by}no"))
        return Markup(
            "{}. {} other condition differs significantly. The largest observed loss, {} points in {}, may be chance."
        ).format(start, _capital(f"{by}no"), size, condition_name(worst.condition))
    if worst.estimate >= 0:
        best = rows_of(significant, _Gap)[-1]
        return Markup(
            '{}. {} scores higher in {}, by <b class="gain">{} points</b>, and no loss is significant.'
        ).format(
            start, _capital(f"{by}it"), condition_name(best.condition), formatting.points(best.estimate, signed=False)
        )
    if ", " not in formatting.condition_words(worst.condition):
        # A condition of imported results.
        return Markup('{}. {} largest loss is in {}: <b class="loss">{} points</b>.').format(
            start, _capital(f"{by}the"), condition_name(worst.condition), size
        )
    form = formatting.condition_words(worst.condition).replace(", ", " and a ")
    article = "an" if form.startswith("image") else "a"
    return Markup('{}. {} largest loss is with {} {} ({}): <b class="loss">{} points</b>.').format(
        start, _capital(f"{by}the"), article, form, condition_name(worst.condition), size
    )


def _by(analysis: Analysis, model: str) -> str:
    """What the scores of spoken answers rest on, as the beginning of a sentence; empty without spoken answers."""
    found = select.spoken_sources(analysis, model)
    if len(found) > 1:
        return "by its own text where there is one, "
    return {OWN_TEXT: "by its own text, ", TRANSCRIPT: "by our transcripts of its speech, "}.get(
        next(iter(found), ""), ""
    )


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _first_reason(gaps: pl.DataFrame) -> str:
    """The first reason why a gap was refused, without the advice that follows its semicolon."""
    reasons = gaps["reason"].drop_nulls().to_list()
    if not reasons:
        return "no other condition was planned"
    return str(reasons[0]).removeprefix("refused: ").partition(";")[0]


def _effect_sentence(analysis: Analysis, model: str) -> Markup:
    rows = effects(analysis, model)
    parts = [
        Markup("{}: {}").format(label, _with_interval(rows[effect]))
        for effect, label, _ in MAIN_EFFECTS
        if effect in rows
    ]
    if not parts and select.headline_effects(analysis, model).is_empty():
        return Markup("Effects of input and output are not defined for these conditions.")
    if not parts:
        return Markup("No effect can be computed: too few conditions have scored answers for all their items.")
    text = Markup("; ").join([parts[0], *(p[0].lower() + p[1:] for p in parts[1:])])
    return Markup("{} points.{}").format(text, _perception_loss(analysis, model))


def _perception_loss(analysis: Analysis, model: str) -> Markup:
    """How much of a gap is lost in perception, for conditions with a two-pass control."""
    sentences = []
    for condition, carrier in (("s2t", "spoken question"), ("i2t", "image question")):
        chain = analysis.frame(WATERFALL).filter((pl.col("model") == model) & (pl.col("condition") == condition))
        steps = {row.step: row for row in rows_of(chain.drop_nulls("estimate"), _Step)}
        lost = steps.get("perception")
        if lost is not None and lost.estimate < -_ROUNDS_TO_ZERO:
            # With the gap and n of the waterfall: items whose carrier holds no words have no perception step, so both
            # can differ from the gap in the matrix.
            sentence = Markup(" In {}, {} of {} points (n = {}) are lost in perceiving the {}.")
            sentences.append(
                sentence.format(
                    condition_name(condition), _points(lost.estimate), _points(steps["gap"].estimate), lost.n, carrier
                )
            )
    return Markup("").join(sentences)


def _spoken_sentence(analysis: Analysis, model: str) -> Markup:
    """What the transcripts change in the scores of the own texts; corrections of extras; empty without own texts."""
    rows = [row for row in analysis.rows(SYNTHESIS_AND_ASR) if row.model == model and row.estimate is not None]
    if not rows:
        return Markup("")
    parts = [
        Markup("{} {} {}").format(
            condition_name(row.condition),
            _points(row.estimate or 0.0),
            formatting.interval(row.low, row.high, difference=True),
        )
        for row in rows
    ]
    text = Markup(
        "Scored by the transcript, the same answers differ by {} points. This is what speech synthesis and our ASR "
        "change; the gaps by own text do not contain it."
    ).format(Markup(", ").join(parts))
    if errors := transcripts_text(analysis, model):
        text += Markup(" {}").format(errors)
    corrections = [
        (heading, cells)
        for extra in extras()
        for heading, cells in extra.condition_columns(analysis, model).items()
        if cells
    ]
    for heading, cells in corrections:
        values = ", ".join(f"{condition} {value}" for condition, value in cells.items() if value)
        text += Markup(" Gaps {}: {}.").format(heading, values.replace("-", formatting.MINUS))
    return text


def _task_sentence(analysis: Analysis, model: str) -> Markup:
    """The largest observed losses of tasks; no test, because the first screen tests gaps and main effects only."""
    losses = select.headline_task_gaps(analysis, model).filter(pl.col("estimate") < -_ROUNDS_TO_ZERO).sort("estimate")
    if losses.is_empty():
        return Markup("No task scores below its reference in any condition.")
    # Sorted by size, so the first row of a task is its largest loss.
    worst_of_task = losses.unique("task", keep="first", maintain_order=True).head(3)
    return Markup("Largest observed: {}. Exploratory: not corrected for the number of tasks, and no test.").format(
        Markup("; ").join(_task_loss(row) for row in rows_of(worst_of_task, _Gap))
    )


def _task_loss(row: _Gap) -> Markup:
    task = (row.task or "").replace("_", " ")
    return Markup("{} in {} {} (n = {})").format(task, condition_name(row.condition), _with_interval(row), row.n)


def _significance(analysis: Analysis, model: str, gaps: pl.DataFrame, estimated: pl.DataFrame) -> Markup:
    refused = gaps.height - estimated.height
    if estimated.is_empty():
        if gaps.is_empty():
            return Markup("No gap can be computed yet.")
        return Markup("{} refused: {}.").format(formatting.plural(refused, "gap"), _first_reason(gaps))
    tests = statements(analysis, model).drop_nulls("p_adjusted")
    significant = tests.filter(pl.col("p_adjusted") < select.alpha(analysis))["name"].to_list()
    gaps_held = [condition_name(name) for name in significant if name in set(estimated["condition"])]
    effects_held = [name for name in significant if name not in set(estimated["condition"])]
    names = Markup(" ({})").format(Markup(", ").join(gaps_held)) if gaps_held else Markup("")
    sizes = sorted(estimated["n"].to_list())
    pairs = f"{sizes[0]:,}" if sizes[0] == sizes[-1] else f"{sizes[0]:,} to {sizes[-1]:,}"
    methods = formatting.listed(
        [formatting.method(m) for m in estimated["method"].unique(maintain_order=True).to_list()]
    )
    text = Markup("{} of {}{} {} significant").format(
        len(gaps_held), formatting.plural(estimated.height, "gap"), names, "is" if len(gaps_held) == 1 else "are"
    )
    main = tests.height - estimated.drop_nulls("p_adjusted").height
    if main:
        named = f" ({', '.join(effects_held)})" if effects_held else ""
        text += Markup(" and {} of {}{}").format(
            len(effects_held) or "none", formatting.plural(main, "main effect"), named
        )
    text += Markup(
        ", after Holm correction over these {} tests (p < {:g}). {} pairs per gap; {} intervals: {}."
    ).format(tests.height, select.alpha(analysis), pairs, select.level_words(analysis), methods)
    if why := unadjusted_text(analysis, model, analysis.options.intervals.level):
        text += Markup(" {}").format(why)
    if unseen := detectable_text(analysis, model):
        text += Markup(" {}").format(unseen)
    if by := sources_text(analysis, model):
        text += Markup(" {}").format(by)
    lacking = int(estimated["lacking"].sum() or 0)
    if lacking:
        verb = "lacks" if lacking == 1 else "lack"
        text += Markup(" {} {} a score; the table of gaps has bounds.").format(formatting.plural(lacking, "pair"), verb)
    if refused:
        text += Markup(" {} refused because of missing answers.").format(formatting.plural(refused, "gap"))
    return text


def _points(estimate: float) -> Markup:
    tone = "" if abs(estimate) < _ROUNDS_TO_ZERO else "loss" if estimate < 0 else "gain"
    return Markup('<b class="{}">{}</b>').format(tone, formatting.points(estimate))


def _with_interval(row: Difference) -> Markup:
    return Markup("{} {}").format(_points(row.estimate), formatting.interval(row.low, row.high, difference=True))
