"""The configuration's `[analysis]` as the options that the analysis takes."""

from __future__ import annotations

import math

from omnigap_orchestrator.analysis import AnalysisOptions, Constraints, IntervalOptions, MissingRule, RoutingOptions
from omnigap_orchestrator.config.sections import AnalysisConfig, RoutingConfig


def analysis_options(section: AnalysisConfig) -> AnalysisOptions:
    return AnalysisOptions(
        intervals=IntervalOptions(level=1 - section.alpha, seed=section.bootstrap_seed),
        missing=MissingRule(allow=section.allow_missing),
        margin=section.margin,
        target_gap=section.target_gap,
        power=section.power,
        chance=section.chance,
        routing=routing_options(section.routing),
    )


def routing_options(section: RoutingConfig) -> RoutingOptions:
    constraints = Constraints(
        inputs=frozenset(modality.letter for modality in section.inputs),
        outputs=frozenset(modality.letter for modality in section.outputs),
        max_p95_latency_s=math.inf if section.max_p95_latency_s is None else section.max_p95_latency_s,
    )
    return RoutingOptions(constraints, section.folds, section.repeats)
