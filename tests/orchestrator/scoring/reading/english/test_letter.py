"""Letters that an answer selects."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnigap_orchestrator.scoring.reading import Passage, Step, read
from omnigap_orchestrator.scoring.reading.english import letter as letters
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


@pytest.mark.parametrize(
    ("choices", "text", "wanted"),
    [
        (("near the South Pole", "near the North Pole"), "Penguins live near the South Pole.", "A"),
        (("near the South Pole", "near the North Pole"), "The South Pole", None),
        (("under 10", "exactly 10"), "It is 10.", None),
        (("under 18", "18 or older"), "18", None),
        (("with light", "without light"), "Light", None),
        (("by 10", "after 5"), "10", None),
        (("in 1990", "in 1985"), "1990", "A"),
        (("in New York", "York"), "New York", "B"),
        (("to Rome", "from Bern"), "from Rome", None),
        (("to Rome", "from Bern"), "Rome", "A"),
        (("in a court", "in a bakery"), "I am a court.", None),
        (("in a court", "in a bakery"), "Bakery, court", None),
        (("a plumber", "a tailor"), "at plumber.", "A"),
        (("Washington", "Lincoln"), "to Washington", "A"),
    ],
)
def test_a_choice_without_its_preposition(choices: tuple[str, ...], text: str, wanted: str | None) -> None:
    assert letter(text, choices) == wanted


@pytest.mark.parametrize("text", ["It is in Bern.", "in Bern"])
def test_a_place_that_is_a_choice_answers_who(text: str) -> None:
    assert find_letter(Passage(text, Step.TERSE), ("in Rome", "in Bern"), question="who was born where").value == "B"  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["At Washington.", "in Washington"])
def test_a_place_of_the_same_name_does_not_answer_who(text: str) -> None:
    assert find_letter(Passage(text, Step.TERSE), ("Washington", "Lincoln"), question="who was it") is None


_WORDS = (
    "",
    "in",
    "on",
    "at",
    "by",
    "to",
    "from",
    "with",
    "into",
    "near",
    "under",
    "over",
    "without",
    "before",
    "exactly",
)
_CORES = ("the box", "Rome", "10", "a red house", "light")


@st.composite
def _told_apart(draw: st.DrawFn) -> tuple[str, tuple[str, ...]]:
    """A core, and choices of which two or more differ only by what precedes it."""
    core, other = draw(st.permutations(_CORES))[:2]
    words = draw(st.lists(st.sampled_from(_WORDS[1:]), min_size=2, max_size=4, unique=True))
    choices = [*(f"{word} {core}" for word in words), f"{draw(st.sampled_from(_WORDS))} {other}".strip()]
    return core, tuple(draw(st.permutations(choices)))


@settings(deadline=None)
@given(_told_apart(), st.sampled_from(["{}", "{}.", "The answer is {}.", "It is {}.", "Answer: {}", "Hm.\n{}"]))
def test_prepositions_that_tell_choices_apart_are_needed(told: tuple[str, tuple[str, ...]], pattern: str) -> None:
    core, choices = told
    assert letter(pattern.format(core), choices) is None


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(_WORDS), st.sampled_from(_CORES)), min_size=2, max_size=5, unique=True),
    st.integers(0, 4),
    st.sampled_from(
        ["{}", "It is {}.", "Penguins live {}.", "{}, since they swim.", "A. {}", "B) {}", "Not {}.", "{} or C"]
    ),
    st.sampled_from(["", "who lives where"]),
)
def test_answers_with_a_whole_choice_are_read_by_whole_choices(
    parts: list[tuple[str, str]], place: int, pattern: str, question: str
) -> None:
    choices = tuple(f"{word} {core}".strip() for word, core in parts)
    passage = Passage(pattern.format(choices[place % len(choices)]), Step.TERSE)
    found = find_letter(passage, choices, question=question)
    with patch.object(letters, "_by_core", return_value=None):
        assert find_letter(passage, choices, question=question) == found
