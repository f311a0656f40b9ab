"""Sums in words and digits; what is no sum is left to the facts."""

from __future__ import annotations

import pytest

from omnigap_services.cascade.arithmetic import solve


@pytest.mark.parametrize(
    ("question", "result"),
    [
        ("What is seven plus five?", "12"),
        ("what is 7 + 5", "12"),
        ("What is one hundred minus thirty seven?", "63"),
        ("What is thirty-seven times two?", "74"),
        ("How much is two thousand three hundred plus one?", "2301"),
        ("What is eighty divided by four?", "20"),
        ("What is half of ninety?", "45"),
        ("What is twice nineteen?", "38"),
        ("What is two plus three times four?", "14"),
        ("What is six plus seven plus eight?", "21"),
        ("What is seven divided by two?", "3.5"),
        ("3 × 4 − 2", "10"),
        # Misheard, one letter off.
        ("what is elevan plus fourty", "51"),
    ],
)
def test_a_sum_is_worked_out(question: str, result: str) -> None:
    assert solve(question) == result


@pytest.mark.parametrize(
    "question",
    [
        "When did World War Two end?",
        "How many legs does a spider have?",
        "What is seven?",
        "What is the opposite of plus?",
        "What is five divided by zero?",
        "seven eight plus one",
        "",
    ],
)
def test_what_is_no_sum_is_left_alone(question: str) -> None:
    assert solve(question) is None
