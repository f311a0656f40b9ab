"""Tests of cross-modal consistency (arXiv 2411.09273) and of what separates it from RER, CFR and kappa."""

from __future__ import annotations

import polars as pl
import pytest

from omnigap_orchestrator.analysis import analyse
from omnigap_orchestrator.analysis.cross_modal import input_pairs
from tests.orchestrator.analysis.made_up_results import SIX, table

GOLD = "paris"


def answered(answers: dict[str, tuple[str, str]], conditions: tuple[str, str] = ("t2t", "i2t")) -> pl.DataFrame:
    """Items with their answers in two conditions; `paris` is right."""
    return table(
        [
            {"item_id": item, "condition": c, "score": float(text == GOLD), "normalised_answer": text}
            for item, texts in answers.items()
            for c, text in zip(conditions, texts, strict=True)
        ]
    )


FIVE = {
    "q0": ("paris", "paris"),
    "q1": ("rome", "rome"),
    "q2": ("rome", "oslo"),
    "q3": ("paris", "rome"),
    "q4": ("paris", "paris"),
}
"""Same and right, same and wrong, differently wrong, lost in the image, same and right."""


def test_five_items_by_hand() -> None:
    row = analyse(answered(FIVE)).frames["cross_modal"].row(0, named=True)
    assert (row["first"], row["second"], row["n"], row["planned"]) == ("t2t", "i2t", 5, 5)
    assert row["estimate"] == pytest.approx(3 / 5)
    assert row["same_right"] == pytest.approx(2 / 5) and row["same_wrong"] == pytest.approx(1 / 5)
    assert row["one_right"] == pytest.approx(1 / 5) and row["both_wrong"] == pytest.approx(1 / 5)
    assert row["low"] < 0.6 < row["high"]


def test_it_differs_from_cfr_and_kappa() -> None:
    """Of the three items that are right somewhere one is not right in both; right and wrong agree in four of five."""
    frames = analyse(answered(FIVE)).frames
    measures = {row["measure"]: row["estimate"] for row in frames["consistency"].iter_rows(named=True)}
    assert measures["CFR"] == pytest.approx(1 / 3)
    # With two conditions only, RER is the same share.
    assert measures["RER"] == pytest.approx(3 / 5)
    agreement = frames["agreement"].row(0, named=True)
    assert agreement["both_right"] + agreement["both_wrong"] == 4
    assert agreement["kappa"] == pytest.approx((4 / 5 - 12 / 25) / (1 - 12 / 25))


def test_a_constant_answer_is_consistent_and_has_no_kappa() -> None:
    frames = analyse(answered({f"q{i}": ("paris", "paris") for i in range(6)})).frames
    assert frames["cross_modal"]["estimate"].to_list() == [1.0]
    assert frames["agreement"]["kappa"].to_list() == [None]


def test_only_the_input_differs_within_a_pair() -> None:
    pairs = input_pairs(SIX)
    assert len(pairs) == 6 and all(first[2] == second[2] for first, second in pairs)
    # Other names don't say what differs.
    assert input_pairs(("audio", "image", "captions")) == [
        ("audio", "image"),
        ("audio", "captions"),
        ("image", "captions"),
    ]


def test_rer_is_at_most_the_smallest_pair() -> None:
    texts = {"t2t": "paris", "s2t": "paris", "i2t": "rome", "t2s": "paris", "s2s": "oslo", "i2s": "oslo"}
    rows = [
        {"item_id": f"q{i}", "condition": c, "score": 1.0, "normalised_answer": "paris" if i else texts[c]}
        for i in range(4)
        for c in SIX
    ]
    frames = analyse(table(rows)).frames
    rer = frames["consistency"].filter(measure="RER")["estimate"][0]
    assert rer == pytest.approx(3 / 4)
    found = {(f, s): e for f, s, e in frames["cross_modal"].select("first", "second", "estimate").iter_rows()}
    assert found["t2t", "s2t"] == 1.0 and found["s2s", "i2s"] == 1.0 and found["t2t", "i2t"] == pytest.approx(3 / 4)
    assert min(found.values()) >= rer


def test_items_without_an_answer_in_both_are_left_out() -> None:
    frame = answered(FIVE).with_columns(
        outcome=pl.when((pl.col("item_id") == "q1") & (pl.col("condition") == "i2t"))
        .then(pl.lit("failed"))
        .otherwise("outcome")
    )
    row = analyse(frame).frames["cross_modal"].row(0, named=True)
    assert (row["n"], row["planned"], row["estimate"]) == (4, 5, pytest.approx(2 / 4))
    assert analyse(frame.drop("normalised_answer", "answer_used")).frames["cross_modal"].is_empty()
