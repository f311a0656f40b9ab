"""Thinking is split off a streamed answer, for every split of its text into pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnigap_services.torch_utils.streaming import ThinkingSplitter

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
