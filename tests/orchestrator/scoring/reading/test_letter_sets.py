"""Questions with several right letters: all of them, and no other, must be chosen."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnigap.vocabulary import AnswerType, Flag
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.scoring import score

ITEM = Item("i", "t", "en", "?", ("A", "C"), AnswerType.LETTER, ("Lyon", "Bern", "Nice", "Rome"), metric="letters")


@pytest.mark.parametrize(
    "text",
    [
        "A, C",
        "C, A",
        "A and C",
        "AC",
        "a, c",
        "both A and C",
        "(A) and (C)",
        "**A** and **C**",
        "The answers are A and C.",
        "A. Lyon\nC. Nice",
        "- A\n- C",
        "I think A and C are right, B is wrong.",
        "정답은 A와 C입니다",
        "答案是AC",
        "A、C",
    ],
)
def test_the_whole_set_is_right(text: str) -> None:
    assert score(ITEM, text, "letters").score == 1


@pytest.mark.parametrize("text", ["A", "A, B", "A, B, C", "ABCD", "A, but not C", "B and D"])
def test_a_part_or_more_is_wrong(text: str) -> None:
    scored = score(ITEM, text, "letters")
    assert scored.score == 0 and scored.parsed is not None


def test_several_right_letters_are_a_set_unless_the_item_asks_for_one_of_them() -> None:
    item = replace(ITEM, metric=None)
    assert (score(item, "A, C").score, score(item, "A").score) == (1, 0)
    assert (score(item, "C", "letter").score, score(item, "B", "letter").score) == (1, 0)


def test_alternatives_are_no_answer() -> None:
    scored = score(ITEM, "A or C", "letters")
    assert (scored.score, scored.parsed) == (0, None) and Flag.HEDGED in scored.flags


def test_no_letter_is_unparsable() -> None:
    assert Flag.UNPARSABLE in score(ITEM, "I like cities.", "letters").flags


SETS = [subset for size in (1, 2, 3) for subset in combinations("ABCD", size)]
FORMS = st.sampled_from(["{}", "({})", "**{}**"])
JOINTS = st.sampled_from([", ", " and ", "; ", " & ", "\n"])


@settings(max_examples=100, deadline=None)
@given(letters=st.sampled_from(SETS), form=FORMS, joint=JOINTS, data=st.data())
def test_a_set_is_read_in_every_notation(letters: tuple[str, ...], form: str, joint: str, data: st.DataObject) -> None:
    order = data.draw(st.permutations(letters))
    text = joint.join(form.format(letter) for letter in order)
    assert score(ITEM, text, "letters").parsed == " ".join(letters)
