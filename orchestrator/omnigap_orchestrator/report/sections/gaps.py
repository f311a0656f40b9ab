"""Sections on gaps and on effects, and the columns that they share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.analysis.accuracy import AccuracyRow
from omnigap_orchestrator.analysis.gap import HEADLINE_GAPS, EffectRow, GapRow, HeadlineGapRow
from omnigap_orchestrator.analysis.own_text import SYNTHESIS_AND_ASR, SpokenRow
from omnigap_orchestrator.analysis.relative_gap import RELATIVE_GAPS, RelativeGapRow
from omnigap_orchestrator.analysis.table import ContrastColumns, rows_of
from omnigap_orchestrator.report import formatting, select, tables
from omnigap_orchestrator.report.charts import Span, interval_plot
from omnigap_orchestrator.report.overview import gap_span
from omnigap_orchestrator.report.sections.section import Section, marked, model_column
from omnigap_orchestrator.report.tables import Cell, Column, Table, make_table


def gap_section(analysis: Analysis) -> Section:
    """All gaps and accuracies; collapsed: gaps with other pooling, and with missing answers as wrong."""
    model = model_column(analysis)
    gaps = select.headline_gaps(analysis)
    bounds = [tables.interval("bound_low", "bound_high", "Bounds", definition="missing")]
    main = make_table(
        gaps,
        HeadlineGapRow,
        "gaps",
        f"Gaps to {analysis.options.reference}",
        [
            *model,
            tables.condition(),
            _meaning(),
            *contrast_columns(analysis, gaps),
            *_over_models(analysis),
            tables.optional(
                tables.text("source", "Scored text", css="soft nowrap", write=_source, definition="source")
            ),
        ],
        small="points of accuracy; item-weighted, on answered pairs",
        note=families(gaps),
    )
    transcribed = select.transcript_gaps(analysis)
    by_transcript = make_table(
        transcribed,
        GapRow,
        "gaps-by-transcript",
        "The same gaps by transcript",
        [*model, tables.condition(), _meaning(), *contrast_columns(analysis, transcribed), *_over_models(analysis)],
        small="points of accuracy; they contain the errors of speech synthesis and of our ASR",
        note=families(transcribed),
    )
    lacks = bool(analysis.frame(SYNTHESIS_AND_ASR)["lacking"].sum())
    spoken = make_table(
        analysis.frame(SYNTHESIS_AND_ASR),
        SpokenRow,
        "synthesis-and-asr",
        "Spoken answers: transcript minus own text",
        [
            *model,
            tables.condition(),
            tables.percent("own_text", "Own text, %", definition="source"),
            tables.percent("transcript", "Transcript, %", definition="source"),
            tables.points("estimate", "Difference", definition="source"),
            tables.interval("low", "high", f"{select.level_words(analysis)} interval"),
            tables.count("n", "n", definition="n"),
            *([tables.count("lacking", "Missing", definition="missing")] if lacks else []),
            tables.method(),
        ],
        small="points of accuracy that speech synthesis and our ASR change; item-weighted",
    )
    other = make_table(
        analysis.frame(HEADLINE_GAPS).filter(
            (pl.col("pooling") != "item_weighted") | (pl.col("missing") != "answered_pairs")
        ),
        GapRow,
        "gaps-other",
        "Gaps with other pooling, and with missing answers as wrong",
        [
            *model,
            tables.condition(),
            _spelled("pooling", "Pooling", "pooling"),
            _spelled("missing", "Missing answers", "missing"),
            *_estimate_columns(analysis),
            tables.count("lacking", "Missing", definition="missing", zero_soft=True),
            *bounds,
            tables.method(),
        ],
    )
    accuracy = make_table(
        select.headline_accuracy(analysis),
        AccuracyRow,
        "accuracy",
        "Accuracy",
        [
            *model,
            tables.condition(),
            tables.percent("estimate", "Accuracy, %", definition="accuracy"),
            tables.interval("low", "high", f"{select.level_words(analysis)} interval", difference=False),
            tables.count("n", "n", definition="n"),
            tables.count("clusters", "Clusters"),
            tables.count("lacking", "Missing", definition="missing", zero_soft=True),
            tables.method(),
        ],
        small="item-weighted, on answered items",
    )
    return Section(
        "gaps",
        "Gaps",
        "Gaps",
        f"Difference in accuracy between each condition and {_reference(analysis)}, paired by item. Bold: significant "
        "after correction for the other gaps and the main effects of the model. Spoken answers are scored by the "
        "model's own text where it gives one, otherwise by their transcript.",
        tables=(main, *(table for table in (relative_table(analysis), spoken) if table.rows), accuracy),
        folded=(*((by_transcript,) if by_transcript.rows else ()), other),
    )


def relative_table(analysis: Analysis) -> Table:
    """The gaps as shares of what the reference shows above chance."""
    name = analysis.options.reference
    return make_table(
        analysis.frame(RELATIVE_GAPS),
        RelativeGapRow,
        "relative-gaps",
        f"Gaps relative to {name} above chance",
        [
            *model_column(analysis),
            tables.condition(),
            tables.points("gap", "Gap, points", definition="gap"),
            tables.percent("chance", "Chance, %", definition="chance"),
            tables.points("above_chance", f"{name} above chance, points", signed=False, definition="relative_gap"),
            tables.percent("estimate", "Relative gap, %", definition="relative_gap"),
            tables.interval("low", "high", f"{select.level_words(analysis)} interval"),
            tables.count("n", "n", definition="n"),
            tables.optional(tables.text("reason", "Why there is none", css="soft")),
        ],
        small=f"(condition - {name}) / ({name} - chance), item-weighted, on answered pairs",
    )


def _over_models(analysis: Analysis) -> list[Column[Any]]:
    """The p-value adjusted over all models; no column for a single model."""
    if len(select.models_of(analysis)) < 2:
        return []
    return [tables.p_value("p_adjusted_models", "p over models", definition="holm")]


def _source(source: str) -> str:
    return source.replace("_", " ")


def _reference(analysis: Analysis) -> str:
    """`t2t (text question, text answer)`; the reference of an imported table by its name only."""
    name = analysis.options.reference
    words = formatting.condition_words(name)
    return name if words == name else f"{name} ({words})"


def _meaning() -> Column[Any]:
    return tables.text("condition", "Question, answer", css="soft nowrap", write=_short, definition="condition")


def _short(condition: str) -> str:
    return formatting.condition_words(condition).replace(" question", "").replace(" answer", "")


def _spelled(key: str, label: str, definition: str) -> Column[Any]:
    return tables.text(key, label, write=lambda s: s.replace("_", " "), definition=definition)


def _estimate_columns(analysis: Analysis) -> list[Column[Any]]:
    return [
        tables.points("estimate", "Gap", definition="gap"),
        tables.interval("low", "high", f"{select.level_words(analysis)} interval"),
        tables.count("n", "n", definition="n"),
    ]


def effect_section(analysis: Analysis) -> Section | None:
    """Input effects, output effects and interactions as chart and table; simple effects, collapsed.

    None without any: conditions of imported results can have other modalities.
    """
    effects = select.headline_effects(analysis)
    if effects.is_empty():
        return None
    charts = [
        interval_plot(spans, f"effects{place + 1}", marked(analysis, model), "effect, points of accuracy", left=126)
        for place, model in enumerate(select.models_of(analysis))
        if (spans := _effect_spans(effects.filter(pl.col("model") == model)))
    ]
    formula: Column[EffectRow] = Column("Formula", _formula, "effects")

    def table(frame: pl.DataFrame, key: str, caption: str) -> Table:
        return make_table(
            frame,
            EffectRow,
            key,
            caption,
            [
                *model_column(analysis),
                tables.text("effect", "Effect"),
                formula,
                *contrast_columns(analysis, frame),
                *_over_models(analysis),
            ],
            small="points of accuracy; item-weighted, on answered pairs",
            note=families(frame),
        )

    # Simple effects are the gaps again, one by one, so they are collapsed.
    simple = pl.col("kind") == "simple"
    return Section(
        "effects",
        "Effects of input and output",
        "Effects",
        "The effect of an input modality is averaged over both output modalities, and the effect of spoken answers "
        "over the three inputs. A negative interaction means that the input costs more when the answer is spoken too.",
        charts=tuple(charts),
        tables=(table(effects.filter(~simple), "effects", "Effects and interactions"),),
        folded=(table(effects.filter(simple), "simple-effects", "Effects of one modality at each level of the other"),),
    )


def _formula(row: EffectRow) -> Cell:
    return Cell(row.formula.replace("-", formatting.MINUS), css="soft formula")


_EFFECT_LABELS = {
    "speech input": "spoken question",
    "image input": "image question",
    "speech output": "spoken answer",
    "speech input x speech output": "spoken \u00d7 spoken",
    "image input x speech output": "image \u00d7 spoken",
}


def _effect_spans(effects: pl.DataFrame) -> list[Span]:
    spans: list[Span] = []
    for kind, heading in (("main", "Effect"), ("interaction", "Interaction")):
        rows = effects.filter(pl.col("kind") == kind)
        if rows.height:
            spans.append(Span(heading, heading=True))
        for row in rows_of(rows, EffectRow):
            modality = "image" if row.effect.startswith("image") else "speech"
            label = _EFFECT_LABELS.get(row.effect, row.effect)
            spans.append(gap_span(row, label, modality, hollow="output" in row.effect))
    return spans if any(span.estimate is not None for span in spans) else []


def contrast_columns(analysis: Analysis, frame: pl.DataFrame) -> list[Column[ContrastColumns]]:
    """Columns of a table of contrasts: difference, interval, n, discordant pairs, tests, missing pairs."""
    alpha = select.alpha(analysis)
    test = replace(tables.method("p_method", "Test"), definition="sign_flip")
    one_method = bool((frame["method"] == frame["p_method"]).fill_null(True).all())
    return [
        Column("Difference", lambda r: _difference(r, alpha), "gap", numeric=True),
        tables.interval("low", "high", f"{select.level_words(analysis)} interval"),
        tables.count("n", "n", definition="n"),
        Column("b\u00a0/\u00a0c", _discordant, "bc", numeric=True, optional=True),
        tables.p_value("p", "p", definition="sign_flip"),
        tables.p_value("p_adjusted", "p adjusted", definition="holm"),
        # One column if interval and test always use the same method, as in bootstraps and score intervals.
        *([tables.method(label="Interval and test by")] if one_method else [test, tables.method()]),
        Column("Missing", _lacking, "missing", numeric=True, optional=True),
    ]


def _difference(row: ContrastColumns, alpha: float) -> Cell:
    """The difference in points, bold and coloured if significant; `refused` with the reason if there is none."""
    if row.estimate is None:
        return Cell("refused" if row.planned else formatting.NOTHING, "", css="soft", title=row.reason or "")
    # By the adjusted p, not by the interval: intervals are not adjusted for the other gaps of the family.
    significant = row.p_adjusted is not None and row.p_adjusted < alpha
    tone = "loss" if row.estimate < 0 else "gain"
    exact = f"{100 * row.estimate:.10g}"
    return Cell(
        formatting.points(row.estimate), exact, css=f"strong {tone}" if significant else "", title=row.reason or ""
    )


def _lacking(row: ContrastColumns) -> Cell:
    # Empty cells make the optional column disappear from complete runs; CSV has the 0.
    if not row.lacking:
        return Cell("", "0")
    return Cell(f"{row.lacking:,} of {row.planned:,}", str(row.lacking), css="soft", title=row.reason or "")


def _discordant(row: ContrastColumns) -> Cell:
    return Cell(formatting.NOTHING if row.b is None else f"{row.b} / {row.c}")


def families(frame: pl.DataFrame) -> str:
    """The families of tests that the p-values are adjusted for, as a remark for the table."""
    named = frame.select("adjustment", "family").drop_nulls().unique(maintain_order=True)
    if named.is_empty():
        return ""
    parts = [f"{formatting.method(a)} over {f} tests".replace(") tests", " tests)") for a, f in named.iter_rows()]
    return f"Families: {'; '.join(parts)}."
