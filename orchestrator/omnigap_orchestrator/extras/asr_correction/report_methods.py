"""The methods paragraph on ASR errors: calibration, correction, second scorer, human labels."""

from __future__ import annotations

import polars as pl

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.extras.asr_correction.corrected import CALIBRATED
from omnigap_orchestrator.extras.asr_correction.human import HUMAN
from omnigap_orchestrator.extras.asr_correction.rates import CALIBRATION
from omnigap_orchestrator.report import formatting, select
from omnigap_orchestrator.report.run_info import RunInfo


def correction_paragraph(analysis: Analysis, info: RunInfo) -> str:
    """Empty if none of these methods was used."""
    return " ".join(part for part in (_calibration(analysis), _second(analysis, info), _human(analysis)) if part)


def _calibration(analysis: Analysis) -> str:
    rates = analysis.frame(CALIBRATION)
    if rates.is_empty():
        return ""
    rates = rates.filter(pl.col("metric").is_null())
    gold, wrong = (rates.filter(clip_kind=name) for name in ("gold", "all_wrong"))
    voices = int(rates["voices"].max() or 1)  # type: ignore[arg-type]
    corrected = analysis.frame(CALIBRATED)["corrected"].drop_nulls().len()
    text = (
        f"The ASR scorer was calibrated on {formatting.plural(int(gold['n'].sum()), 'clip')} of gold answers and "
        f"{int(wrong['n'].sum()):,} of wrong answers (distractors and confusables), synthesised in "
        f"{formatting.plural(voices, 'voice')} and scored by the same normaliser and metrics, by answer type"
        f"{_by_metric(analysis)}."
    )
    if corrected:
        text += (
            " Scores of spoken answers are also given corrected after Rogan and Gladen, with intervals at "
            f"{select.level_words(analysis)} that carry the calibration's variance and, for gaps, the covariance with "
            f"{analysis.options.reference}{_both(analysis)}. Synthetic speech is cleaner than a model's own, so the "
            "error rates are probably underestimated."
        )
    return text


def _by_metric(analysis: Analysis) -> str:
    return " and, within a type, by metric" if analysis.frame(CALIBRATION)["metric"].drop_nulls().len() else ""


def _both(analysis: Analysis) -> str:
    """A remark if the reference is corrected too."""
    transcribed = set(analysis.frame(CALIBRATED)["corrected_ends"]) & {"both", "reference"}
    return ", whose answers are spoken and were corrected likewise" if transcribed else ""


def _second(analysis: Analysis, info: RunInfo) -> str:
    transcribed = int(analysis.frame(CALIBRATED)["second_cells"].sum() or 0)
    if not transcribed:
        return ""
    other = info.second_asr
    # The same program with other settings is another scorer: only the digest distinguishes them.
    name = f" ({other.name}; digest {formatting.short(other.digest)})" if other is not None and other.digest else ""
    return (
        f"A second ASR model{name} transcribed {formatting.plural(transcribed, 'spoken answer')}; the scorers are "
        "compared on the answers that both have transcribed."
    )


def _human(analysis: Analysis) -> str:
    scores = analysis.frame(HUMAN).filter(pl.col("quantity") == "score")
    labelled = int(scores["labelled"].sum() or 0)
    if not labelled:
        return ""
    return (
        f"{formatting.plural(labelled, 'spoken answer')} of {int(scores['n'].sum()):,} have human labels; scores from "
        "these labels are estimated by prediction-powered inference with power tuning (PPI++), each label weighted by "
        "the inverse of its inclusion probability."
    )
