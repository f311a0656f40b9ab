"""The section of metrics: what was scored by a judge, by checks, by refusals, and how much of it could be read."""

from __future__ import annotations

import polars as pl

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.report import tables
from omnigap_orchestrator.report.sections.section import Section, model_column
from omnigap_orchestrator.report.tables import make_table

_MEANINGS = {
    "judge": "rated by a language model",
    "refusal": "1 where the answer refuses",
    "voicebench_refusal": "1 where the answer refuses, by VoiceBench's phrases",
    "ifeval": "1 where all checks are kept",
    "ifeval_loose": "1 where all checks are kept, a line or asterisks aside",
    "ifeval_share": "share of checks kept",
    "ifeval_audible": "1 where all checks that can be heard are kept",
    "voicebench_ifeval": "mean of four verdicts of IFEval",
    "voicebench_mcq": "VoiceBench's letter",
    "voicebench_bbh": "VoiceBench's verdict",
    "voicebench_panda": "agrees with a reference, by PANDA",
    "letter": "spoken or written choice",
    "entities": "share of entities found",
}


def metrics_section(analysis: Analysis) -> Section | None:
    """Scores by metric; nothing where one plain metric scored everything."""
    frame = analysis.metrics
    used = frame["metric"].unique().to_list()
    if len(used) < 2 and not set(used) & set(_MEANINGS):
        return None
    grid = make_table(
        frame.with_columns(meaning=pl.col("metric").replace_strict(_MEANINGS, default="", return_dtype=pl.String)),
        "metrics",
        "Scores by metric",
        [
            *model_column(analysis),
            tables.text("metric", "Metric", write=lambda name: name.replace("_", " "), definition="metric"),
            tables.optional(tables.text("meaning", "", css="soft")),
            tables.condition(),
            tables.count("items", "Items"),
            tables.count("scored", "Scored"),
            tables.optional(tables.count("failed", "Failed", zero_soft=True)),
            tables.percent("mean_score", "Mean score, %"),
            tables.optional(tables.number("mean_rating", "Mean rating", definition="judge")),
            tables.percent("refused", "Refused, %", definition="flags"),
            tables.percent("unparsable", "Unparsable, %", definition="flags"),
        ],
        small="descriptive; replicates count as cells; shares are of the scored cells",
    )
    judged = (
        " Open answers are rated by a judge, whose missing verdicts are missing answers." if "judge" in used else ""
    )
    return Section(
        "metrics",
        "What was scored how",
        "Metrics",
        f"Every item keeps its metric in all conditions, so that its scores can be compared.{judged}",
        tables=(grid,),
    )
