"""Number and date matches."""

import pytest

from omnigap_orchestrator.scoring import normalise
from omnigap_orchestrator.scoring.numeric import date_match, number_match


def number_matches(answer: str, gold: str, question: str = "", tolerance: float = 0.0) -> bool:
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
def test_equal_number_in_another_form_matches(answer: str, gold: str) -> None:
    assert number_matches(answer, gold)


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
def test_other_number_does_not_match(answer: str, gold: str) -> None:
    assert not number_matches(answer, gold)


def test_numbers_of_the_question_are_skipped() -> None:
    question = "What is seven plus five?"
    assert number_matches("Seven plus five is twelve.", "12", question)
    assert number_matches("7 + 5 = 12", "12", question)
    assert not number_matches("Seven plus five is thirteen.", "12", question)
    assert not number_matches("Seven plus five", "12", question)


def test_gold_number_in_the_question_still_matches() -> None:
    question = "What is twelve minus six?"
    assert number_matches("six", "6", question)
    assert number_matches("twelve minus six is six", "6", question)
    assert not number_matches("twelve minus six is five", "6", question)


def test_answer_without_a_number_has_none() -> None:
    assert number_match("many", ("12",)).number is None
    assert number_match("", ("12",)).number is None
    assert number_match("covid19", ("19",)).number is None


def test_tolerance_is_relative() -> None:
    assert number_matches("102", "100", tolerance=0.02)
    assert not number_matches("103", "100", tolerance=0.02)


def date_matches(answer: str, *golds: str, question: str = "") -> bool:
    forms = tuple(normalise(gold, "en") for gold in golds)
    return bool(date_match(normalise(answer, "en"), forms, question=normalise(question, "en")).score)


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ("1969", "1969"),
        ("nineteen sixty nine", "1969"),
        ("In 1969.", "1969"),
        ("July 20, 1969", "1969"),
        ("It was on 20 July 1969", "July 1969"),
        ("the thirty first of October", "October 31"),
        ("31 October", "October 31"),
        ("July 4th, 1776", "July 4"),
        ("1776-07-04", "fourth of July"),
        ("Wednesday", "Wednesday"),
        ("It is Wednesday.", "Wednesday"),
        ("December 25th", "December"),
        ("44 BC", "44 B.C."),
        ("In 1969, 66 years after the first flight of 1903", "1969"),
        ("not in 1968 but in 1969", "1969"),
    ],
)
def test_date_that_agrees_in_every_part_matches(answer: str, gold: str) -> None:
    assert date_matches(answer, gold)


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ("1968", "1969"),
        ("19690", "1969"),
        ("July 4", "July 4 1969"),
        ("4 July 1968", "July 4 1969"),
        ("July 5", "July 4"),
        ("June 4", "July 4"),
        ("Thursday", "Wednesday"),
        ("not 1969", "1969"),
        ("1968 or 1969", "1969"),
        ("1969 or 1968", "1969"),
        ("", "1969"),
    ],
)
def test_other_date_does_not_match(answer: str, gold: str) -> None:
    assert not date_matches(answer, gold)


def test_date_of_the_question_is_skipped() -> None:
    question = "When did the war that began in 1914 end?"
    assert date_matches("The war that began in 1914 ended in 1918", "1918", question=question)
    assert not date_matches("The war that began in 1914 ended in 1919", "1918", question=question)
