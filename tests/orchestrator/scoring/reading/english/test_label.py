"""Labels that an answer gives."""

from __future__ import annotations

import pytest

from omnigap_orchestrator.scoring.reading import read
from omnigap_orchestrator.scoring.reading.english.label import find_label

_MOODS = ("calm", "nervous", "bored")


def label(text: str, labels: tuple[str, ...] = ("yes", "no")) -> str | None:
    return read(text, lambda passage: find_label(passage, labels, labels[:1])).value


@pytest.mark.parametrize(
    "text",
    [
        "Yes.",
        "yeah",
        "Yep!",
        "Correct.",
        "That's right.",
        "Indeed.",
        "Of course.",
        "Certainly, it is.",
        "It is.",
        "I think so.",
        "Yes, there is no doubt.",
        "Yes, and no one disagrees.",
        "Yes — no other planet has life.",
        "No doubt about it.",
        "It shines by itself, so yes.",
        "The claim is true.",
        "The answer is yes, although some say no.",
        "No... wait, yes.",
        "**Yes**\n\nThere is no reason to think otherwise.",
        '{"answer": true}',
        "Some people say no. But the answer is yes.",
    ],
)
def test_yes_in_its_spellings(text: str) -> None:
    assert label(text) == "yes"


@pytest.mark.parametrize(
    "text",
    [
        "No.",
        "nope",
        "False.",
        "Incorrect.",
        "Not really.",
        "Of course not.",
        "It is not.",
        "It isn't.",
        "I don't think so.",
        "That's not true.",
        "No. Yes would be wrong.",
        "No, it is the other way round.",
        "There is no evidence, so no.",
        "This statement is false.",
        "Yes... no, wait, no.",
        r"\boxed{\text{no}}",
    ],
)
def test_no_in_its_spellings(text: str) -> None:
    assert label(text) == "no"


@pytest.mark.parametrize(
    "text", ["Yes and no.", "Yes or no?", "It depends.", "Maybe.", "", "The sun is hot.", "no, yes"]
)
def test_open_answers_have_no_label(text: str) -> None:
    assert label(text) is None


def test_labels_of_a_set_are_read_by_assertion() -> None:
    assert label("The speaker is calm; there is no sign that she is nervous or bored.", _MOODS) == "calm"
    assert label("She sounds bored rather than nervous.", _MOODS) == "bored"
    assert label("calm or bored", _MOODS) is None
    assert label("nervous", _MOODS) == "nervous"


def test_true_and_false_use_the_words_of_yes_and_no() -> None:
    assert label("Yes, that is so.", ("true", "false")) == "true"
    assert label("It's false, not true.", ("true", "false")) == "false"
