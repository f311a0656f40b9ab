"""No number of any table lies where its definition allows none."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings

from omnigap_orchestrator.analysis import AnalysisOptions, IntervalOptions, MissingRule, analyse
from tests.orchestrator.analysis.random_results import random_results

OPTIONS = AnalysisOptions(intervals=IntervalOptions(draws=199), missing=MissingRule(allow=True))

ANY = (float("-inf"), float("inf"))
POSITIVE = (0.0, float("inf"))
DIFFERENCE = (-1.0, 1.0)

RANGES: dict[tuple[str, str], tuple[float, float]] = {
    **{("agreement", name): DIFFERENCE for name in ("kappa", "kappa_low", "kappa_high", "phi", "phi_low", "phi_high")},
    **{
        (table, name): DIFFERENCE
        for table in (
            "gaps",
            "gaps_by_task",
            "headline_gaps",
            "headline_gaps_by_task",
            "synthesis_and_asr",
            "waterfall",
            "architecture_models",
            "equivalence",
        )
        for name in ("estimate", "low", "high", "bound_low", "bound_high", "gap", "wrong_low", "wrong_high")
    },
    **{("architectures", name): DIFFERENCE for name in ("mean_gap", "min_gap", "max_gap")},
    **{("architectures", f"leave_one_out_{end}"): DIFFERENCE for end in ("low", "high")},
    ("architecture_models", "mean_without"): DIFFERENCE,
    # Interactions are differences of two gaps.
    **{
        (table, name): (-2.0, 2.0)
        for table in ("effects", "headline_effects")
        for name in ("estimate", "low", "high", "bound_low", "bound_high")
    },
    **{("latency", name): POSITIVE for name in ("seconds", "low", "high")},
    **{("policies", f"mean_{cost}"): POSITIVE for cost in ("latency_s", "audio_seconds", "compute_s")},
    **{("policies", name): DIFFERENCE for name in ("gain", "gain_low", "gain_high")},
    **{("power", name): POSITIVE for name in ("design_effect", "detectable_gap", "q")},
    ("power", "phi"): DIFFERENCE,
    # A ratio: a gain may be many times what the reference shows above chance.
    **{("relative_gaps", name): ANY for name in ("estimate", "low", "high")},
    **{("relative_gaps", name): DIFFERENCE for name in ("gap", "above_chance", "above_low", "above_high")},
    ("set_level", "value"): DIFFERENCE,
    # Negative estimates of a variance are kept on purpose: `variance.Components`.
    ("variance", "item_variance"): ANY,
    ("variance", "level_variance"): ANY,
}
"""By table and column; every other number is a share, a probability or a standard error."""


@given(random_results())
@settings(max_examples=15, deadline=None)
def test_every_number_lies_in_its_range(results: pl.DataFrame) -> None:
    for table, frame in analyse(results, OPTIONS).frames.items():
        for column in frame.columns:
            known = frame[column].drop_nulls()
            if not frame[column].dtype.is_float() or known.is_empty():
                continue
            low, high = RANGES.get((table, column), POSITIVE if column == "se" else (0.0, 1.0))
            assert known.is_between(low - 1e-9, high + 1e-9).all(), (table, column, known.min(), known.max())


@given(random_results())
@settings(max_examples=15, deadline=None)
def test_no_policy_beats_the_oracle_and_no_interval_says_so(results: pl.DataFrame) -> None:
    policies = analyse(results, OPTIONS).frames["policies"]
    for name in ("regret", "regret_low", "regret_high"):
        assert policies[name].drop_nulls().is_between(0.0, 1.0).all(), name
    for name in ("gain", "gain_low", "gain_high"):
        assert policies.filter(policy="oracle")[name].drop_nulls().is_between(0.0, 1.0).all(), name
    for low, middle, high in (("regret_low", "regret", "regret_high"), ("gain_low", "gain", "gain_high")):
        limits = policies.select(low, middle, high).drop_nulls()
        assert ((limits[low] <= limits[middle] + 1e-9) & (limits[middle] <= limits[high] + 1e-9)).all()
