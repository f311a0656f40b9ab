"""The number that an answer states is read, however much correct reasoning surrounds it."""

import pytest

from omnigap_orchestrator.scoring import gold_forms, normalise
from omnigap_orchestrator.scoring.reading.english.number import find_number, number_match
from omnigap_orchestrator.scoring.reading.english.quantity import same_number
from omnigap_orchestrator.scoring.reading.found import Found, Passage, Step
from tests.orchestrator.scoring.reading.english.number_cases import CASES
from tests.orchestrator.scoring.reading.english.number_sentences import SENTENCES


def read(text: str, question: str = "", *golds: str) -> Found | None:
    return find_number(Passage(text, Step.TERSE), question, "en", golds=gold_forms(golds, "en"))


def is_right(text: str, question: str, gold: str) -> bool:
    found = read(text, question, gold)
    if found is None or found.value is None:
        return False
    return same_number(found.value, gold_forms((gold,), "en"), question=normalise(question, "en"))


_EVERY = (*CASES, *SENTENCES)


@pytest.mark.parametrize(
    ("question", "gold", "text"),
    [(question, gold, text) for question, gold, right, _ in _EVERY for text in right],
)
def test_right_answer_is_read(question: str, gold: str, text: str) -> None:
    assert is_right(text, question, gold), read(text, question, gold)


@pytest.mark.parametrize(
    ("question", "gold", "text"),
    [(question, gold, text) for question, gold, _, wrong in _EVERY for text in wrong],
)
def test_wrong_or_open_answer_is_not_right(question: str, gold: str, text: str) -> None:
    assert not is_right(text, question, gold), read(text, question, gold)


def matches(answer: str, gold: str, question: str = "", tolerance: float = 0.0) -> bool:
    found = number_match(
        normalise(answer, "en"), (normalise(gold, "en"),), question=normalise(question, "en"), tolerance=tolerance
    )
    return bool(found.score)


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
        ("12th", "12"),
        ("five five", "55"),
    ],
)
def test_equal_number_in_another_form_matches(answer: str, gold: str) -> None:
    assert matches(answer, gold)


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
        ("1/0", "1"),
    ],
)
def test_other_number_does_not_match(answer: str, gold: str) -> None:
    assert not matches(answer, gold)


def test_numbers_of_the_question_are_skipped() -> None:
    question = "What is seven plus five?"
    assert matches("Seven plus five is twelve.", "12", question)
    assert matches("7 + 5 = 12", "12", question)
    assert not matches("Seven plus five is thirteen.", "12", question)
    assert not matches("Seven plus five", "12", question)


def test_gold_number_in_the_question_still_matches() -> None:
    question = "What is twelve minus six?"
    assert matches("six", "6", question)
    assert matches("twelve minus six is six", "6", question)
    assert not matches("twelve minus six is five", "6", question)


def test_answer_without_a_number_has_none() -> None:
    assert number_match("many", ("12",)).number is None
    assert number_match("", ("12",)).number is None
    assert number_match("covid19", ("19",)).number is None


def test_tolerance_is_relative() -> None:
    assert matches("102", "100", tolerance=0.02)
    assert not matches("103", "100", tolerance=0.02)
