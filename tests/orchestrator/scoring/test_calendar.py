"""Dates agree when every part that the gold names is met."""

import pytest

from omnigap_orchestrator.scoring import normalise
from omnigap_orchestrator.scoring.numeric import date_match


def verdict(answer: str, *golds: str, question: str = "") -> bool:
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
def test_a_date_that_meets_every_part_is_right(answer: str, gold: str) -> None:
    assert verdict(answer, gold)


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
def test_another_date_is_wrong(answer: str, gold: str) -> None:
    assert not verdict(answer, gold)


def test_a_date_of_the_question_is_passed_over() -> None:
    question = "When did the war that began in 1914 end?"
    assert verdict("The war that began in 1914 ended in 1918", "1918", question=question)
    assert not verdict("The war that began in 1914 ended in 1919", "1918", question=question)
