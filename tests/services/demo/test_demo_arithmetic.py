"""Sums in words and digits; other questions are not solved."""

from __future__ import annotations

import pytest

from omnigap_services.demo.arithmetic import solve


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
        # ASR errors, one letter each.
        ("what is elevan plus fourty", "51"),
    ],
)
def test_a_sum_is_solved(question: str, result: str) -> None:
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
def test_other_questions_are_not_solved(question: str) -> None:
    assert solve(question) is None
