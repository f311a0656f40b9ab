"""From a table of results to gaps, intervals and tests: pure functions over polars frames, usable without a run."""

from omnigap_orchestrator.analysis.consistency.flips import flips
from omnigap_orchestrator.analysis.controls.blank_and_repeat import blank_accuracy, repeat_noise
from omnigap_orchestrator.analysis.gaps.compare import compare
from omnigap_orchestrator.analysis.gaps.contrasts import Contrast, MissingRule
from omnigap_orchestrator.analysis.gaps.set_level import disparity, imbalance, spread
from omnigap_orchestrator.analysis.inference.choose import IntervalOptions
from omnigap_orchestrator.analysis.instrument.calibrated import calibrated
from omnigap_orchestrator.analysis.instrument.ppi import Labelled, Powered, ppi_difference, ppi_mean
from omnigap_orchestrator.analysis.instrument.rates import calibrations_of
from omnigap_orchestrator.analysis.instrument.rogan_gladen import Calibration, Corrected, correct, corrected
from omnigap_orchestrator.analysis.instrument.tables import Instrument
from omnigap_orchestrator.analysis.power.needs import assumed_needs, pilot_needs
from omnigap_orchestrator.analysis.power.sample_size import (
    detectable_gap,
    paired_variance,
    pairs_needed,
    pairs_needed_for_equivalence,
)
from omnigap_orchestrator.analysis.routes.demands import Constraints
from omnigap_orchestrator.analysis.routes.routing import Routing, RoutingOptions, routing
from omnigap_orchestrator.analysis.scores.pairs import item_scores, score_matrices
from omnigap_orchestrator.analysis.summary import ANALYSIS_VERSION, Analysis, AnalysisOptions, analyse, to_json

__all__ = [
    "ANALYSIS_VERSION",
    "Analysis",
    "AnalysisOptions",
    "Calibration",
    "Constraints",
    "Contrast",
    "Corrected",
    "Instrument",
    "IntervalOptions",
    "Labelled",
    "MissingRule",
    "Powered",
    "Routing",
    "RoutingOptions",
    "analyse",
    "assumed_needs",
    "blank_accuracy",
    "calibrated",
    "calibrations_of",
    "compare",
    "correct",
    "corrected",
    "detectable_gap",
    "disparity",
    "flips",
    "imbalance",
    "item_scores",
    "paired_variance",
    "pairs_needed",
    "pairs_needed_for_equivalence",
    "pilot_needs",
    "ppi_difference",
    "ppi_mean",
    "repeat_noise",
    "routing",
    "score_matrices",
    "spread",
    "to_json",
]
