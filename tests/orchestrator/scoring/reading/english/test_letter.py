"""Letters that an answer selects."""

from __future__ import annotations

import pytest

from omnigap_orchestrator.scoring.reading import Passage, Step, read
from omnigap_orchestrator.scoring.reading.english.letter import find_letter

_CHOICES = ("copper", "helium", "granite", "water")


def letter(text: str, choices: tuple[str, ...] = _CHOICES, language: str = "en") -> str | None:
    return read(text, lambda passage: find_letter(passage, choices, language), language).value


@pytest.mark.parametrize(
    "text",
    [
        "B",
        "b.",
        "(B)",
        "Ｂ",
        "bee",
        "Option B",
        "choice (b)",
        "B: helium",
        "helium",
        "Helium.",
        "It's helium (B).",
        "The second option.",
        "the 2nd choice",
        "Option 2",
        "option two",
        "B, because copper and granite are solid.",
        "B. Copper is a metal, and granite is a rock.",
        "helium, a noble gas; water is a liquid.",
        "Helium. It is lighter than water.",
        "A is a metal, C is a rock, so B.",
        "A: wrong. B: right. C: wrong. D: wrong.",
        "A) no\nB) yes\nC) no\nD) no",
        "Of copper, helium, granite and water, the gas is helium.",
        "I first thought A, but it is B.",
        "A? No, B.",
        "Not A but B.",
        "A is wrong. It must be B.",
        "Option A is a metal. Option C is a rock. Option D is a liquid. The gas is option B.",
        "B and not C",
        "The gas here is:\n\nB. helium\n\nThe others (A, C, D) are not gases.",
        '{"choice": "B"}',
        r"$\boxed{\text{B}}$",
        "<think>A or C?</think>B",
        "答案是B。",
        "B选项",
        "정답은B입니다",
    ],
)
def test_letter_is_read(text: str) -> None:
    assert letter(text) == "B"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Copper or helium",
        "A or B",
        "Could be B",
        "B, granite",
        "A and D are large.",
        "None of them",
        "I see.",
        "A good question.",
        "A\nB\nC\nD",
        "<think>B</think>",
        "<think>It is B",
        "Vitamin B",
    ],
)
def test_undecided_answers_have_no_letter(text: str) -> None:
    assert letter(text) is None


@pytest.mark.parametrize(
    "text", ["The answer is C, not B.", "B is wrong, it's C", "B... no, it is C", "First I thought B, but it is C."]
)
def test_the_denied_letter_is_not_taken(text: str) -> None:
    assert letter(text) == "C"


def test_flags_say_why_no_letter_was_read() -> None:
    found = read("B or C", lambda passage: find_letter(passage, _CHOICES))
    assert found.value is None and found.flags == ("hedged",)
    found = read("It is not B.", lambda passage: find_letter(passage, _CHOICES))
    assert found.value is None and found.flags == ("negated",)


def test_what_whisper_writes_for_silence_is_no_letter() -> None:
    assert letter("you", ()) is None and letter("You, as in umbrella", ()) == "U"


def test_choices_beyond_eight() -> None:
    assert letter("The answer is J.", tuple("abcdefghij")) == "J"


def test_a_passage_without_text_says_nothing() -> None:
    assert find_letter(Passage(" ", Step.TERSE), _CHOICES) is None


@pytest.mark.parametrize("pattern", ["A. {}", "A) {}", "(A) {}", "A: {}", "A - {}", "**A. {}**", "The answer is A. {}"])
def test_a_letter_before_the_text_of_another_choice_is_no_article(pattern: str) -> None:
    choices = ("banana", "peach", "an old melon")
    for choice in choices[1:]:
        assert letter(pattern.format(choice), choices) is None, choice
    assert letter(pattern.format("banana"), choices) == "A"


@pytest.mark.parametrize("text", ["A peach", "a peach", "An old melon"])
def test_an_article_before_the_text_of_a_choice_is_no_letter(text: str) -> None:
    assert letter(text, ("banana", "peach", "an old melon")) == ("B" if "peach" in text else "C")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("court", "A"),
        ("A court.", "A"),
        ("at a court", "A"),
        ("In court!", "A"),
        ("on the farm", "C"),
        ("Harbour", "D"),
    ],
)
def test_the_preposition_of_a_choice_may_be_another_or_none(text: str, wanted: str) -> None:
    assert letter(text, ("in a court", "in a bakery", "on a farm", "at a harbour")) == wanted


def test_prepositions_that_tell_choices_apart_count() -> None:
    choices = ("in the box", "on the box", "under the table")
    assert letter("on the box", choices) == "B"
    assert letter("the box", choices) is None
