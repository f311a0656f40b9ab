"""From a table of results to gaps, intervals and tests: pure functions over polars frames, usable without a run."""

from omnigap_orchestrator.analysis.compare import compare
from omnigap_orchestrator.analysis.options import (
    AnalysisOptions,
    Constraints,
    IntervalOptions,
    MissingRule,
    RoutingOptions,
)
from omnigap_orchestrator.analysis.pairs import item_scores, score_matrices
from omnigap_orchestrator.analysis.power import assumed_needs, pilot_needs
from omnigap_orchestrator.analysis.summary import ANALYSIS_VERSION, Analysis, analyse
from omnigap_orchestrator.analysis.table import Instrument, Tables
from omnigap_orchestrator.extras.routing.routing import Routing, routing

__all__ = [
    "ANALYSIS_VERSION",
    "Analysis",
    "AnalysisOptions",
    "Constraints",
    "Instrument",
    "IntervalOptions",
    "MissingRule",
    "Routing",
    "RoutingOptions",
    "Tables",
    "analyse",
    "assumed_needs",
    "compare",
    "item_scores",
    "pilot_needs",
    "routing",
    "score_matrices",
]
