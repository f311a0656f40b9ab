"""The date that an answer states is read, however much correct reasoning surrounds it."""

import pytest

from omnigap.vocabulary import AnswerType
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.scoring import score
from tests.orchestrator.scoring.reading.english.date_cases import CASES


def is_right(text: str, question: str, gold: str) -> bool:
    item = Item(id="1", task="t", question=question, answers=(gold,), answer_type=AnswerType.DATE, language="en")
    return score(item, text).score == 1


@pytest.mark.parametrize(
    ("question", "gold", "text"), [(question, gold, text) for question, gold, right, _ in CASES for text in right]
)
def test_right_answer_is_read(question: str, gold: str, text: str) -> None:
    assert is_right(text, question, gold)


@pytest.mark.parametrize(
    ("question", "gold", "text"), [(question, gold, text) for question, gold, _, wrong in CASES for text in wrong]
)
def test_wrong_or_open_answer_is_not_right(question: str, gold: str, text: str) -> None:
    assert not is_right(text, question, gold)


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
    assert is_right(answer, "", gold)


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
    assert not is_right(answer, "", gold)


def test_date_of_the_question_is_skipped() -> None:
    question = "When did the war that began in 1914 end?"
    assert is_right("The war that began in 1914 ended in 1918", question, "1918")
    assert not is_right("The war that began in 1914 ended in 1919", question, "1918")
