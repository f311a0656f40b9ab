"""Tests of routing: policies, held-out scores, constraints and costs."""

import numpy as np
import polars as pl
import pytest

from omnigap_orchestrator.analysis import (
    IntervalOptions,
    MissingRule,
    item_scores,
    score_matrices,
)
from omnigap_orchestrator.analysis.intervals import clopper_pearson
from omnigap_orchestrator.extras.routing.options import Constraints, RoutingOptions
from omnigap_orchestrator.extras.routing.routing import Routing, policies_shown, routes_shown, routing
from tests.orchestrator.analysis.made_up_results import drawn, table

OPTIONS = IntervalOptions(draws=499)


def two_worlds(items: int = 300) -> pl.DataFrame:
    """s2t is right on places only, i2t on science only; the others never."""
    right = ((pl.col("condition") == "s2t") & (pl.col("task") == "places")) | (
        (pl.col("condition") == "i2t") & (pl.col("task") == "science")
    )
    return drawn(items, tasks=("places", "science")).with_columns(
        score=right.cast(pl.Float64), latency_s=pl.when(pl.col("condition") == "s2t").then(3.0).otherwise(1.0)
    )


def routed(results: pl.DataFrame, constraints: Constraints | None = None, *, timed: bool = True) -> Routing:
    """Routing with the latencies of the results, as if they were measured on an idle service, or with none."""
    options = RoutingOptions(constraints=constraints or Constraints())
    scores = score_matrices(item_scores(results))
    return routing(scores, results, options, OPTIONS, timed=results if timed else None)


def policy(found: Routing, name: str, missing: str = "answered_only") -> dict[str, object]:
    return found.policies.filter(policy=name, missing=missing).row(0, named=True)


def without(results: pl.DataFrame, items: int, condition: str = "t2s") -> pl.DataFrame:
    """The first `items` have failed in one condition."""
    gone = (pl.col("condition") == condition) & (pl.col("item_id") < f"q{items:07d}")
    return results.with_columns(
        outcome=pl.when(gone).then(pl.lit("failed")).otherwise("outcome"), score=pl.when(~gone).then("score")
    )


def test_each_task_is_routed_to_its_best_condition() -> None:
    found = routed(two_worlds())
    assert dict(found.routes.select("task", "condition").iter_rows()) == {"places": "s2t", "science": "i2t"}
    assert found.routes.filter(missing="answered_only")["votes"].to_list() == [1.0, 1.0]
    assert policy(found, "per_task")["accuracy"] == 1.0
    assert policy(found, "best_single")["accuracy"] < 0.6
    assert policy(found, "per_task")["gain_low"] > 0.3
    assert policy(found, "per_task")["regret"] == 0.0


def test_costs_are_those_of_the_chosen_conditions() -> None:
    assert policy(routed(two_worlds()), "per_task")["mean_latency_s"] == pytest.approx(2.0)


def test_a_policy_fitted_to_noise_gains_nothing_on_held_out_items() -> None:
    rng = np.random.default_rng(1)
    results = drawn(300, tasks=tuple(f"task {i}" for i in range(30)))
    results = results.with_columns(score=pl.Series((rng.random(results.height) < 0.5).astype(float)))
    found = routed(results)
    assert found.routes["accuracy"].mean() > 0.65
    assert policy(found, "per_task")["accuracy"] == pytest.approx(0.5, abs=0.06)
    assert policy(found, "oracle")["accuracy"] == pytest.approx(1 - 0.5**6, abs=0.03)


def test_the_interval_of_a_policy_includes_the_variance_of_the_choice() -> None:
    """Two conditions that are right on 18 of 40 items each: held out, they look worse on the split than they are."""
    right = {"places": ("t2t", "s2t"), "science": ("s2t", "t2t")}
    rows = []
    for i in range(40):
        task = "places" if i < 20 else "science"
        mostly, seldom = right[task]
        good = None if i % 10 == 7 else seldom if i % 10 == 3 else mostly
        rows += [{"item_id": f"q{i}", "task": task, "condition": c, "score": float(c == good)} for c in right[task]]
    found = routed(table(rows))
    single, many = policy(found, "best_single"), policy(found, "per_task")
    assert single["low"] < 18 / 40 < single["high"]
    assert single["method"] == "wilson_widened"
    assert many["gain_low"] < 14 / 40 < many["gain_high"]
    # Every split chooses the same for each task: that policy is one and the same, and its intervals are the usual ones.
    assert (many["accuracy"], many["method"]) == (0.8, "clopper_pearson")
    lost = clopper_pearson(4, 40)
    assert (many["regret"], many["regret_low"], many["regret_high"]) == pytest.approx((0.1, lost.low, lost.high))


