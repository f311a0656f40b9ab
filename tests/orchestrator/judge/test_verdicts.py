"""A verdict is one number of the scale or one label: words beside it do not matter, a second opinion does."""

from __future__ import annotations

import pytest

from omnigap_orchestrator.judge import read_rubric, read_verdict, rubric_of

FIVE, YES = read_rubric("helpful"), read_rubric("agrees")


@pytest.mark.parametrize(
    ("said", "rating"),
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
def test_a_number_is_read(said: str, rating: float) -> None:
    assert read_verdict(FIVE, said) == (rating, (rating - 1) / 4)


@pytest.mark.parametrize(
    "said",
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
def test_what_is_no_one_number_of_the_scale_is_no_verdict(said: str) -> None:
    assert read_verdict(FIVE, said) is None


@pytest.mark.parametrize(
    ("said", "score"),
    [("Yes", 1.0), ("no.", 0.0), ("Yes, it agrees.", 1.0), ("They agree.\nYes", 1.0), ("No! The year is wrong.", 0.0)],
)
def test_a_label_is_read(said: str, score: float) -> None:
    assert read_verdict(YES, said) == (None, score)


@pytest.mark.parametrize("said", ["", "Maybe", "Yes and no", "It says no such thing", "4"])
def test_what_is_no_one_label_is_no_verdict(said: str) -> None:
    assert read_verdict(YES, said) is None


def test_another_scale_is_mapped_to_its_own_ends() -> None:
    ten = rubric_of("ten", 'prompt = "{answer}"\nlow = 0.0\nhigh = 10.0', ".toml")
    assert read_verdict(ten, "7") == (7, 0.7)
