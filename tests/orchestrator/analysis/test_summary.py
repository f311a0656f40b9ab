"""Tests of the whole analysis: its JSON, and invariance to row order, names, duplicates, swaps and threads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from omnigap_orchestrator.analysis import ANALYSIS_VERSION, Analysis, AnalysisOptions, IntervalOptions, analyse
from omnigap_orchestrator.analysis.summary import all_tables
from tests.orchestrator.analysis.made_up_results import SIX, drawn

FAST = AnalysisOptions(intervals=IntervalOptions(draws=299))

CASES = {
    "items": drawn(60),
    "graded items": drawn(30, graded=True),
    "clusters": drawn(90, cluster_size=3),
    "replicates": drawn(40, cluster_size=4, replicates=2, graded=True),
}
"""Single items and clusters, with every kind of interval between them."""

SWAPPED = {"s2t": "i2t", "i2t": "s2t", "s2s": "i2s", "i2s": "s2s"}

PROGRAM = """
import json
from tests.orchestrator.analysis.made_up_results import drawn
from omnigap_orchestrator.analysis import AnalysisOptions, IntervalOptions, analyse
options = AnalysisOptions(intervals=IntervalOptions(draws=299))
made = (drawn(60, cluster_size=c, graded=g, replicates=2) for c, g in ((1, True), (4, False)))
tables = [analyse(results, options).to_json() for results in made]
print(json.dumps(tables))
"""


def test_tables_have_their_schemas_also_when_empty() -> None:
    schemas = {table.name: table.schema for table in all_tables()}
    empty = analyse(drawn(3).clear())
    full = analyse(drawn(30, models=("alpha", "beta")))
    for result in (empty, full):
        for name, frame in result.frames.items():
            assert frame.schema == schemas[name], name


def test_summary_is_plain_json_with_n_interval_and_method() -> None:
    data = analyse(drawn(60, graded=True)).to_json()
    text = json.dumps(data, allow_nan=False)
    assert json.loads(text)["analysis_version"] == ANALYSIS_VERSION
    for name in ("accuracy", "accuracy_by_task", "gaps", "gaps_by_task", "effects"):
        for row in data[name]:
            assert {"estimate", "low", "high", "method", "n", "clusters"} <= row.keys()
            assert row["method"] is not None and row["n"] > 0
    assert {row["condition"] for row in data["accuracy"]} == set(SIX)


def assert_same(one: Analysis, other: Analysis) -> None:
    for name, table in one.frames.items():
        try:
            assert_frame_equal(table, other.frames[name], abs_tol=1e-9)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from None


def with_controls(results: pl.DataFrame) -> pl.DataFrame:
    """Two-pass and repeat cells whose scores are those of other conditions of the same items."""
    two_pass = results.filter(pl.col("condition").is_in(["s2s", "i2s"])).with_columns(
        control=pl.lit("two-pass"), condition=pl.col("condition").replace({"s2s": "s2t", "i2s": "i2t"})
    )
    repeat = results.filter(condition="s2t").with_columns(control=pl.lit("repeat"), condition=pl.lit("t2t"))
    return pl.concat([two_pass, repeat])


@pytest.mark.parametrize("case", CASES)
def test_the_order_of_rows_does_not_matter(case: str) -> None:
    results = CASES[case]
    controls = with_controls(results)
    shuffled = results.sample(fraction=1, shuffle=True, seed=1)
    mixed = controls.sample(fraction=1, shuffle=True, seed=2)
    assert_same(analyse(results, FAST, controls), analyse(shuffled, FAST, mixed))


@pytest.mark.parametrize("case", CASES)
def test_names_of_items_and_clusters_do_not_change_any_table(case: str) -> None:
    def renamed(frame: pl.DataFrame) -> pl.DataFrame:
        """Reversed digits: another order by name."""
        return frame.with_columns(pl.col("item_id").str.reverse(), "x" + pl.col("cluster").str.reverse())

    results = CASES[case]
    controls = with_controls(results)
    assert_same(analyse(results, FAST, controls), analyse(renamed(results), FAST, renamed(controls)))


def test_duplicated_items_keep_estimates_and_double_counts() -> None:
    def twice(frame: pl.DataFrame) -> pl.DataFrame:
        return pl.concat([frame, frame.with_columns(pl.col("item_id") + "b", pl.col("cluster") + "b")])

    results = CASES["clusters"]
    one, two = (
        analyse(results, FAST, with_controls(results)),
        analyse(twice(results), FAST, twice(with_controls(results))),
    )
    kept = {
        "accuracy": ["estimate"],
        "accuracy_by_task": ["estimate"],
        "gaps": ["estimate", "bound_low", "bound_high"],
        "gaps_by_task": ["estimate"],
        "effects": ["estimate"],
        "consistency": ["estimate", "if_independent"],
        "agreement": ["kappa", "phi"],
        "waterfall": ["estimate"],
        "repeat": ["changed", "drift"],
        "equivalence": ["estimate"],
        "set_level": ["value"],
    }
    for name, columns in kept.items():
        before, after = one.frames[name], two.frames[name]
        assert before.height > 0, name
        for column in columns:
            np.testing.assert_allclose(after[column].cast(pl.Float64), before[column].cast(pl.Float64), atol=1e-12)
        if name != "set_level":
            assert after["n"].to_list() == [2 * n for n in before["n"]], name
    ses = [found.frames["gaps"].filter(pooling="item_weighted")["se"] for found in (one, two)]
    narrower = ses[1] / ses[0]
    # 30 clusters: the finite-cluster correction shrinks too.
    np.testing.assert_allclose(narrower, np.sqrt(29 / 30 * 60 / 59 / 2), rtol=1e-9)


def test_swapping_speech_and_image_swaps_their_rows() -> None:
    def swapped(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(pl.col("condition").replace(SWAPPED))

    results = CASES["items"]
    one = analyse(results, FAST, with_controls(results))
    other = analyse(swapped(results), FAST, swapped(with_controls(results)))
    # No intervals of bootstraps: their draws are seeded by the name of their number.
    for name, keys, columns in (
        ("accuracy", ["condition", "pooling", "missing"], ["estimate", "low", "high"]),
        ("gaps", ["condition", "pooling", "missing"], ["estimate", "low", "high", "b", "c", "p", "p_adjusted"]),
        ("waterfall", ["condition", "step"], ["estimate", "n"]),
        ("equivalence", ["condition"], ["estimate", "p"]),
        ("power", ["condition"], ["needed", "q"]),
    ):
        before = one.frames[name].select(*keys, *columns).sort(keys)
        after = swapped(other.frames[name]).select(*keys, *columns).sort(keys)
        assert_frame_equal(before, after, abs_tol=1e-9)


def test_swapping_condition_and_reference_mirrors_gaps() -> None:
    methods = set()
    for results in CASES.values():
        pair = results.filter(pl.col("condition").is_in(["t2t", "s2t"]))
        mirrored = pair.with_columns(pl.col("condition").replace({"t2t": "s2t", "s2t": "t2t"}))
        one, other = analyse(pair, FAST).frames["gaps"], analyse(mirrored, FAST).frames["gaps"]
        for column in ("estimate", "p"):
            sign = -1 if column == "estimate" else 1
            np.testing.assert_allclose(other[column], sign * one[column], atol=1e-9)
        np.testing.assert_allclose(other["low"].cast(pl.Float64), -one["high"].cast(pl.Float64), atol=1e-6)
        assert (other["b"].to_list(), other["c"].to_list()) == (one["c"].to_list(), one["b"].to_list())
        methods |= set(one["method"].to_list())
    assert len(methods - {None}) >= 4, methods


def output(threads: int) -> str:
    # Before the paths of this process, which lead to the tree under test.
    path = os.pathsep.join([str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")])
    names = ("POLARS_MAX_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, str(threads)), "PYTHONPATH": path}
    command = [sys.executable, "-c", PROGRAM]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=240).stdout


@pytest.mark.timeout(300)
def test_the_number_of_threads_changes_no_digit() -> None:
    assert output(1) == output(4)
