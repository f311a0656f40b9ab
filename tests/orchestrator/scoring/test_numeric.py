"""The number that an answer states, and when it is the gold number."""

import pytest

from omnigap_orchestrator.scoring import normalise
from omnigap_orchestrator.scoring.numeric import number_match


def verdict(answer: str, gold: str, question: str = "", tolerance: float = 0.0) -> bool:
    return bool(
        number_match(
            normalise(answer, "en"), (normalise(gold, "en"),), question=normalise(question, "en"), tolerance=tolerance
        ).score
    )


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ("12", "12"),
        ("twelve", "12"),
        ("There are twelve.", "12"),
        ("one thousand", "1,000"),
        ("minus five degrees", "-5"),
        ("90 degrees", "90"),
        ("90", "90 degrees"),
        ("3.14159", "3.14"),
        ("three point one four", "3.14"),
        ("half", "0.5"),
        ("0.33", "1/3"),
        ("one third", "1/3"),
        ("It has 88 keys, 52 white and 36 black.", "88"),
        ("26 letters, of which 5 are vowels", "26"),
        ("a dozen", "12"),
        ("$5", "5 dollars"),
    ],
)
def test_the_same_number_in_another_form_is_right(answer: str, gold: str) -> None:
    assert verdict(answer, gold)


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ("13", "12"),
        ("thirty", "13"),
        ("120", "12"),
        ("12.5", "12"),
        ("3.1", "3.14"),
        ("3.15", "3.14"),
        ("5", "-5"),
        ("5 miles", "5 km"),
        ("11 or 12", "12"),
        ("12 or 13", "12"),
        ("12th", "12"),
        ("1/0", "1"),
        ("five five", "55"),
    ],
)
def test_another_number_is_wrong(answer: str, gold: str) -> None:
    assert not verdict(answer, gold)


def test_the_numbers_of_the_question_are_not_the_answer() -> None:
    question = "What is seven plus five?"
    assert verdict("Seven plus five is twelve.", "12", question)
    assert verdict("7 + 5 = 12", "12", question)
    assert not verdict("Seven plus five is thirteen.", "12", question)
    assert not verdict("Seven plus five", "12", question)


def test_a_gold_that_the_question_names_is_still_found() -> None:
    question = "What is twelve minus six?"
    assert verdict("six", "6", question)
    assert verdict("twelve minus six is six", "6", question)
    assert not verdict("twelve minus six is five", "6", question)


def test_an_answer_without_a_number_states_none() -> None:
    assert number_match("many", ("12",)).number is None
    assert number_match("", ("12",)).number is None
    assert number_match("covid19", ("19",)).number is None


def test_the_tolerance_is_relative() -> None:
    assert verdict("102", "100", tolerance=0.02)
    assert not verdict("103", "100", tolerance=0.02)
