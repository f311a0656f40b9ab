"""The methods paragraph of the ASR scorer as an instrument: calibration, correction, second scorer, human labels."""

from __future__ import annotations

import polars as pl

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.extras.asr_correction.corrected import CALIBRATED
from omnigap_orchestrator.extras.asr_correction.human import HUMAN
from omnigap_orchestrator.extras.asr_correction.rates import CALIBRATION
from omnigap_orchestrator.report import formatting, select
from omnigap_orchestrator.report.run_info import RunInfo


def correction_paragraph(analysis: Analysis, info: RunInfo) -> str:
    """Empty where nothing of it was done."""
    return " ".join(part for part in (_calibration(analysis), _second(analysis, info), _human(analysis)) if part)


def _calibration(analysis: Analysis) -> str:
    rates = analysis.frame(CALIBRATION)
    if rates.is_empty():
        return ""
    rates = rates.filter(pl.col("metric").is_null())
    gold, foils = (rates.filter(foil=name) for name in ("gold", "all_foils"))
    voices = int(rates["voices"].max() or 1)  # type: ignore[arg-type]
    corrected = analysis.frame(CALIBRATED)["corrected"].drop_nulls().len()
    text = (
        f"The ASR scorer was calibrated on {formatting.plural(int(gold['n'].sum()), 'clip')} of gold answers and "
        f"{int(foils['n'].sum()):,} of wrong ones (other items' answers and sound-alikes), synthesised in "
        f"{formatting.plural(voices, 'voice')} and scored by the same normaliser and metrics, by answer type"
        f"{_by_metric(analysis)}."
    )
    if corrected:
        text += (
            " Scores of spoken answers are also given corrected after Rogan and Gladen, with intervals at "
            f"{select.level_words(analysis)} that carry the calibration's variance and, for gaps, the covariance with "
            f"{analysis.options.reference}{_both(analysis)}. Synthetic speech is cleaner than a model's own, so the "
            "error rates are likely underestimated."
        )
    return text


def _by_metric(analysis: Analysis) -> str:
    return " and, within a type, by metric" if analysis.frame(CALIBRATION)["metric"].drop_nulls().len() else ""


def _both(analysis: Analysis) -> str:
    """Said where the reference was heard as well."""
    heard = set(analysis.frame(CALIBRATED)["heard"]) & {"both", "reference"}
    return ", whose answers are spoken and were corrected alike" if heard else ""


def _second(analysis: Analysis, info: RunInfo) -> str:
    heard = int(analysis.frame(CALIBRATED)["second_cells"].sum() or 0)
    if not heard:
        return ""
    other = info.second_asr
    # The same program with other settings is another scorer: its digest tells them apart.
    name = f" ({other.name}; digest {formatting.short(other.digest)})" if other is not None and other.digest else ""
    return (
        f"A second ASR model{name} transcribed {formatting.plural(heard, 'spoken answer')}; both scorers are compared on "
        "the answers that both have heard."
    )


def _human(analysis: Analysis) -> str:
    scores = analysis.frame(HUMAN).filter(pl.col("quantity") == "score")
    labelled = int(scores["labelled"].sum() or 0)
    if not labelled:
        return ""
    return (
        f"{formatting.plural(labelled, 'spoken answer')} of {int(scores['n'].sum()):,} were labelled by people; scores that "
        "follow from these labels are by prediction-powered inference with power tuning (PPI++), each label weighted "
        "by the inverse of its probability of being drawn."
    )
