"""The score of an answer does not depend on what surrounds it, nor on where it stands."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnigap.vocabulary import AnswerType
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.scoring import score

_CHOICES = ("copper", "helium", "granite", "water")
_ITEMS = {
    "letter": Item("1", "t", "en", "Which of these is a gas?", ("B",), AnswerType.LETTER, _CHOICES),
    "entity": Item("2", "t", "en", "Which city is the capital of Switzerland?", ("Bern",), AnswerType.ENTITY),
    "label": Item("3", "t", "en", "Is helium a gas?", ("yes",), AnswerType.LABEL, ("yes", "no")),
    "number": Item(
        "4", "t", "en", "Ann has 9 coins, finds 12 and spends 4. How many has she now?", ("17",), AnswerType.NUMBER
    ),
    "date": Item("5", "t", "en", "When did the bridge open?", ("3 May 1931",), AnswerType.DATE),
}
_RIGHT = {
    "letter": ["B", "B.", "(B)", "B. helium", "helium"],
    "entity": ["Bern", "Bern."],
    "label": ["Yes", "yes.", "Correct."],
    "number": ["17", "17.", "seventeen", "17 coins"],
    "date": ["3 May 1931", "May 3, 1931", "1931-05-03"],
}
_WRONG = {
    "letter": ["C", "C. granite", "granite"],
    "entity": ["Rome", "Rome."],
    "label": ["No", "no.", "False."],
    "number": ["16", "21 coins"],
    "date": ["4 May 1931", "May 3, 1913"],
}
# Sentences around the answer: they name no city, say neither yes nor no, and name the other choices.
_REASONING = {
    "letter": [
        "Copper is a metal.",
        "Option A conducts heat.",
        "Water (D) is a liquid at room temperature.",
        "Granite is harder than water.",
        "We look at each option in turn.",
    ],
    "entity": [
        "The country has four languages.",
        "Its parliament meets in a large building.",
        "Geneva and Zurich are larger.",
        "Many people think of Zurich.",
        "The question asks for a city.",
    ],
    "label": [
        "The element has two protons.",
        "It boils near absolute zero.",
        "Balloons are filled with it.",
        "No other element boils at a lower temperature.",
    ],
    "number": ["First she has 9 coins.", "9 + 12 = 21.", "Then she spends 4 of them.", "We add before we subtract."],
    "date": ["It was planned in 1924.", "Work began on 2 June 1926.", "It is 300 metres long.", "It closed in 1968."],
}
_WRAPPINGS: dict[str, Callable[[str, str], str]] = {
    "thinking": lambda answer, words: f"<think>{words} So maybe A. No. Perhaps Rome.</think>\n\n{answer}",
    "orphan thinking": lambda answer, words: f"{words} Rome? C?</think>{answer}",
    "channels": lambda answer, words: (
        f"<|channel|>analysis<|message|>{words}<|end|><|start|>assistant<|channel|>final<|message|>{answer}"
    ),
    "final statement": lambda answer, words: f"{words} So the final answer is {answer}",
    "upper case marker": lambda answer, words: f"{words}\n\nANSWER: {answer}",
    "heading": lambda answer, words: f"{words}\n\n### Answer\n{answer}",
    "last line": lambda answer, words: f"{words}\n\n{answer}",
    "bold last line": lambda answer, words: f"{words}\n\n**{answer}**",
    "first line": lambda answer, words: f"{answer}\n\nExplanation: {words}",
    "bold first line": lambda answer, words: f"**{answer}**\n\n{words}",
    "boxed": lambda answer, words: f"{words}\n\n$$\\boxed{{\\text{{{answer}}}}}$$",
    "hashes": lambda answer, words: f"{words}\n#### {answer}",
    "json": lambda answer, words: f'{{"reason": "{words}", "answer": "{answer}"}}',
    "answer tag": lambda answer, words: f"{words}\n<answer>{answer}</answer>",
    "code fence": lambda answer, words: f"```\n{answer}\n```",
    "bullet": lambda answer, words: f"- {answer}",
    "behind 500 words": lambda answer, words: f"{' '.join([words] * (500 // len(words.split()) + 1))}\n\n{answer}",
}


@pytest.mark.parametrize("kind", _ITEMS)
@pytest.mark.parametrize("wrapping", _WRAPPINGS)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_wrapping_leaves_the_score(kind: str, wrapping: str, data: st.DataObject) -> None:
    words = " ".join(data.draw(st.lists(st.sampled_from(_REASONING[kind]), min_size=1, max_size=4)))
    for answers, expected in ((_RIGHT, 1.0), (_WRONG, 0.0)):
        answer = data.draw(st.sampled_from(answers[kind]))
        text = _WRAPPINGS[wrapping](answer, words)
        assert score(_ITEMS[kind], text).score == expected, text


@given(st.text(max_size=60), st.sampled_from(sorted(_ITEMS)))
@settings(max_examples=150, deadline=None)
def test_any_text_is_scored(text: str, kind: str) -> None:
    found = score(_ITEMS[kind], text)
    assert 0 <= found.score <= 1


def test_a_list_of_the_options_before_the_answer() -> None:
    listed = "\n".join(f"{letter}) {choice}" for letter, choice in zip("ABCD", _CHOICES, strict=True))
    for answer in _RIGHT["letter"]:
        assert score(_ITEMS["letter"], f"{listed}\n\n{answer}").score == 1
    assert score(_ITEMS["letter"], listed).score == 0


def test_lines_that_contradict_each_other_are_unparsable() -> None:
    found = score(_ITEMS["letter"], "B\n\nLet me check this again.\n\nC")
    assert found.score == 0 and "unparsable" in found.flags


def test_the_step_says_how_an_answer_was_read() -> None:
    item = _ITEMS["letter"]
    assert [
        score(item, text).step for text in ("B", "So the answer is B.", "B\n\nLong text.", "Text.\n\nB", "none")
    ] == [
        "terse",
        "final_statement",
        "first_line",
        "last_line",
        "unparsable",
    ]
