"""Sections on denominators (outcomes of the planned cells, errors, flags) and on the ASR scorer."""

from __future__ import annotations

import polars as pl

from omnigap.vocabulary import Outcome
from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.analysis.denominators import (
    ASR,
    CONDITION_COUNTS,
    ERRORS,
    FLAGS,
    AsrRow,
    ConditionRow,
    ErrorRow,
    FlagRow,
)
from omnigap_orchestrator.analysis.waterfall import WATERFALL, StepRow
from omnigap_orchestrator.report import formatting, select, tables
from omnigap_orchestrator.report.browser import RIGHT_FROM
from omnigap_orchestrator.report.charts import Chart, Histogram, histograms
from omnigap_orchestrator.report.sections.section import Section, model_column
from omnigap_orchestrator.report.tables import make_table
from omnigap_orchestrator.results import not_representative

_MEASURES = (
    ("asr_avg_logprob", "Average log probability"),
    ("asr_no_speech_prob", "No-speech probability"),
    ("asr_compression_ratio", "Compression ratio"),
)
_MIN_TRANSCRIPTS = 20
"""Below this number a histogram of 30 bins is mostly noise, and is omitted."""


def missing_section(analysis: Analysis) -> Section:
    """Outcomes of the planned cells, and the reasons of those without an answer."""
    counts = make_table(
        analysis.frame(CONDITION_COUNTS),
        ConditionRow,
        "denominators",
        "Denominators",
        [
            *model_column(analysis),
            tables.condition(),
            tables.text("support", "Support", css="soft", definition="outcomes"),
            tables.count("items", "Items"),
            tables.count("planned", "Planned", definition="outcomes"),
            tables.count("answered", "Answered"),
            tables.count("scored", "Scored"),
            tables.count("failed", "Failed", zero_soft=True),
            tables.count("pending", "Pending", zero_soft=True),
            tables.count("unsupported", "Unsupported", zero_soft=True),
        ],
        small="counts of cells; cells = items x replicates",
    )
    errors = make_table(
        analysis.frame(ERRORS),
        ErrorRow,
        "errors",
        "Cells without an answer",
        [
            *model_column(analysis),
            tables.condition(),
            tables.text("outcome", "Outcome"),
            tables.text("error_reason", "Reason"),
            tables.count("cells", "Cells"),
            tables.text("example", "Example message", css="soft long"),
        ],
    )
    flags = make_table(
        analysis.frame(FLAGS),
        FlagRow,
        "flags",
        "Flagged answers",
        [
            *model_column(analysis),
            tables.condition(),
            tables.text("flag", "Flag", write=lambda s: s.replace("_", " "), definition="flags"),
            tables.count("cells", "Cells"),
            tables.count("answered", "Of answered"),
            tables.percent("share", "Share, %"),
        ],
    )
    # Unsupported cells are declared by the model and not planned to be answered, so they are not missing.
    lost = int(analysis.frame(ERRORS).filter(pl.col("outcome") != Outcome.UNSUPPORTED.value)["cells"].sum())
    planned = int(analysis.frame(CONDITION_COUNTS)["planned"].sum())
    lead = f"All {formatting.plural(planned, 'planned cell')} were answered."
    if lost:
        lead = (
            f"{lost:,} of {formatting.plural(planned, 'planned cell')} {'has' if lost == 1 else 'have'} no answer. "
            "Such cells count as missing, not as wrong."
        )
    return Section(
        "missing",
        "Planned cells and their outcomes",
        "Missing",
        lead,
        tables=(counts, *(t for t in (errors, flags) if t.rows)),
    )


def asr_section(analysis: Analysis, results: pl.DataFrame) -> Section | None:
    """Quality of the transcripts; None if no answer was transcribed."""
    if analysis.frame(ASR).is_empty():
        return None
    table = make_table(
        analysis.frame(ASR),
        AsrRow,
        "asr",
        "Transcripts",
        [
            *model_column(analysis),
            tables.condition(),
            tables.count("transcribed", "n"),
            tables.count("empty", "Empty", zero_soft=True),
            tables.count("silent", "Silent", zero_soft=True, definition="flags"),
            tables.count("truncated", "Truncated", zero_soft=True),
            tables.count("suspect", "Suspect", zero_soft=True),
            tables.count("other_language", "Other language", zero_soft=True),
            tables.number("mean_avg_logprob", "Avg logprob", definition="asr"),
            tables.number("mean_no_speech_prob", "No speech", digits=3),
            tables.number("mean_compression_ratio", "Compression"),
            tables.optional(tables.percent("wer", "WER to own text, %", definition="wer")),
            # The denominator of WER, shown only with it: models without own texts have none.
            *([tables.count("wer_words", "Words")] if analysis.frame(ASR)["wer"].drop_nulls().len() else []),
            tables.optional(tables.percent("wer_whisper", "WER (Whisper), %", definition="wer")),
            tables.number("audio_seconds", "Audio, s", digits=0),
        ],
        small="means over spoken answers",
    )
    synthesis = make_table(
        analysis.frame(WATERFALL).filter(pl.col("step") == "synthesis_and_asr"),
        StepRow,
        "synthesis_and_asr",
        "Transcript against own text",
        [
            *model_column(analysis),
            tables.condition(),
            tables.points("estimate", "Transcript minus own text", definition="synthesis_and_asr"),
            tables.interval("low", "high", f"{select.level_words(analysis)} interval"),
            tables.count("n", "n", definition="n"),
            tables.method(),
        ],
        small="points of accuracy that are lost in speech synthesis or in our ASR",
    )
    chart = _asr_histograms(results)
    return Section(
        "asr",
        "ASR scorer",
        "ASR",
        "Spoken answers are scored by their ASR transcripts, so ASR errors are part of every gap with a spoken answer. "
        "In the charts, right answers are filled and wrong answers outlined. If the scorer is less confident about "
        "wrong answers, some of them are ASR errors.",
        charts=(chart,) if chart is not None else (),
        tables=tuple(t for t in (synthesis, table) if t.rows),
    )


def _asr_histograms(results: pl.DataFrame) -> Chart | None:
    # Only scored answers: each must be right or wrong. Speech of random weights is noise.
    noise = pl.col("model").is_in(sorted(not_representative(results)))
    scored = results.filter((pl.col("output") == "speech") & pl.col("score").is_not_null() & ~noise)
    panels = []
    for name, title in _MEASURES:
        seen = scored.filter(pl.col(name).is_not_null() & pl.col(name).is_finite())
        if seen.height >= _MIN_TRANSCRIPTS:
            right = pl.col("score") >= RIGHT_FROM
            panels.append(Histogram(title, seen.filter(right)[name].to_list(), seen.filter(~right)[name].to_list()))
    return (
        histograms(panels, "asr-measures", "Diagnostics of the ASR scorer, right and wrong answers") if panels else None
    )
