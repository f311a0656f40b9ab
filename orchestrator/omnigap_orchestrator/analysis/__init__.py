"""From a table of results to gaps, intervals and tests: pure functions over polars frames, usable without a run."""

from omnigap_orchestrator.analysis.choose import IntervalOptions
from omnigap_orchestrator.analysis.contrasts import Contrast, MissingRule
from omnigap_orchestrator.analysis.pairs import item_scores, score_matrices
from omnigap_orchestrator.analysis.summary import ANALYSIS_VERSION, Analysis, AnalysisOptions, analyse, to_json

__all__ = [
    "ANALYSIS_VERSION",
    "Analysis",
    "AnalysisOptions",
    "Contrast",
    "IntervalOptions",
    "MissingRule",
    "analyse",
    "item_scores",
    "score_matrices",
    "to_json",
]
