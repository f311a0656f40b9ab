"""Selection and order of the entries of the item browser."""

from __future__ import annotations

import polars as pl

from omnigap_orchestrator.report.browser import sample_entries


def cells(right: dict[tuple[str, str], str], replicates: int = 1) -> pl.DataFrame:
    """(model, item) -> the conditions it is right in, of t2t, s2t and i2t; the item's task is its first letter."""
    rows = [
        (model, item, item[0], replicate, condition, "answered", float(condition in conditions.split()))
        for (model, item), conditions in right.items()
        for replicate in range(replicates)
        for condition in ("t2t", "s2t", "i2t")
    ]
    names = ["model", "item_id", "task", "replicate", "condition", "outcome", "score"]
    return pl.DataFrame(rows, schema=names, orient="row")


def test_most_flips_come_first_and_a_wrong_reference_is_not_a_flip() -> None:
    table = cells({("m", "a1"): "t2t s2t i2t", ("m", "a2"): "t2t", ("m", "a3"): "", ("m", "a4"): "t2t s2t"})
    sample = sample_entries(table, 10)
    assert sample.entries["item_id"].to_list()[:2] == ["a2", "a4"]
    assert sample.entries["flips"].to_list() == [2, 1, 0, 0]
    assert (sample.total, sample.flipped, sample.is_partial) == (4, 2, False)


def test_missing_answer_is_not_a_flip() -> None:
    table = cells({("m", "a1"): "t2t"}).with_columns(
        outcome=pl.when(pl.col("condition") == "t2t").then(pl.lit("answered")).otherwise(pl.lit("failed")),
        score=pl.when(pl.col("condition") == "t2t").then("score"),
    )
    assert sample_entries(table, 10).entries["flips"].to_list() == [0]


def test_partial_sample_is_balanced_over_models_and_tasks() -> None:
    table = cells({(m, f"{t}{n}"): "t2t" for m in ("m1", "m2") for t in "ab" for n in range(50)})
    sample = sample_entries(table, 20)
    assert sample.is_partial
    counts = sample.entries.with_columns(task=pl.col("item_id").str.head(1)).group_by("model", "task").len()
    assert counts["len"].to_list() == [5, 5, 5, 5]


def test_partial_sample_includes_entries_without_a_flip() -> None:
    table = cells({("m", f"a{n}"): "t2t" if n % 2 else "t2t s2t i2t" for n in range(200)})
    sample = sample_entries(table, 40)
    assert sample.entries.filter(pl.col("flips") > 0).height == 30
    assert sample.entries.height == 40


def test_flips_fill_unused_places() -> None:
    table = cells({("m", f"a{n}"): "t2t" for n in range(50)} | {("m", "b0"): "t2t s2t i2t"})
    sample = sample_entries(table, 20)
    assert sample.entries.filter(pl.col("flips") > 0).height == 19


def test_replicates_are_separate_entries() -> None:
    sample = sample_entries(cells({("m", "a1"): "t2t"}, replicates=3), 10)
    assert sorted(sample.entries["replicate"].to_list()) == [0, 1, 2]


def test_sample_does_not_depend_on_row_order() -> None:
    table = cells({("m", f"a{n}"): "t2t" if n % 3 else "" for n in range(60)})
    first = sample_entries(table, 20).entries
    assert first.equals(sample_entries(table.sample(fraction=1, shuffle=True, seed=1), 20).entries)
