"""Tests of the tables of control cells."""

from __future__ import annotations

import polars as pl
import pytest

from omnigap_orchestrator.analysis import IntervalOptions, analyse
from omnigap_orchestrator.analysis.controls import (
    CONTROL_COUNTS_SCHEMA,
    FIRST_PASS_SCHEMA,
    GUESSING_SCHEMA,
    blank_accuracy,
    control_counts,
    first_passes,
    guessing,
    repeat_noise,
)
from tests.orchestrator.analysis.made_up_results import drawn, paired, table

OPTIONS = IntervalOptions(draws=199)


def blanks(scores: dict[str, float], chance: dict[str, float | None]) -> pl.DataFrame:
    rows = [{"item_id": name, "condition": "t2t", "score": score} for name, score in scores.items()]
    known = pl.Series([chance.get(name) for name in scores], dtype=pl.Float64)
    return table(rows).with_columns(control=pl.lit("blank"), chance=known)


def real(scores: dict[str, float]) -> pl.DataFrame:
    return table([{"item_id": name, "condition": "t2t", "score": score} for name, score in scores.items()])


def test_guessing_has_chance_and_real_accuracy_of_the_same_items() -> None:
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


def test_items_with_choices_have_a_separate_row() -> None:
    results = real({"a": 1, "b": 0, "c": 1})
    found = guessing(results, blanks({"a": 1, "b": 1, "c": 0}, {"a": 0.25, "b": 0.25}), OPTIONS)
    rows = {row["items"]: row for row in found.iter_rows(named=True)}
    assert rows["all"]["chance"] is None
    assert rows["all"]["n"] == 3
    assert (rows["choices"]["estimate"], rows["choices"]["chance"], rows["choices"]["n"]) == (1.0, 0.25, 2)
    assert rows["choices"]["accuracy"] == 0.5


def test_the_column_chance_is_optional() -> None:
    found = guessing(real({"a": 1}), blanks({"a": 0}, {}).drop("chance"), OPTIONS)
    assert found["chance"].to_list() == [None]


def test_a_nan_chance_is_unknown() -> None:
    controls, nan = blanks({"a": 0, "b": 1}, {"b": 0.25}), float("nan")
    found = guessing(real({"a": 1, "b": 1}), controls.with_columns(pl.col("chance").fill_null(nan)), OPTIONS)
    assert found.equals(guessing(real({"a": 1, "b": 1}), controls, OPTIONS))
    assert found["items"].to_list() == ["all", "choices"]


def test_a_blank_cell_without_an_answer_is_missing() -> None:
    held = blanks({"a": 1, "b": 0}, {}).with_columns(
        outcome=pl.when(pl.col("item_id") == "b").then(pl.lit("failed")).otherwise(pl.col("outcome")),
        score=pl.when(pl.col("item_id") == "a").then(pl.col("score")),
    )
    (row,) = guessing(real({"a": 1, "b": 1}), held, OPTIONS).iter_rows(named=True)
    assert (row["estimate"], row["n"], row["planned"], row["lacking"]) == (1.0, 1, 2, 1)


def test_word_errors_of_first_passes_are_pooled() -> None:
    written = table([{"item_id": name, "condition": "s2t", "score": 1} for name in "abcd"]).with_columns(
        control=pl.lit("two-pass"),
        first_pass=pl.Series(["what is it", " ", "what", None]),
        wer_errors=pl.Series([0, 5, None, None], dtype=pl.Int64),
        wer_words=pl.Series([3, 5, None, None], dtype=pl.Int64),
        wer_errors_whisper=pl.Series([1, 6, None, None], dtype=pl.Int64),
        wer_words_whisper=pl.Series([4, 6, None, None], dtype=pl.Int64),
    )
    found = first_passes(written)
    assert found.schema == FIRST_PASS_SCHEMA
    (row,) = found.iter_rows(named=True)
    assert (row["written"], row["empty"], row["wer_cells"]) == (3, 1, 2)
    assert row["wer"] == pytest.approx(5 / 8)
    assert row["wer_whisper"] == pytest.approx(7 / 10)
    assert row["exact"] == 0.5


def test_each_kind_of_control_has_its_own_counts() -> None:
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


def test_controls_do_not_change_other_tables() -> None:
    results = drawn(40)
    held = results.with_columns(control=pl.lit("repeat"), score=1 - pl.col("score"))
    with_controls, without = analyse(results, controls=held), analyse(results)
    for name in set(without.frames) - {"controls", "blank", "repeat", "first_passes"}:
        assert with_controls.frames[name].equals(without.frames[name]), name
    assert without.frames["controls"].is_empty()
    assert with_controls.frames["repeat"]["changed"].to_list() == [1.0] * 6


def test_accuracy_on_blank_carriers() -> None:
    controls = drawn(200, accuracies=(0.25,) * 6).with_columns(control=pl.lit("blank"))
    frame = blank_accuracy(controls, OPTIONS).filter(pooling="item_weighted", missing="answered_only")
    assert frame.height == 6
    assert (frame["low"] < 0.3).all() and (frame["high"] > 0.25).all()
    assert blank_accuracy(controls.with_columns(control=pl.lit("repeat")), OPTIONS).is_empty()


def test_repeats_count_changed_scores() -> None:
    results = paired([1, 1, 0, 0, 1], [1, 1, 1, 1, 1])
    again = paired([1, 0, 1, 1, 1], [1, 1, 1, 1, 1]).with_columns(control=pl.lit("repeat"))
    rows = {row["condition"]: row for row in repeat_noise(results, again, OPTIONS).iter_rows(named=True)}
    assert rows["t2t"]["changed"] == pytest.approx(0.6)
    assert rows["t2t"]["drift"] == pytest.approx(0.2)
    assert rows["s2t"]["changed"] == 0.0
    assert rows["s2t"]["changed_high"] > 0


def test_swapped_replicates_have_both_changed() -> None:
    def twice(first: list[float], second: list[float]) -> pl.DataFrame:
        return pl.concat([paired(s, s, replicate=r) for r, s in enumerate((first, second))])

    again = twice([0, 1, 1], [1, 0, 1]).with_columns(control=pl.lit("repeat"))
    (row,) = repeat_noise(twice([1, 1, 1], [0, 1, 1]), again, OPTIONS).filter(condition="t2t").iter_rows(named=True)
    assert row["changed"] == pytest.approx((1 + 0.5 + 0) / 3)
    assert row["drift"] == pytest.approx(-0.5 / 3)
