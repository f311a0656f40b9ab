"""The score of a number does not depend on the reasoning around it."""

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tests.orchestrator.scoring.reading.english.test_number import is_right, read

num2words = pytest.importorskip("num2words").num2words

QUESTION = "How many seats does the hall have?"
FILLER = "The hall stands in the old town and many people like to go there in the evening because the music is good."

# {n} is the stated number; {a} and {b} are other numbers.
CARRIERS = [
    "{n}",
    "{n}.",
    "{n} seats",
    "The hall has {n} seats.",
    "It has {n}.",
    "So the hall has {n} seats.",
    "The answer is {n}.",
    "**{n}**",
    "$\\boxed{{{n}}}$",
    "The hall has {n} seats, while the theatre has {a}.",
    "The hall has {n} seats, whereas the theatre has {a} seats.",
    "Unlike the theatre, which has {a} seats, the hall has {n}.",
    "While the theatre has {a} seats, the hall has {n}.",
    "The theatre has {a} seats and the hall has {n}.",
    "Compared with the {a} seats of the theatre, the hall has {n}.",
    "It has {n} seats rather than {a}.",
    "It has {n} seats instead of {a}.",
    "Not {a} but {n}.",
    "It does not have {a} seats, it has {n}.",
    "{a}? No, {n}.",
    "{a}, no wait, {n}.",
    "{a}, sorry, I mean {n}.",
    "Many people think {a}, but it is {n}.",
    "The hall has {n} seats ({a} of them are upstairs).",
    "The hall has {n} seats (before the fire: {a}).",
    "At level {a}, which holds the bar, there are none. The hall has {n} seats.",
    "After moving {a} seats away it has {n}.",
    "First there were {a} seats. Then {b} were added. In total the hall has {n} seats.",
    "{a} + {b} = {n}",
    "{a} + {b} = {n} seats",
    "{a} plus {b} equals {n}, so the hall has {n} seats.",
    "Rows: {a}\nSeats per row: {b}\n\nThe hall has {n} seats.",
    "1. There are {a} rows.\n2. Each has {b} seats.\n3. So the hall has {n} seats.",
    "Step 1: {a} x {b} = {n}\n\nTherefore, the hall has {n} seats.",
    "\\[ {a} \\times {b} = {n} \\]\n\nThe hall has **{n}** seats.",
    "It has {n} seats, {a} more than the theatre.",
    "The hall has {n} seats for {a} concerts a year.",
    "There are {a} rows with {b} seats, that is {n} seats in all.",
]
WRAPPED = st.sampled_from(CARRIERS)
NUMBER = st.integers(2, 99999)


def forms(number: int) -> st.SearchStrategy[str]:
    return st.sampled_from((str(number), f"{number:,}", num2words(number).replace(",", "")))


@st.composite
def answers(draw: st.DrawFn) -> tuple[str, int]:
    number, a, b = draw(NUMBER), draw(NUMBER), draw(NUMBER)
    assume(len({number, a, b}) == 3)
    carrier = draw(WRAPPED)
    in_words = draw(forms(number)) if "=" not in carrier and "boxed" not in carrier else str(number)
    return carrier.format(n=in_words, a=a, b=b), number


@settings(max_examples=400, deadline=None)
@given(answers())
def test_right_number_stays_right_in_any_carrier(answer: tuple[str, int]) -> None:
    text, number = answer
    assert is_right(text, QUESTION, str(number)), (text, read(text, QUESTION))


@settings(max_examples=400, deadline=None)
@given(answers(), st.integers(-3, 3))
def test_wrong_number_stays_wrong_in_any_carrier(answer: tuple[str, int], off: int) -> None:
    text, number = answer
    assume(off != 0 and str(number + off) not in text)
    assert not is_right(text, QUESTION, str(number + off))


@settings(max_examples=200, deadline=None)
@given(answers(), st.integers(1, 25))
def test_words_before_and_after_change_nothing(answer: tuple[str, int], times: int) -> None:
    text, number = answer
    before = " ".join([FILLER] * times)
    assert is_right(f"{before} {text}" if "\n" not in text else f"{before}\n{text}", QUESTION, str(number))
    assert is_right(f"{text}\n\n{before}", QUESTION, str(number))


OPEN = [
    "{n} or {a}",
    "{a} or {n}",
    "{n}-{a}",
    "{n} to {a}",
    "between {n} and {a}",
    "at least {n}",
    "at most {n} seats",
    "more than {n}",
    "The hall has up to {n} seats.",
    "fewer than {n} seats",
    "{n} or more",
    "not {n}",
    "It does not have {n} seats.",
    "{n}? No, {a}.",
    "Not {n} but {a}.",
    "The hall has {a} seats, not {n}.",
    "{n}, no wait, {a}.",
    "The hall has {a} seats, whereas the theatre has {n}.",
    "{n} + {a}",
    "{n}, {a}, {b}",
]


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(OPEN), NUMBER, NUMBER, NUMBER)
@example("{n}-{a}", 2, 3, 4)
def test_open_or_denied_number_is_not_right(carrier: str, number: int, a: int, b: int) -> None:
    assume(len({number, a, b}) == 3 and number + a != b)
    assert not is_right(carrier.format(n=number, a=a, b=b), QUESTION, str(number))
