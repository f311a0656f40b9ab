"""The selected letter is parsed from answers and transcripts, and is never guessed."""

import pytest

from omnigap_orchestrator.scoring import find_choice

CHOICES = ("Mars", "Jupiter", "the heart", "Venus")

READ = {
    "A": [
        "A",
        "a",
        "a.",
        "(a)",
        "eh",
        "ay",
        "I think A",
        "A is the answer",
        "A: Mars",
        "A Mars",
        "A. Because B is wrong",
    ],
    "B": [
        "B",
        "b.",
        "bee",
        "be",
        "Bee.",
        "B!",
        "option B",
        "Option B.",
        "letter b",
        "(B)",
        "**B**",
        "\\boxed{B}",
        "B)",
        "the answer is (B)",
        "The answer is B.",
        "The correct answer is: B. Jupiter",
        "The answer is bee.",
        "Answer: B",
        "My final answer is option b",
        "So the answer would be B, Jupiter.",
        "B, Jupiter",
        "B. Jupiter",
        "B) Jupiter",
        "(B) Jupiter",
        "B - Jupiter",
        "b jupiter",
        "bee, jupiter",
        "I choose B",
        "Well, B.",
        "It's B",
        "B is correct.",
        "I believe B is the right one",
        "B. Not A.",
        "The answer is B because A is wrong",
        "The answer is B, not A",
        "Jupiter",
        "jupiter.",
        "It is Jupiter.",
        "Jupiter, not Mars",
    ],
    "C": [
        "C",
        "see",
        "sea",
        "cee",
        "C: the heart",
        "the heart",
        "a heart",
        "heart",
        "I think it's the heart",
        "option see",
    ],
    "D": ["D", "dee", "D.", "I'd say D", "D, Venus"],
}


@pytest.mark.parametrize(("letter", "text"), [(letter, text) for letter, texts in READ.items() for text in texts])
def test_selected_letter(letter: str, text: str) -> None:
    assert find_choice(text, CHOICES).letter == letter


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "E",
        "the",
        "eight",
        "A or B",
        "A, B",
        "b and c",
        "Mars or Jupiter",
        "B, Mars",
        "The answer is B, Mars",
        "none of them",
        "all of them",
        "You see, I can't tell",
        "it must be said",
        "a planet",
        "I don't know",
        "Saturn",
        "The answer is A. The answer is B.",
    ],
)
def test_no_letter_or_several_are_unparsable(text: str) -> None:
    assert find_choice(text, CHOICES).letter is None


def test_choice_inside_a_longer_choice_does_not_count() -> None:
    choices = ("York", "New York", "New York City", "Boston")
    assert find_choice("New York City", choices).letter == "C"
    assert find_choice("It is New York", choices).letter == "B"


def test_choice_text_that_contains_a_letter() -> None:
    choices = ("vitamin C", "vitamin D", "vitamin A", "vitamin B")
    assert find_choice("vitamin D", choices).letter == "B"
    assert find_choice("Vitamin D.", choices).letter == "B"
    assert find_choice("vitamin A", choices).letter == "C"


def test_number_choices_match_in_every_form() -> None:
    choices = ("nine", "12", "fifteen", "7")
    assert find_choice("twelve", choices).letter == "B"
    assert find_choice("15", choices).letter == "C"


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("E", "E"),
        ("e.", "E"),
        ("ee", "E"),
        ("The letter E.", "E"),
        ("It begins with E.", "E"),
        ("It starts with the letter k", "K"),
        ("kay", "K"),
        ("E, as in elephant.", "E"),
        ("Elephant begins with E", "E"),
        ("I", "I"),
        ("you", "U"),
        ("tea", "T"),
        ("elephant", None),
        ("I think so", None),
    ],
)
def test_without_choices_any_letter_is_allowed(text: str, letter: str | None) -> None:
    assert find_choice(text).letter == letter


def test_parsing_is_deterministic() -> None:
    assert {find_choice("Mars or Jupiter or B or D", CHOICES).letter for _ in range(50)} == {None}
