"""The whole analysis of a table of results, as one value, and that value as plain JSON data."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import polars as pl

from omnigap.vocabulary import REFERENCE
from omnigap_orchestrator.analysis.consistency.agreement import pairwise_agreement
from omnigap_orchestrator.analysis.consistency.rates import agreeing_items, consistency
from omnigap_orchestrator.analysis.controls.blank_and_repeat import repeat_noise
from omnigap_orchestrator.analysis.controls.tables import control_counts, first_passes, guessing
from omnigap_orchestrator.analysis.controls.waterfall import waterfall
from omnigap_orchestrator.analysis.diagnostics.answers import answer_shapes
from omnigap_orchestrator.analysis.diagnostics.by_metric import by_metric
from omnigap_orchestrator.analysis.diagnostics.counts import asr_diagnostics, error_counts, flag_counts
from omnigap_orchestrator.analysis.diagnostics.latency import latency
from omnigap_orchestrator.analysis.gaps import architecture as types
from omnigap_orchestrator.analysis.gaps.accuracy import accuracy, accuracy_by_task
from omnigap_orchestrator.analysis.gaps.contrasts import MissingRule
from omnigap_orchestrator.analysis.gaps.effects import effects
from omnigap_orchestrator.analysis.gaps.gap import gaps, gaps_by_task
from omnigap_orchestrator.analysis.gaps.set_level import set_level
from omnigap_orchestrator.analysis.inference.choose import IntervalOptions
from omnigap_orchestrator.analysis.instrument.tables import Instrument, instrument_tables
from omnigap_orchestrator.analysis.power.equivalence import DEFAULT_MARGIN, equivalence
from omnigap_orchestrator.analysis.power.sample_size import power_table
from omnigap_orchestrator.analysis.replicates.levels import level_gaps, spreads
from omnigap_orchestrator.analysis.replicates.variance import variance_components
from omnigap_orchestrator.analysis.routes.routing import RoutingOptions, routing
from omnigap_orchestrator.analysis.scores.denominators import condition_counts
from omnigap_orchestrator.analysis.scores.pairs import item_scores, score_matrices

ANALYSIS_VERSION = 6
"""Goes up whenever the same results would give other numbers or other columns."""


@dataclass(frozen=True, slots=True)
class AnalysisOptions:
    """What may be chosen: the reference condition, intervals, and when a gap is refused."""

    reference: str = REFERENCE.name
    intervals: IntervalOptions = field(default_factory=IntervalOptions)
    missing: MissingRule = field(default_factory=MissingRule)
    # The gap that power is computed for, and the margin within which a gap may be called none; both in [0, 1].
    target_gap: float = 0.03
    power: float = 0.8
    margin: float = DEFAULT_MARGIN
    # Probability of guessing an item right, where it is one number for all of them.
    chance: float | None = None
    routing: RoutingOptions = field(default_factory=RoutingOptions)


@dataclass(frozen=True, slots=True)
class Analysis:
    """The tables, each a polars frame of the schema of the same name in the `schema.py` of its room."""

    options: AnalysisOptions
    # What a reader should know of calibration and labels; mostly empty.
    instrument_note: str
    conditions: pl.DataFrame
    accuracy: pl.DataFrame
    accuracy_by_task: pl.DataFrame
    gaps: pl.DataFrame
    gaps_by_task: pl.DataFrame
    effects: pl.DataFrame
    architecture_models: pl.DataFrame
    architectures: pl.DataFrame
    architecture_tests: pl.DataFrame
    asr: pl.DataFrame
    # Of the ASR scorer as an instrument, in `instrument/schema.py`; empty where nothing is known of it.
    calibration: pl.DataFrame
    calibrated: pl.DataFrame
    hearing: pl.DataFrame
    human: pl.DataFrame
    flags: pl.DataFrame
    errors: pl.DataFrame
    latency: pl.DataFrame
    answers: pl.DataFrame
    metrics: pl.DataFrame
    consistency: pl.DataFrame
    agreement: pl.DataFrame
    waterfall: pl.DataFrame
    # Of the control cells, in `controls/schema.py`; empty without them.
    controls: pl.DataFrame
    blank: pl.DataFrame
    repeat: pl.DataFrame
    first_passes: pl.DataFrame
    power: pl.DataFrame
    equivalence: pl.DataFrame
    variance: pl.DataFrame
    # Gaps by voice, font and the like, and what they say of the modality; empty where the run varies none of them.
    levels: pl.DataFrame
    spreads: pl.DataFrame
    set_level: pl.DataFrame
    routes: pl.DataFrame
    policies: pl.DataFrame

    def tables(self) -> dict[str, pl.DataFrame]:
        """The tables by name, in order."""
        values = ((f.name, getattr(self, f.name)) for f in fields(self))
        return {name: value for name, value in values if isinstance(value, pl.DataFrame)}


def analyse(
    results: pl.DataFrame,
    options: AnalysisOptions | None = None,
    controls: pl.DataFrame | None = None,
    instrument: Instrument | None = None,
) -> Analysis:
    """Computes every table from a table of results.

    Args:
        results: `RESULTS_SCHEMA`, or any frame with model, item_id, task, cluster, condition, outcome and score;
            what other columns would tell is then left out.
        controls: control cells, the same columns and `control` (`CONTROLS_SCHEMA`); they give tables of their own,
            and the two-pass ones refine the waterfall.
        instrument: what is known of the ASR scorer: its calibration, gold answers, human labels.

    Raises:
        ValueError: the frame lacks a needed column, or contradicts itself (see `item_scores`).
    """
    options = options or AnalysisOptions()
    models = score_matrices(item_scores(results))
    conditions = condition_counts(results)
    gap_table = gaps(models, options.reference, options.missing, options.intervals)
    accuracy_table = accuracy(models, options.intervals)
    agreeing = agreeing_items(results) if {"answer_used", "normalised_answer"} & set(results.columns) else None
    routed = routing(models, results, options.routing, options.intervals, options.missing)
    held = controls if controls is not None else results.clear().with_columns(control=pl.lit(None, pl.String))
    by_type = types.architecture_models(gap_table, conditions)
    instrument = instrument or Instrument()
    ears = instrument_tables(results, instrument, options.missing, options.intervals, options.reference)
    by_level = level_gaps(results, options.reference, options.missing, options.intervals)
    return Analysis(
        options=options,
        instrument_note=instrument.note,
        conditions=conditions,
        accuracy=accuracy_table,
        accuracy_by_task=accuracy_by_task(models, options.intervals),
        gaps=gap_table,
        gaps_by_task=gaps_by_task(models, options.reference, options.missing, options.intervals),
        effects=effects(models, options.missing, options.intervals),
        architecture_models=by_type,
        architectures=types.architectures(by_type),
        architecture_tests=types.architecture_tests(by_type),
        asr=asr_diagnostics(results),
        calibration=ears.rates,
        calibrated=ears.calibrated,
        hearing=ears.hearing,
        human=ears.human,
        flags=flag_counts(results),
        errors=error_counts(results),
        latency=latency(results, options.intervals.level),
        answers=answer_shapes(results),
        metrics=by_metric(results),
        consistency=consistency(models, agreeing, options.chance, options.intervals, _chances(results)),
        agreement=pairwise_agreement(models, options.intervals),
        waterfall=waterfall(results, options.missing, options.intervals, controls, options.reference),
        controls=control_counts(held),
        blank=guessing(results, held, options.intervals),
        repeat=repeat_noise(results, held, options.intervals),
        first_passes=first_passes(held),
        power=power_table(models, options.reference, options.target_gap, options.power, 1 - options.intervals.level),
        equivalence=equivalence(
            models, options.reference, options.missing, options.intervals, options.margin, power=options.power
        ),
        variance=variance_components(results),
        levels=by_level,
        spreads=spreads(results, options.reference, options.intervals, by_level),
        set_level=set_level(accuracy_table, options.missing),
        routes=routed.routes,
        policies=routed.policies,
    )


def _chances(results: pl.DataFrame) -> dict[str, float]:
    """By item, what guessing among its choices is worth, where the table says so."""
    if "chance" not in results.columns:
        return {}
    return dict(
        results.select("item_id", pl.col("chance").cast(pl.Float64).fill_nan(None))
        .drop_nulls()
        .unique("item_id")
        .iter_rows()
    )


def to_json(analysis: Analysis) -> dict[str, object]:
    """What summary.json holds: the options, then every table as a list of rows; all of it plain JSON values."""
    options = analysis.options
    head: dict[str, object] = {
        "analysis_version": ANALYSIS_VERSION,
        "reference": options.reference,
        "level": options.intervals.level,
        "seed": options.intervals.seed,
        "bootstrap_draws": options.intervals.draws,
        "target_gap": options.target_gap,
        "margin": options.margin,
        "chance": options.chance,
        "instrument_note": analysis.instrument_note,
        "missing_rule": {
            "share": options.missing.share,
            "pairs": options.missing.pairs,
            "allow_missing": options.missing.allow,
        },
    }
    return {**head, **{name: table.to_dicts() for name, table in analysis.tables().items()}}
