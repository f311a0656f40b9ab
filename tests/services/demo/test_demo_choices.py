"""Choices are found in typed, spoken and transcribed questions; the choice that a fact supports is picked."""

from __future__ import annotations

import pytest

from omnigap_services.demo.choices import find_choices, pick, similarity
from omnigap_services.demo.retrieval import Fact, Retriever

TYPED = "Which of these is a mammal?\nA. shark\nB. dolphin\nC. lizard\nD. eagle"
SPOKEN = "Which of these is a mammal? A: shark. B: dolphin. C: lizard. D: eagle."
TRANSCRIBED = "which of these is a mammal a shark bee dolphin see lizard d eagle"
WRAPPED = "Which of these is a\nmammal?\nA. shark\nB. dolphin, which some people call\na porpoise\nC.lizard\nD: eagle"


@pytest.mark.parametrize("text", [TYPED, SPOKEN, TRANSCRIBED])
def test_the_same_choices_are_found_in_every_form(text: str) -> None:
    found = find_choices(text)
    assert found is not None
    assert found.question.lower().rstrip("?") == "which of these is a mammal"
    assert found.choices == ("shark", "dolphin", "lizard", "eagle")


def test_a_choice_may_wrap_to_the_next_line() -> None:
    found = find_choices(WRAPPED)
    assert found is not None
    assert found.question == "Which of these is a mammal?"
    assert found.choices == ("shark", "dolphin, which some people call a porpoise", "lizard", "eagle")


def test_articles_are_not_taken_for_the_letter_a() -> None:
    found = find_choices("who repairs a pipe a a plumber b a tailor c a dentist d a florist")
    assert found is not None
    assert [choice.split()[-1] for choice in found.choices] == ["plumber", "tailor", "dentist", "florist"]


@pytest.mark.parametrize(
    "text",
    [
        "What is the capital of France?",
        "What do you see on a clear night in the sky?",
        "Does a bee or a spider make honey?",
        "Who wrote Plan B?",
    ],
)
def test_a_question_without_choices_has_none(text: str) -> None:
    assert find_choices(text) is None


def test_the_supported_choice_is_picked_at_every_position() -> None:
    retriever = Retriever(
        [Fact("The dolphin nurses its calf, so it is a mammal.", "dolphin"), Fact("Sharks bite.", "shark")]
    )
    choices = ["shark", "dolphin", "lizard", "eagle"]
    for shift in range(4):
        rotated = choices[shift:] + choices[:shift]
        lines = "\n".join(f"{letter}. {choice}" for letter, choice in zip("ABCD", rotated, strict=True))
        found = find_choices(f"Which of these is a mammal?\n{lines}")
        assert found is not None
        assert pick(found, retriever).letter == "ABCD"[rotated.index("dolphin")]


def test_an_answer_and_a_choice_are_alike_without_articles() -> None:
    assert similarity("the Netherlands", "Netherlands") == 1.0
    assert similarity("a plumber", "plumer") > 0.8
    assert similarity("silk", "wool") < 0.5
