"""The section of effects: what speaking, showing and voicing cost by themselves and together."""

from __future__ import annotations

import polars as pl

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.analysis.gaps.effects import EffectRow
from omnigap_orchestrator.analysis.rows import rows_of
from omnigap_orchestrator.report import slices, tables, words
from omnigap_orchestrator.report.charts import Span, interval_plot
from omnigap_orchestrator.report.overview import gap_span
from omnigap_orchestrator.report.sections.contrasts import contrast_columns, families
from omnigap_orchestrator.report.sections.section import Section, model_column
from omnigap_orchestrator.report.tables import Cell, Column, Table, make_table


def effect_section(analysis: Analysis) -> Section:
    """Input effects, output effects and interactions, drawn and tabled; the simple effects wait behind a line."""
    effects = slices.headline_effects(analysis)
    charts = [
        interval_plot(spans, f"effects{place + 1}", model, "effect, points of accuracy", left=126)
        for place, model in enumerate(slices.models_of(analysis))
        if (spans := _effect_spans(effects.filter(pl.col("model") == model)))
    ]
    formula: Column[EffectRow] = Column("Formula", _formula, "effects")

    def table(frame: pl.DataFrame, key: str, caption: str) -> Table:
        return make_table(
            frame,
            EffectRow,
            key,
            caption,
            [*model_column(analysis), tables.text("effect", "Effect"), formula, *contrast_columns(analysis, frame)],
            small="points of accuracy; item-weighted, on answered pairs",
            note=families(frame),
        )

    simple = pl.col("kind") == "simple"
    return Section(
        "effects",
        "Which side of the conversation costs",
        "Effects",
        "An effect of an input is averaged over both kinds of answer, that of spoken answers over the three inputs. An "
        "interaction tells whether an input costs more (below zero) or less when the answer must be spoken as well.",
        charts=tuple(charts),
        tables=(table(effects.filter(~simple), "effects", "Effects and interactions"),),
        folded=(table(effects.filter(simple), "simple-effects", "Effects at each level of the other side"),),
    )


def _formula(row: EffectRow) -> Cell:
    return Cell(row.formula.replace("-", words.MINUS), css="soft formula")


_EFFECT_LABELS = {
    "speech input": "spoken question",
    "image input": "shown question",
    "speech output": "spoken answer",
    "speech input x speech output": "spoken \u00d7 spoken",
    "image input x speech output": "shown \u00d7 spoken",
}


def _effect_spans(effects: pl.DataFrame) -> list[Span]:
    spans: list[Span] = []
    for kind, heading in (("main", "Effect of a"), ("interaction", "Interaction")):
        rows = effects.filter(pl.col("kind") == kind)
        if rows.height:
            spans.append(Span(heading, heading=True))
        for row in rows_of(rows, EffectRow):
            modality = "image" if row.effect.startswith("image") else "speech"
            label = _EFFECT_LABELS.get(row.effect, row.effect)
            spans.append(gap_span(row, label, modality, hollow="output" in row.effect))
    return spans if any(span.estimate is not None for span in spans) else []
