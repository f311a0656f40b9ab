"""Consistency over the conditions: measures by hand, kappa and phi by a second implementation, the flip list."""

import numpy as np
import polars as pl
import pytest
from made_up_results import SIX, drawn, paired, table
from scipy import stats
from statsmodels.stats.inter_rater import cohens_kappa

from omnigap_orchestrator.analysis import AnalysisOptions, IntervalOptions, analyse, item_scores, score_matrices
from omnigap_orchestrator.analysis.agreement import BOOTSTRAP, JEFFREYS, agreement, kappa_and_phi, pairwise_agreement
from omnigap_orchestrator.analysis.consistency import agreeing_items, flips


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
    assert agreeing_items(table(rows))["agree"].to_list() == [True]
    named = table(rows).with_columns(normalised_answer=pl.Series(["21", "22"]))
    assert agreeing_items(named)["agree"].to_list() == [False]
    # Half a normal form is none.
    half = table(rows).with_columns(normalised_answer=pl.Series(["21", None], dtype=pl.String))
    assert agreeing_items(half)["agree"].to_list() == [True]


def test_guessing_alone_lifts_the_ceiling_to_82_percent_at_four_choices() -> None:
    row = measures(four_items(), chance=0.25)["MMC"]
    assert row["if_guessing"] == pytest.approx(0.822, abs=5e-4)
    assert measures(four_items())["MMC"]["if_guessing"] is None


def test_guessing_follows_the_choices_of_each_item_where_the_table_tells_them() -> None:
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


def test_independent_conditions_come_out_as_independence_says() -> None:
    rng = np.random.default_rng(1)
    rows = []
    for c, accuracy in zip(SIX, (0.9, 0.8, 0.7, 0.8, 0.7, 0.6), strict=True):
        rows += [
            {"item_id": f"q{i}", "condition": c, "score": float(s)} for i, s in enumerate(rng.random(3000) < accuracy)
        ]
    found = measures(table(rows))
    for name in ("MMC", "all_right", "CFR"):
        assert found[name]["low"] - 0.01 < found[name]["if_independent"] < found[name]["high"] + 0.01


def test_conditions_that_share_difficulty_agree_more_than_independence_says() -> None:
    row = measures(drawn(600))["all_right"]
    assert row["low"] > row["if_independent"]


def test_items_without_a_score_in_every_condition_are_left_out_and_counted() -> None:
    results = four_items().with_columns(
        outcome=pl.when((pl.col("item_id") == "q2") & (pl.col("condition") == "i2s"))
        .then(pl.lit("failed"))
        .otherwise(pl.col("outcome"))
    )
    row = measures(results)["MMC"]
    assert (row["n"], row["planned"]) == (3, 4)


def test_kappa_and_phi_are_those_of_statsmodels_and_numpy() -> None:
    results = drawn(300)
    frame = pairwise_agreement(score_matrices(item_scores(results)), IntervalOptions(draws=499))
    assert frame.height == 15
    row = frame.filter(first="t2t", second="i2s").row(0, named=True)
    counts = np.array([[row["both_right"], row["first_only"]], [row["second_only"], row["both_wrong"]]])
    assert counts.sum() == row["n"] == 300
    assert row["kappa"] == pytest.approx(cohens_kappa(counts).kappa, abs=1e-10)
    assert row["phi"] == pytest.approx(stats.contingency.association(counts, method="cramer"), abs=1e-10)
    assert row["kappa_low"] < row["kappa"] < row["kappa_high"]


def test_kappa_and_phi_are_undefined_where_a_condition_never_varies() -> None:
    kappa, phi = kappa_and_phi(np.array([[10.0, 5, 0, 0], [10, 5, 3, 6]]))
    assert np.isnan([kappa[0], phi[0]]).all()
    assert np.isfinite([kappa[1], phi[1]]).all()


def test_the_interval_of_kappa_does_not_hang_on_which_condition_is_named_first() -> None:
    cells = np.repeat(np.eye(4), [300, 3, 30, 67], axis=0)
    options = IntervalOptions(draws=499)
    first, second = agreement(cells, 1, options), agreement(cells[:, [0, 2, 1, 3]], 1, options)
    assert first.method == second.method == BOOTSTRAP
    assert first.kappa == pytest.approx(second.kappa)


def test_few_disagreements_are_too_few_to_resample() -> None:
    cells = np.repeat(np.eye(4), [330, 3, 3, 64], axis=0)
    assert agreement(cells, 1, IntervalOptions(draws=499)).method == JEFFREYS


def test_the_flip_list_shows_both_directions_with_what_was_said() -> None:
    results = paired([1, 1, 0, 0], [1, 0, 1, 0]).with_columns(
        answer_used=pl.col("condition") + " " + pl.col("item_id"), input_media=pl.lit("abc")
    )
    rows = flips(results, "t2t").select("item_id", "direction", "reference_answer", "answer_used").rows()
    assert rows == [("q1", "lost", "t2t q1", "s2t q1"), ("q2", "gained", "t2t q2", "s2t q2")]


def test_every_discordant_pair_of_the_gap_table_is_a_flip() -> None:
    results = drawn(150, models=("alpha", "beta"))
    listed = flips(results, "t2t").group_by("model", "condition", "direction").len()
    where = {"pooling": "item_weighted", "missing": "answered_pairs"}
    for row in analyse(results).frames["gaps"].filter(**where).iter_rows(named=True):
        counts = dict(
            listed.filter(model=row["model"], condition=row["condition"]).select("direction", "len").iter_rows()
        )
        assert (counts["lost"], counts["gained"]) == (row["b"], row["c"])


def test_agreement_is_told_of_the_items_whose_answers_are_all_known() -> None:
    unknown = (pl.col("item_id") == "q3") & (pl.col("condition") != "t2t")
    partly = four_items().with_columns(answer_used=pl.when(~unknown).then("answer_used"))
    row = measures(partly)["RER"]
    assert (row["estimate"], row["n"]) == (pytest.approx(2 / 3), 3)
    assert "RER" not in measures(four_items().with_columns(answer_used=pl.lit(None, pl.String)))


def test_guessing_twice_an_item_is_right_more_often_where_one_of_two_is_enough() -> None:
    twice = pl.concat([four_items(), four_items().with_columns(replicate=pl.lit(1, pl.Int32))])
    once_right = 1 - 0.75**2
    assert measures(twice, chance=0.25)["MMC"]["if_guessing"] == pytest.approx(1 - (1 - once_right) ** 6)
    assert measures(twice, chance=0.25)["all_right"]["if_guessing"] == pytest.approx(once_right**6)
