"""The whole analysis of a table of results: all tables in the order of summary.json, and their JSON form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from typing import Any

import polars as pl

from omnigap_orchestrator.analysis.accuracy import (
    ACCURACY,
    ACCURACY_BY_TASK,
    HEADLINE_ACCURACY,
    HEADLINE_ACCURACY_BY_TASK,
)
from omnigap_orchestrator.analysis.agreement import AGREEMENT
from omnigap_orchestrator.analysis.answers import ANSWERS, METRICS
from omnigap_orchestrator.analysis.architecture import ARCHITECTURE_MODELS, ARCHITECTURE_TESTS, ARCHITECTURES
from omnigap_orchestrator.analysis.consistency import CONSISTENCY
from omnigap_orchestrator.analysis.controls import BLANK, CONTROLS, FIRST_PASSES, REPEAT
from omnigap_orchestrator.analysis.cross_modal import CROSS_MODAL
from omnigap_orchestrator.analysis.denominators import ASR, CONDITION_COUNTS, ERRORS, FLAGS
from omnigap_orchestrator.analysis.equivalence import EQUIVALENCE
from omnigap_orchestrator.analysis.factor_levels import LEVELS, SPREADS
from omnigap_orchestrator.analysis.floor import FLOOR
from omnigap_orchestrator.analysis.gap import (
    EFFECTS,
    GAPS,
    GAPS_BY_TASK,
    HEADLINE_EFFECTS,
    HEADLINE_GAPS,
    HEADLINE_GAPS_BY_TASK,
)
from omnigap_orchestrator.analysis.latency import IDLE_LATENCY, LATENCY
from omnigap_orchestrator.analysis.options import AnalysisOptions, MissingRule
from omnigap_orchestrator.analysis.own_text import SYNTHESIS_AND_ASR
from omnigap_orchestrator.analysis.pairs import MODELS
from omnigap_orchestrator.analysis.power import POWER
from omnigap_orchestrator.analysis.relative_gap import RELATIVE_GAPS
from omnigap_orchestrator.analysis.scorer_errors import SCORER_ERRORS
from omnigap_orchestrator.analysis.set_level import SET_LEVEL
from omnigap_orchestrator.analysis.table import AnalysisInput, Table, Tables
from omnigap_orchestrator.analysis.variance import VARIANCE
from omnigap_orchestrator.analysis.waterfall import WATERFALL
from omnigap_orchestrator.extension import extras
from omnigap_orchestrator.results import random_weights_of

ANALYSIS_VERSION = 8
"""Must be raised when the same results give other numbers or other columns."""

_CORE: tuple[Table[Any], ...] = (
    CONDITION_COUNTS,
    HEADLINE_ACCURACY,
    HEADLINE_ACCURACY_BY_TASK,
    HEADLINE_GAPS,
    HEADLINE_GAPS_BY_TASK,
    HEADLINE_EFFECTS,
    SYNTHESIS_AND_ASR,
    ACCURACY,
    ACCURACY_BY_TASK,
    GAPS,
    GAPS_BY_TASK,
    RELATIVE_GAPS,
    FLOOR,
    EFFECTS,
    ARCHITECTURE_MODELS,
    ARCHITECTURES,
    ARCHITECTURE_TESTS,
    ASR,
    SCORER_ERRORS,
    FLAGS,
    ERRORS,
    LATENCY,
    IDLE_LATENCY,
    ANSWERS,
    METRICS,
    CONSISTENCY,
    AGREEMENT,
    CROSS_MODAL,
    WATERFALL,
    CONTROLS,
    BLANK,
    REPEAT,
    FIRST_PASSES,
    POWER,
    EQUIVALENCE,
    VARIANCE,
    LEVELS,
    SPREADS,
    SET_LEVEL,
)
"""The tables of the core, in the order of summary.json. A new table is declared in its module and listed here."""


@cache
def all_tables() -> tuple[Table[Any], ...]:
    """All tables in the order of summary.json: those of the core, then those of the extras."""
    return (*_CORE, *(table for extra in extras() for table in extra.tables()))


@dataclass(frozen=True, slots=True)
class AnalysisHead:
    """Version and options of an analysis, as they precede the tables in summary.json."""

    analysis_version: int
    reference: str
    level: float
    seed: int
    bootstrap_draws: int
    target_gap: float
    margin: float
    chance: float | None
    missing_rule: MissingRule

    def to_json(self) -> dict[str, Any]:
        rule = self.missing_rule
        written = {"share": rule.share, "pairs": rule.pairs, "allow_missing": rule.allow}
        return {**asdict(self), "missing_rule": written}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> AnalysisHead:
        """Reads the head from the data of summary.json; other keys are ignored.

        Raises:
            KeyError: a key is missing.
        """
        rule = data["missing_rule"]
        values = {field.name: data[field.name] for field in fields(cls)}
        return cls(**{**values, "missing_rule": MissingRule(rule["share"], rule["pairs"], rule["allow_missing"])})


@dataclass(frozen=True, slots=True)
class Analysis(Tables):
    """The computed tables, with the options and the evidence from extras that they were computed from."""

    options: AnalysisOptions
    evidence: Mapping[str, object] = field(default_factory=dict)
    # As returned by `random_weights_of`: models about which no statement is made.
    random_weights: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def head(self) -> AnalysisHead:
        options = self.options
        return AnalysisHead(
            analysis_version=ANALYSIS_VERSION,
            reference=options.reference,
            level=options.intervals.level,
            seed=options.intervals.seed,
            bootstrap_draws=options.intervals.draws,
            target_gap=options.target_gap,
            margin=options.margin,
            chance=options.chance,
            missing_rule=options.missing,
        )

    def to_json(self) -> dict[str, Any]:
        """The options, the models with random weights, then every table as a list of rows, as plain JSON values."""
        random = {model: list(roles) for model, roles in self.random_weights.items()}
        return {**self.head().to_json(), "random_weights": random, **self.tables_json()}


def analyse(
    results: pl.DataFrame,
    options: AnalysisOptions | None = None,
    controls: pl.DataFrame | None = None,
    evidence: Mapping[str, object] | None = None,
    tables: Sequence[Table[Any]] | None = None,
    idle: pl.DataFrame | None = None,
) -> Analysis:
    """Computes tables from a table of results.

    Args:
        results: a frame of `RESULTS_SCHEMA`, or any frame with model, item_id, task, cluster, condition, outcome and
            score; tables that need other columns are then empty or have nulls.
        controls: control cells, with the same columns and `control` (`CONTROLS_SCHEMA`); they have separate tables,
            and the two-pass cells split a step of the waterfall.
        evidence: what extras know about the run in addition to its results, by the name of the extra.
        tables: the tables to return; tables that they depend on are computed as well. None: all.
        idle: answers to single questions on an idle service (`IDLE_SCHEMA`), whose latencies contain no queueing.

    Raises:
        ValueError: the frame lacks a needed column, or is inconsistent (see `item_scores`).
    """
    given = AnalysisInput(results, options or AnalysisOptions(), controls, evidence or {}, idle)
    # Computed first: it validates the frame before any table reads it.
    given[MODELS]
    # Each table is computed once, also if others depend on it: `given` caches them.
    frames = {table.name: given[table] for table in (all_tables() if tables is None else tables)}
    return Analysis(frames, given.options, given.evidence, random_weights_of(results))
