"""Tests of RER, CFR, MMC and the flip list."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from omnigap_orchestrator.analysis import AnalysisOptions, analyse
from omnigap_orchestrator.analysis.consistency import agreeing_items, comparable_answers, flips
from tests.orchestrator.analysis.made_up_results import SIX, drawn, paired, table


def measures(results: pl.DataFrame, chance: float | None = None) -> dict[str, dict[str, object]]:
    frame = analyse(results, AnalysisOptions(chance=chance)).frames["consistency"]
    return {row["measure"]: row for row in frame.iter_rows(named=True)}


def four_items() -> pl.DataFrame:
    """All right; all wrong with one answer; right once; right in all but one."""
    right = {"q0": SIX, "q1": (), "q2": ("t2t",), "q3": SIX[:5]}
    return table(
        [
            {"item_id": q, "condition": c, "score": float(c in held), "answer_used": "Paris!" if c in held else "rome"}
            for q, held in right.items()
            for c in SIX
        ]
    )


def test_the_measures_of_four_items_by_hand() -> None:
    found = {name: (row["estimate"], row["n"]) for name, row in measures(four_items()).items()}
    assert found == {
        "RER": (0.5, 4),
        "CFR": (pytest.approx(2 / 3), 3),
        "MMC": (0.75, 4),
        "all_right": (0.25, 4),
        "all_wrong": (0.25, 4),
    }


def test_answers_agree_after_normalising_and_prefer_the_tables_own_normal_form() -> None:
    rows = [
        {"item_id": "q0", "condition": c, "score": 1.0, "answer_used": a}
        for c, a in (("t2t", " Paris."), ("s2t", "paris"))
    ]
    assert agreeing_items(comparable_answers(table(rows)))["agree"].to_list() == [True]
    named = table(rows).with_columns(normalised_answer=pl.Series(["21", "22"]))
    assert agreeing_items(comparable_answers(named))["agree"].to_list() == [False]
    # Half a normal form is none.
    half = table(rows).with_columns(normalised_answer=pl.Series(["21", None], dtype=pl.String))
    assert agreeing_items(comparable_answers(half))["agree"].to_list() == [True]


def test_mmc_of_guessing_with_four_choices_is_82_percent() -> None:
    row = measures(four_items(), chance=0.25)["MMC"]
    assert row["if_guessing"] == pytest.approx(0.822, abs=5e-4)
    # An answer in free form can't be guessed; without any known chance there is no guessing line.
    assert measures(four_items())["MMC"]["if_guessing"] == 0.0
    unknown = measures(four_items().with_columns(answer_type=pl.lit("letter")))["MMC"]
    assert unknown["if_guessing"] is None and unknown["chance_unknown"] == 4


def test_guessing_uses_the_chance_of_each_item() -> None:
    results = four_items()
    names = sorted(results["item_id"].unique())
    known = results.with_columns(chance=pl.col("item_id").replace_strict({names[0]: 0.25, names[1]: 0.5}, default=None))
    found = measures(known)
    assert found["MMC"]["if_guessing"] == pytest.approx((1 - 0.75**6 + 1 - 0.5**6) / 4)
    assert found["all_right"]["if_guessing"] == pytest.approx((0.25**6 + 0.5**6) / 4)
    assert found["all_wrong"]["if_guessing"] == pytest.approx((0.75**6 + 0.5**6 + 2) / 4)
    assert found["RER"]["if_guessing"] is None
    # One declared chance goes before.
    assert measures(known, chance=0.25)["MMC"]["if_guessing"] == pytest.approx(1 - 0.75**6)


def test_independent_conditions_give_the_values_of_independence() -> None:
    rng = np.random.default_rng(1)
    rows = []
    for c, accuracy in zip(SIX, (0.9, 0.8, 0.7, 0.8, 0.7, 0.6), strict=True):
        rows += [
            {"item_id": f"q{i}", "condition": c, "score": float(s)} for i, s in enumerate(rng.random(3000) < accuracy)
        ]
    found = measures(table(rows))
    for name in ("MMC", "all_right", "CFR"):
        assert found[name]["low"] - 0.01 < found[name]["if_independent"] < found[name]["high"] + 0.01


def test_shared_difficulty_raises_agreement() -> None:
    row = measures(drawn(600))["all_right"]
    assert row["low"] > row["if_independent"]


def test_incomplete_items_are_left_out_and_counted() -> None:
    results = four_items().with_columns(
        outcome=pl.when((pl.col("item_id") == "q2") & (pl.col("condition") == "i2s"))
        .then(pl.lit("failed"))
        .otherwise(pl.col("outcome"))
    )
    row = measures(results)["MMC"]
    assert (row["n"], row["planned"]) == (3, 4)


def test_flips_show_both_directions_with_answers() -> None:
    results = paired([1, 1, 0, 0], [1, 0, 1, 0]).with_columns(
        answer_used=pl.col("condition") + " " + pl.col("item_id"), input_media=pl.lit("abc")
    )
    rows = flips(results, "t2t").select("item_id", "direction", "reference_answer", "answer_used").rows()
    assert rows == [("q1", "lost", "t2t q1", "s2t q1"), ("q2", "gained", "t2t q2", "s2t q2")]


def test_flips_are_the_discordant_pairs_of_the_gap() -> None:
    results = drawn(150, models=("alpha", "beta"))
    listed = flips(results, "t2t").group_by("model", "condition", "direction").len()
    where = {"pooling": "item_weighted", "missing": "answered_pairs"}
    for row in analyse(results).frames["gaps"].filter(**where).iter_rows(named=True):
        counts = dict(
            listed.filter(model=row["model"], condition=row["condition"]).select("direction", "len").iter_rows()
        )
        assert (counts["lost"], counts["gained"]) == (row["b"], row["c"])


def test_rer_counts_items_with_answers_in_all_conditions() -> None:
    unknown = (pl.col("item_id") == "q3") & (pl.col("condition") != "t2t")
    partly = four_items().with_columns(answer_used=pl.when(~unknown).then("answer_used"))
    row = measures(partly)["RER"]
    assert (row["estimate"], row["n"]) == (pytest.approx(2 / 3), 3)
    assert "RER" not in measures(four_items().with_columns(answer_used=pl.lit(None, pl.String)))


def test_guessing_with_two_replicates_is_right_more_often() -> None:
    twice = pl.concat([four_items(), four_items().with_columns(replicate=pl.lit(1, pl.Int32))])
    once_right = 1 - 0.75**2
    assert measures(twice, chance=0.25)["MMC"]["if_guessing"] == pytest.approx(1 - (1 - once_right) ** 6)
    assert measures(twice, chance=0.25)["all_right"]["if_guessing"] == pytest.approx(once_right**6)
