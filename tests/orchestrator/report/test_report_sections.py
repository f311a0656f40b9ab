"""Sections of the report as values: tables for runs with missing scores."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from omnigap_orchestrator.analysis import Analysis, AnalysisOptions, MissingRule, analyse
from omnigap_orchestrator.extras.routing.report_section import routing_section
from omnigap_orchestrator.report.sections.metrics import metrics_section
from omnigap_orchestrator.report.sections.power import power_section
from omnigap_orchestrator.report.sections.variance import variance_section
from omnigap_orchestrator.report.tables import Table
from tests.orchestrator.report.fake_run import FakeRun, make_run


def column(table: Table, label: str) -> list[str]:
    """The shown values of a column, row by row."""
    place = [heading.label for heading in table.headings].index(label)
    return [row[place].shown for row in table.rows]


def test_metrics_have_one_row_each_and_one_column_per_condition(run: FakeRun) -> None:
    """Two letters of four right in t2t, one in s2t, one cell of it unparsable and one failed; numbers all right."""
    rows = run.results.filter(pl.col("condition").is_in(["t2t", "s2t"])).sort("item_id", "condition")
    items = rows["item_id"].unique().sort().head(5).to_list()
    spoken, place = pl.col("condition") == "s2t", pl.col("item_id").replace_strict(items, range(5))
    rows = rows.filter(pl.col("item_id").is_in(items)).with_columns(
        metric=pl.when(place < 4).then(pl.lit("letter")).otherwise(pl.lit("number")),
        outcome=pl.when(spoken & (place == 3)).then(pl.lit("failed")).otherwise(pl.lit("answered")),
        flags=pl.when(spoken & (place == 1)).then(pl.lit(["unparsable"])).otherwise(pl.lit([], pl.List(pl.String))),
        score=pl.when(place == 4).then(1.0).otherwise((place < pl.when(spoken).then(1).otherwise(2)).cast(pl.Float64)),
    )
    section = metrics_section(analyse(rows))
    assert section is not None
    (grid,) = section.tables
    assert column(grid, "Metric") == ["letter", "number"]
    assert column(grid, "Items") == ["4", "1"]
    assert (column(grid, "t2t"), column(grid, "s2t")) == (["50.0", "100.0"], ["33.3", "100.0"])
    place_of = [heading.label for heading in grid.headings].index("s2t")
    assert grid.rows[0][place_of].fine == "3 of 4 cells; unparsable 33.3 %"
    assert grid.rows[0][place_of].tone == "loss"
    assert len(section.folded[0].rows) == 4


def lacking(run: FakeRun, items: int) -> pl.DataFrame:
    """The run with the first items failed in t2s, everything else answered and right."""
    first = run.results["item_id"].unique().sort().head(items).to_list()
    gone = (pl.col("condition") == "t2s") & pl.col("item_id").is_in(first)
    return run.results.with_columns(
        outcome=pl.when(gone).then(pl.lit("failed")).otherwise(pl.lit("answered")),
        score=pl.when(~gone).then(pl.lit(1.0)),
    )


def test_routing_shows_the_reason_of_a_refusal_and_missing_as_wrong(run: FakeRun) -> None:
    items = run.results["item_id"].n_unique()
    section = routing_section(analyse(lacking(run, 4)))
    assert section is not None
    (policies,) = section.tables
    assert column(policies, "Accuracy, %") == ["\u2013"] * len(policies.rows)
    assert column(policies, "Missing as wrong, %")[0] == "100.0"
    assert f"4 of {items} planned items" in policies.note and "t2s" in policies.note
    assert section.folded[0].key == "routes"


def test_routing_of_a_complete_run_has_no_column_for_missing_items(run: FakeRun, analysis: Analysis) -> None:
    section = routing_section(analyse(lacking(run, 0)))
    assert section is not None
    labels = [heading.label for heading in section.tables[0].headings]
    assert "Missing as wrong, %" not in labels and "Missing" not in section.tables[0].note
    # The latencies of a run are not those of a product.
    assert "Latency, s" not in labels and "bench latency" in section.tables[0].note
    allowed = routing_section(analyse(lacking(run, 4), AnalysisOptions(missing=MissingRule(allow=True))))
    assert allowed is not None
    assert column(allowed.tables[0], "Accuracy, %")[0] == "100.0"
    assert "4 of" in allowed.tables[0].note


def test_refused_gap_is_not_counted_as_detectable(run: FakeRun) -> None:
    analysis = analyse(lacking(run, 4).with_columns(score=pl.col("score") * (pl.int_range(pl.len()) % 7 > 0)))
    assert analysis.frames["equivalence"].filter(verdict="refused")["condition"].to_list() == ["t2s"]
    section = power_section(analysis)
    assert section is not None
    assert f" of {analysis.frames['power'].height - 1} contrasts" in section.lead


def test_voices_with_a_refused_gap_are_not_described_as_replicates(tmp_path: Path) -> None:
    results = make_run(tmp_path, limit=40, replicates=2, media=False).results
    results = results.with_columns(voice=pl.when(pl.col("input") == "speech").then(pl.format("voice {}", "replicate")))
    items = results["item_id"].unique().sort().head(10).to_list()
    lost = (pl.col("input") == "speech") & pl.col("item_id").is_in(items) & (pl.col("replicate") == 1)
    failed = results.with_columns(outcome=pl.when(lost).then(pl.lit("failed")).otherwise("outcome"))
    section = variance_section(analyse(failed))
    assert section is not None
    assert "voices" in section.lead and "same carrier" not in section.lead
    assert [table.key for table in (*section.tables, *section.folded)] == ["variance-components", "levels"]