def test_constraints_exclude_conditions_with_a_reason() -> None:
    found = routed(two_worlds(), Constraints(outputs=frozenset("t"), max_p95_latency_s=2.0))
    out = dict(found.routes.filter(pl.col("reason").is_not_null()).select("condition", "reason").iter_rows())
    assert "over 2 s" in out["s2t"]
    assert "output must be text" in out["t2s"]
    assert policy(found, "per_task")["allowed"] == "t2t, i2t"


def test_a_latency_constraint_needs_enough_answers() -> None:
    found = routed(two_worlds(40), Constraints(max_p95_latency_s=10.0))
    assert found.policies.is_empty()
    assert found.routes["reason"].str.contains("at least 72").all()


def test_latencies_of_a_busy_run_are_neither_a_cost_nor_a_constraint() -> None:
    assert policy(routed(two_worlds(), timed=False), "per_task")["mean_latency_s"] is None
    found = routed(two_worlds(), Constraints(max_p95_latency_s=10.0), timed=False)
    assert found.policies.is_empty()
    assert found.routes["reason"].str.contains("bench latency", literal=True).all()


def test_items_without_a_score_are_counted_and_wrong_in_missing_as_wrong() -> None:
    """Six of 300 items fail in s2t, which is right on all places: of these 147 of 147 are right, or 147 of 150."""
    found = routed(without(two_worlds(), 6, "s2t"))
    answered, wrong = (policy(found, "per_task", missing) for missing in ("answered_only", "missing_as_wrong"))
    assert (answered["n"], answered["planned"], answered["lacking"]) == (294, 300, 6)
    assert answered["accuracy"] == 1.0
    assert "6 of 300 planned items lack a score in a condition (most in s2t)" in str(answered["reason"])
    assert (wrong["n"], wrong["planned"], wrong["lacking"]) == (300, 300, 6)
    assert wrong["accuracy"] == pytest.approx(297 / 300)
    assert dict(found.routes.filter(missing="missing_as_wrong").select("task", "accuracy").iter_rows()) == {
        "places": pytest.approx(147 / 150),
        "science": 1.0,
    }


def test_routing_on_answered_items_is_refused_with_too_many_missing() -> None:
    results = without(two_worlds(), 7, "s2t")
    found = routed(results)
    refused = policy(found, "per_task")
    assert refused["accuracy"] is None and refused["gain"] is None and refused["n"] == 0
    assert str(refused["reason"]).startswith("refused: 7 of 300")
    assert set(found.routes["missing"]) == {"missing_as_wrong"}
    assert policy(found, "per_task", "missing_as_wrong")["accuracy"] == pytest.approx(296 / 300)
    shown = policies_shown(found.policies).filter(policy="per_task").row(0, named=True)
    assert shown["accuracy"] is None and shown["wrong"] == pytest.approx(296 / 300)
    assert routes_shown(found.routes)["task"].to_list() == ["places", "science"]
    scores = score_matrices(item_scores(results))
    allowed = routing(scores, results, RoutingOptions(), OPTIONS, MissingRule(allow=True))
    assert policy(allowed, "per_task")["n"] == 293


def test_a_few_missing_items_are_allowed_and_too_few_items_are_refused() -> None:
    few = routed(without(two_worlds(40), 2))
    assert policy(few, "per_task")["n"] == 38
    tiny = policy(routed(two_worlds(4)), "oracle")
    assert tiny["accuracy"] is None
    assert "only 4 clusters" in str(tiny["reason"])


def test_the_splits_are_seeded() -> None:
    results = drawn(120)
    assert routed(results).policies.equals(routed(results).policies)


def test_impossible_splits_are_refused() -> None:
    with pytest.raises(ValueError, match="folds=1"):
        RoutingOptions(folds=1)


def test_the_oracle_has_no_regret() -> None:
    oracle = policy(routed(drawn(60)), "oracle")
    assert (oracle["regret"], oracle["regret_low"], oracle["regret_high"]) == (None, None, None)
    assert oracle["gain"] is not None
