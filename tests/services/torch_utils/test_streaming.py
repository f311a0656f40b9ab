"""Thinking is split off a streamed answer, and it ends at a mark, for every split of its text into pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnigap_services.torch_utils.streaming import StopSplitter, ThinkingSplitter

PIECES = st.lists(st.sampled_from(["<", "<th", "ink>", "</", "think>", "<think>", "</think>", "a", " ", "\n"]))


def split(pieces: list[str], inside: bool = False) -> tuple[str, str]:
    splitter = ThinkingSplitter("<think>", "</think>", inside)
    found = [*(splitter.feed(piece) for piece in pieces), splitter.finish()]
    return "".join(part.answer for part in found), "".join(part.thinking for part in found)


@pytest.mark.parametrize(
    ("pieces", "inside", "answer", "thinking"),
    [
        (["<thi", "nk>Let me see", ".</th", "ink>\n\nPar", "is"], False, "Paris", "Let me see."),
        (["Let me see.</think>\nParis"], True, "Paris", "Let me see."),
        (["Let me see"], True, "", "Let me see"),
        (["Paris", " < London"], False, "Paris < London", ""),
        (["Paris <thin"], False, "Paris <thin", ""),
        (["<think></think>Paris"], False, "Paris", ""),
    ],
    ids=["in pieces", "opened by the prompt", "never closed", "another sign", "half a mark", "empty"],
)
def test_thinking_is_split_off_for_every_split_into_pieces(
    pieces: list[str], inside: bool, answer: str, thinking: str
) -> None:
    assert split(pieces, inside) == (answer, thinking)


@given(PIECES, st.booleans())
def test_the_split_does_not_depend_on_the_pieces(pieces: list[str], inside: bool) -> None:
    assert split(pieces, inside) == split(["".join(pieces)], inside)
    assert split(list("".join(pieces)), inside) == split(pieces, inside)


def test_without_marks_everything_is_answer() -> None:
    splitter = ThinkingSplitter("", "")
    assert splitter.feed("<think>a</think>").answer == "<think>a</think>"


ENDINGS = st.lists(st.sampled_from(["#", "##", "###", "a", " ", "\n", "# "]))


def until_mark(pieces: list[str]) -> tuple[str, bool]:
    splitter = StopSplitter("###")
    found = [*(splitter.feed(piece) for piece in pieces), splitter.finish()]
    return "".join(part.answer for part in found), splitter.ended


@given(ENDINGS)
def test_an_answer_ends_at_the_mark_for_every_split_into_pieces(pieces: list[str]) -> None:
    text = "".join(pieces)
    before, mark, _ = text.partition("###")
    # White space in front of the mark, which ends the previous line, is not part of the answer.
    assert until_mark(pieces) == until_mark(list(text)) == (before.strip(), bool(mark))


def test_text_is_sent_before_the_answer_ends() -> None:
    splitter = StopSplitter("###")
    assert [splitter.feed(piece).answer for piece in (" It", " is", " #", "1", "\n##", "# no")] == [
        *("It", " is"),
        *("", " #1", "", ""),
    ]
    assert splitter.ended
