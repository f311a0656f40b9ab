"""Parsing verdicts of a judge, and combining its votes."""

from __future__ import annotations

import pytest

from omnigap_orchestrator.judge import (
    combine_votes,
    read_rubric,
    read_verdict,
    rubric_of,
)

FIVE, YES = read_rubric("helpful"), read_rubric("agrees")


@pytest.mark.parametrize(
    ("text", "rating"),
    [
        ("4", 4),
        (" 4.\n", 4),
        ("**5**", 5),
        ("3.5", 3.5),
        ("4/5", 4),
        ("2 points", 2),
        ("Rating: [[3]]", 3),
        ("Score: 4", 4),
        ("I would give this a score of 2, since it misses half.", 2),
        ("The answer is short but right.\n\nRating: 4", 4),
        ("It names 3 of 7 things.\n2", 2),
    ],
)
def test_numeric_verdicts(text: str, rating: float) -> None:
    assert read_verdict(FIVE, text) == (rating, (rating - 1) / 4)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I can't rate this.",
        "It has 3 mistakes.",
        "7",
        "0",
        "-4",
        "Score: 4. On reflection, score: 2.",
        "[[3]] or [[4]]",
        "On a rating of 1 to 5 I am torn",
        "four",
    ],
)
def test_unreadable_numeric_verdicts(text: str) -> None:
    assert read_verdict(FIVE, text) is None


@pytest.mark.parametrize(
    ("text", "score"),
    [("Yes", 1.0), ("no.", 0.0), ("Yes, it agrees.", 1.0), ("They agree.\nYes", 1.0), ("No! The year is wrong.", 0.0)],
)
def test_label_verdicts(text: str, score: float) -> None:
    assert read_verdict(YES, text) == (None, score)


@pytest.mark.parametrize("text", ["", "Maybe", "Yes and no", "It says no such thing", "4"])
def test_unreadable_label_verdicts(text: str) -> None:
    assert read_verdict(YES, text) is None


def test_scale_is_mapped_to_zero_and_one() -> None:
    ten = rubric_of("ten", 'prompt = "{answer}"\nlow = 0.0\nhigh = 10.0', ".toml")
    assert read_verdict(ten, "7") == (7, 0.7)


def test_combine_votes() -> None:
    five, yes = read_rubric("helpful"), read_rubric("agrees")
    assert combine_votes(five, [(4.0, 0.75), (5.0, 1.0), (3.0, 0.5)]).rating == 4
    assert combine_votes(five, [(4.0, 0.75), (5.0, 1.0)]).score == 0.875
    assert combine_votes(yes, [(None, 1.0), (None, 0.0), (None, 1.0)]).score == 1
    assert combine_votes(yes, [(None, 1.0), (None, 0.0)]).score == 0
