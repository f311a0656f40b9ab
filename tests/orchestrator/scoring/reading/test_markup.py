"""Markup becomes plain text, and marks of an answer are found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnigap_orchestrator.scoring.reading import marked_answers, plain_text


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("**Bern**", "Bern"),
        ("***Bern***", "Bern"),
        ("__Bern__ and _Rome_", "Bern and Rome"),
        ("`Bern`", "Bern"),
        ("### Bern", "Bern"),
        ("> Bern", "Bern"),
        ("- Bern\n- Rome", "Bern\nRome"),
        ("[Bern](https://example.org)", "Bern"),
        ("```\nBern\n```", "Bern"),
        ("Bern<br>Rome", "Bern\nRome"),
        (r"\frac{1}{2}", "1/2"),
        (r"\dfrac12", "1/2"),
        (r"$4\frac{1}{2}$", "4 1/2"),
        (r"$\text{Bern}$", "Bern"),
        (r"\(10^{2}\)", "10^2"),
        ("10<sup>2</sup>", "10^2"),
        (r"3{,}500", "3,500"),
        (r"50\%", "50%"),
        ("$12$", "12"),
        ("3*4=12", "3×4=12"),
        ("AT&amp;T", "AT&T"),
    ],
)
def test_markup_is_removed(text: str, plain: str) -> None:
    assert plain_text(text) == plain


@pytest.mark.parametrize(
    "text",
    ["snake_case_name", "$5 and $6", "3 * 4 * 5", "AT&T", "a < b", "- 3", "5 - 3", "it's 5* rated", "A_1 and B_1"],
)
def test_text_that_only_looks_like_markup_is_unchanged(text: str) -> None:
    assert plain_text(text) == text


@given(st.text(alphabet=st.sampled_from("ab1 *_`#~\\${}<>[]()\n^,.-"), max_size=30))
def test_no_letter_or_digit_is_lost_or_changes_its_place(text: str) -> None:
    # Without names of LaTeX commands and HTML tags, only signs may go.
    given_text = text.replace("\\", "").replace("<", "").replace("[", "")
    assert [c for c in plain_text(given_text) if c.isalnum()] == [c for c in given_text if c.isalnum()]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (r"so \boxed{12}", ["12"]),
        (r"\boxed{\frac{1}{2}}", [r"\frac{1}{2}"]),
        (r"\boxed{A} no, \boxed{B}", ["A", "B"]),
        ("5 + 7 = 12\n#### 12", ["12"]),
        ("#### 1. Introduction\nSome text", []),
        ('{"answer": "B"}', ["B"]),
        ("{'answer': 'B'}", ["B"]),
        ('```json\n{"reason": "big", "final_answer": 12}\n```', ["12"]),
        ('{"answer": true}', ["yes"]),
        ('{"a": 1, "b": 2}', []),
        ("<answer>Bern</answer>", ["Bern"]),
        ("the set {1, 2}", []),
    ],
)
def test_marked_answers(text: str, found: list[str]) -> None:
    assert marked_answers(text) == found
