"""Thinking that a server leaves in the content is no answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnigap_orchestrator.scoring.reading import remove_thinking

_MARKS = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<THINK>", "</THINK>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<unused94>", "<unused95>"),
]
_PLAIN = st.text(alphabet=st.sampled_from("abc XYZ.,\n0123'é한"), max_size=40)


@given(_PLAIN, _PLAIN, st.sampled_from(_MARKS))
def test_what_is_between_marks_is_removed(thought: str, answer: str, marks: tuple[str, str]) -> None:
    opening, closing = marks
    assert remove_thinking(f"{opening}{thought}{closing}{answer}") == answer.strip()


@given(_PLAIN, _PLAIN, st.sampled_from(_MARKS))
def test_an_orphan_closing_mark_ends_thinking(thought: str, answer: str, marks: tuple[str, str]) -> None:
    assert remove_thinking(f"{thought}{marks[1]}{answer}") == answer.strip()


@given(_PLAIN, st.sampled_from(_MARKS))
def test_thinking_that_is_never_closed_holds_no_answer(thought: str, marks: tuple[str, str]) -> None:
    assert remove_thinking(f"{marks[0]}{thought}") == ""


_PIECES = ["<think>", "</think>", "[THINK]", "[/THINK]", "<|channel|>final<|message|>", "<|end|>", "analysis", "a", " "]


@given(st.lists(st.sampled_from(_PIECES), max_size=8).map("".join))
def test_removal_is_idempotent(text: str) -> None:
    once = remove_thinking(text)
    assert remove_thinking(once) == once


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (
            "<|channel|>analysis<|message|>Oslo?<|end|><|start|>assistant<|channel|>final<|message|>Bern.<|return|>",
            "Bern.",
        ),
        ("<|channel|>analysis<|message|>Maybe Oslo.<|end|>", ""),
        ("<|channel|>final<|message|>Bern", "Bern"),
        ("<|channel>thought\nMaybe Oslo.<channel|>Bern", "Bern"),
        ("analysisMaybe Oslo, or Bern.assistantfinalBern", "Bern"),
        ("<think><think>Oslo</think>Bern", "Bern"),
        ("<think>Oslo</think>no<think>Rome</think>Bern", "noBern"),
        ("Bern<|im_end|>", "Bern"),
        ("Bern.</s>", "Bern."),
    ],
)
def test_channels_nested_marks_and_end_tokens(text: str, answer: str) -> None:
    assert remove_thinking(text) == answer


@pytest.mark.parametrize(
    "text", ["Bern", "a < b and b > a", "[1] Bern", "analysis of data is hard", "2 <3", "I think Bern"]
)
def test_text_without_marks_is_unchanged(text: str) -> None:
    assert remove_thinking(text) == text
