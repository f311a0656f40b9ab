"""Tables of control cells: what is guessed, what first passes wrote, and their own denominators."""

from __future__ import annotations

import polars as pl
import pytest
from made_up_results import drawn, table

from omnigap_orchestrator.analysis import IntervalOptions, analyse
from omnigap_orchestrator.analysis.controls import (
    CONTROL_COUNTS_SCHEMA,
    FIRST_PASS_SCHEMA,
    GUESSING_SCHEMA,
    control_counts,
    first_passes,
    guessing,
)

OPTIONS = IntervalOptions(draws=199)


def blanks(scores: dict[str, float], chance: dict[str, float | None]) -> pl.DataFrame:
    rows = [{"item_id": name, "condition": "t2t", "score": score} for name, score in scores.items()]
    known = pl.Series([chance.get(name) for name in scores], dtype=pl.Float64)
    return table(rows).with_columns(control=pl.lit("blank"), chance=known)


def real(scores: dict[str, float]) -> pl.DataFrame:
    return table([{"item_id": name, "condition": "t2t", "score": score} for name, score in scores.items()])


def test_guessing_stands_beside_chance_and_beside_the_real_accuracy_of_the_same_items() -> None:
    results = real({"a": 1, "b": 1, "c": 0, "d": 1, "elsewhere": 0})
    found = guessing(
        results, blanks({"a": 1, "b": 0, "c": 0, "d": 0}, dict.fromkeys("abc", 0.25) | {"d": 0.5}), OPTIONS
    )
    assert found.schema == GUESSING_SCHEMA
    (row,) = found.iter_rows(named=True)
    assert (row["items"], row["estimate"], row["n"]) == ("all", 0.25, 4)
    assert row["chance"] == pytest.approx((3 * 0.25 + 0.5) / 4)
    assert row["accuracy"] == 0.75
    assert row["low"] <= row["estimate"] <= row["high"]


def test_items_with_choices_have_a_row_of_their_own_where_others_have_none() -> None:
    results = real({"a": 1, "b": 0, "c": 1})
    found = guessing(results, blanks({"a": 1, "b": 1, "c": 0}, {"a": 0.25, "b": 0.25}), OPTIONS)
    rows = {row["items"]: row for row in found.iter_rows(named=True)}
    assert rows["all"]["chance"] is None
    assert rows["all"]["n"] == 3
    assert (rows["choices"]["estimate"], rows["choices"]["chance"], rows["choices"]["n"]) == (1.0, 0.25, 2)
    assert rows["choices"]["accuracy"] == 0.5


def test_a_table_made_elsewhere_needs_no_column_of_chances() -> None:
    found = guessing(real({"a": 1}), blanks({"a": 0}, {}).drop("chance"), OPTIONS)
    assert found["chance"].to_list() == [None]


def test_a_chance_that_is_no_number_is_not_known() -> None:
    controls, nan = blanks({"a": 0, "b": 1}, {"b": 0.25}), float("nan")
    found = guessing(real({"a": 1, "b": 1}), controls.with_columns(pl.col("chance").fill_null(nan)), OPTIONS)
    assert found.equals(guessing(real({"a": 1, "b": 1}), controls, OPTIONS))
    assert found["items"].to_list() == ["all", "choices"]


def test_a_blank_without_an_answer_is_missing_and_not_wrong() -> None:
    held = blanks({"a": 1, "b": 0}, {}).with_columns(
        outcome=pl.when(pl.col("item_id") == "b").then(pl.lit("failed")).otherwise(pl.col("outcome")),
        score=pl.when(pl.col("item_id") == "a").then(pl.col("score")),
    )
    (row,) = guessing(real({"a": 1, "b": 1}), held, OPTIONS).iter_rows(named=True)
    assert (row["estimate"], row["n"], row["planned"], row["lacking"]) == (1.0, 1, 2, 1)


def test_first_passes_pool_word_errors_and_leave_out_what_has_no_known_words() -> None:
    written = table([{"item_id": name, "condition": "s2t", "score": 1} for name in "abcd"]).with_columns(
        control=pl.lit("two-pass"),
        first_pass=pl.Series(["what is it", " ", "what", None]),
        wer_errors=pl.Series([0, 5, None, None], dtype=pl.Int64),
        wer_words=pl.Series([3, 5, None, None], dtype=pl.Int64),
    )
    found = first_passes(written)
    assert found.schema == FIRST_PASS_SCHEMA
    (row,) = found.iter_rows(named=True)
    assert (row["written"], row["empty"], row["wer_cells"]) == (3, 1, 2)
    assert row["wer"] == pytest.approx(5 / 8)
    assert row["exact"] == 0.5


def test_each_kind_of_control_has_its_own_denominators() -> None:
    results = drawn(20)
    held = pl.concat(
        [
            results.with_columns(control=pl.lit("repeat")),
            results.filter(pl.col("condition") == "s2t").with_columns(
                control=pl.lit("two-pass"), outcome=pl.lit("unsupported"), score=pl.lit(None, pl.Float64)
            ),
        ]
    )
    counts = control_counts(held)
    assert counts.schema == CONTROL_COUNTS_SCHEMA
    assert counts["control"].to_list() == ["two-pass", *["repeat"] * 6]
    first = counts.row(0, named=True)
    assert (first["condition"], first["planned"], first["unsupported"]) == ("s2t", 0, 20)
    assert counts.filter(control="repeat")["answered"].to_list() == [20] * 6


def test_controls_change_no_table_of_the_results_themselves() -> None:
    results = drawn(40)
    held = results.with_columns(control=pl.lit("repeat"), score=1 - pl.col("score"))
    with_controls, alone = analyse(results, controls=held), analyse(results)
    for name in set(alone.frames) - {"controls", "blank", "repeat", "first_passes"}:
        assert with_controls.frames[name].equals(alone.frames[name]), name
    assert alone.frames["controls"].is_empty()
    assert with_controls.frames["repeat"]["changed"].to_list() == [1.0] * 6
