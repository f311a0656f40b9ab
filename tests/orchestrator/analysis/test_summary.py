"""Tests of the whole analysis and its JSON."""

from __future__ import annotations

import json

from made_up_results import SIX, drawn

from omnigap_orchestrator.analysis import ANALYSIS_VERSION, analyse
from omnigap_orchestrator.analysis.summary import all_tables


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
