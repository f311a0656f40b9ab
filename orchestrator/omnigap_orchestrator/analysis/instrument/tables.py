"""All that an analysis shows of the ASR scorer: its calibration, corrected scores, its errors, human labels."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from omnigap_orchestrator.analysis.gaps.contrasts import MissingRule
from omnigap_orchestrator.analysis.inference.choose import IntervalOptions
from omnigap_orchestrator.analysis.instrument.calibrated import calibrated
from omnigap_orchestrator.analysis.instrument.hearing import hearing
from omnigap_orchestrator.analysis.instrument.human import human
from omnigap_orchestrator.analysis.instrument.rates import PLAIN, SOUND_ALIKE, calibrations_of, rates
from omnigap_orchestrator.analysis.instrument.schema import (
    CALIBRATED_SCHEMA,
    HEARING_SCHEMA,
    HUMAN_SCHEMA,
    RATES_SCHEMA,
)


@dataclass(frozen=True, slots=True)
class Instrument:
    """What is known of the ASR scorer beside the results.

    Attributes:
        clips: the table of a calibration that fits them; None without one.
        golds: a frame of `GOLDS_SCHEMA`; None leaves out the errors on words and answers.
        labels: a frame of `LABELS_SCHEMA`; None without human labels.
        refused: why there is a calibration that must not be used; empty otherwise.
        note: what a reader should know of the one that is used.
    """

    clips: pl.DataFrame | None = None
    golds: pl.DataFrame | None = None
    labels: pl.DataFrame | None = None
    refused: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class InstrumentTables:
    """Frames of `RATES_SCHEMA`, `CALIBRATED_SCHEMA`, `HEARING_SCHEMA` and `HUMAN_SCHEMA`; empty without evidence."""

    rates: pl.DataFrame
    calibrated: pl.DataFrame
    hearing: pl.DataFrame
    human: pl.DataFrame


def instrument_tables(
    results: pl.DataFrame, instrument: Instrument, rule: MissingRule, options: IntervalOptions, reference: str
) -> InstrumentTables:
    """The four tables; a correction stands beside the raw score and never takes its place."""
    clips, golds, labels = instrument.clips, instrument.golds, instrument.labels
    return InstrumentTables(
        rates=RATES_SCHEMA.to_frame() if clips is None else rates(clips, options),
        calibrated=_calibrated(results, instrument, rule, options, reference),
        hearing=HEARING_SCHEMA.to_frame() if golds is None else hearing(results, golds, clips),
        human=HUMAN_SCHEMA.to_frame() if labels is None else human(results, labels, options, reference, rule),
    )


def _calibrated(
    results: pl.DataFrame, instrument: Instrument, rule: MissingRule, options: IntervalOptions, reference: str
) -> pl.DataFrame:
    """Empty where there is neither a calibration nor a second scorer: raw scores stand in the other tables."""
    second = "second_score" in results.columns and results["second_score"].null_count() < results.height
    known = {"output", "answer_type"} <= set(results.columns)
    if not known or (instrument.clips is None and not instrument.refused and not second):
        return CALIBRATED_SCHEMA.to_frame()
    if instrument.clips is None:
        table = calibrated(results, (), rule, options, reference)
        if instrument.refused:
            table = table.with_columns(reason=pl.lit(instrument.refused))
        return table
    bands = (calibrations_of(instrument.clips, PLAIN), calibrations_of(instrument.clips, SOUND_ALIKE))
    return calibrated(results, calibrations_of(instrument.clips), rule, options, reference, bands)
