"""From a table of results to gaps, intervals and tests: pure functions over polars frames, usable without a run.

Where to look: `intervals` (Tango, Wilson, clustered t ...), `bootstrap`, `choose_interval` (which of them applies),
`contrasts` (McNemar, Holm, Benjamini-Hochberg), `equivalence` (TOST), `power`, `summary` (all tables of summary.json).
"""

from omnigap_orchestrator.analysis.compare import compare
from omnigap_orchestrator.analysis.options import (
    AnalysisOptions,
    IntervalOptions,
    MissingRule,
)
from omnigap_orchestrator.analysis.pairs import item_scores, score_matrices
from omnigap_orchestrator.analysis.power import assumed_needs, pilot_needs
from omnigap_orchestrator.analysis.summary import ANALYSIS_VERSION, Analysis, analyse
from omnigap_orchestrator.analysis.table import Tables

__all__ = [
    "ANALYSIS_VERSION",
    "Analysis",
    "AnalysisOptions",
    "IntervalOptions",
    "MissingRule",
    "Tables",
    "analyse",
    "assumed_needs",
    "compare",
    "item_scores",
    "pilot_needs",
    "score_matrices",
]
