"""Markdown is removed from spoken text; signs with a meaning stay."""

from __future__ import annotations

import pytest

from omnigap_services.cascade.tts import plain_text


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("**Paris**", "Paris"),
        ("The capital is ***Paris***, *not* __Lyon__.", "The capital is Paris, not Lyon."),
        ("**The _Nile_ flows there.**", "The Nile flows there."),
        ("It is `Paris`.", "It is Paris."),
        ("~~Lyon~~ Paris", "Lyon Paris"),
        ("## Answer\n\n- Paris\n* Rome\n+ Bonn", "Answer\n\nParis\nRome\nBonn"),
        ("> Paris", "Paris"),
        ("```text\nParis\n```", "Paris\n"),
        ('[Paris](https://example.org/a_(b) "the city")', "Paris"),
        ("Paris\n\n---\nRome", "Paris\n\nRome"),
        ("- [x] Paris", "Paris"),
        ("It is Paris! \U0001f60a\u2728", "It is Paris!"),
        ("\u2705 Paris, \U0001f468\u200d\U0001f373 \u2764\ufe0f", "Paris,"),
        ("| City | River |\n|---|:---:|\n| Paris | Seine |", "City, River\nParis, Seine"),
    ],
)
def test_markdown_is_removed(written: str, spoken: str) -> None:
    assert plain_text(written) == spoken


@pytest.mark.parametrize(
    "text",
    [
        "Paris",
        "2 * 3 * 4 = 24",
        "2*3*4",
        "snake_case_name and __init__py",
        "-5 degrees, 7 - 2, $5",
        "1. Paris\n2. Rome",
        "C# and #1",
        "5 > 3",
        "A [B] (C)",
        "F\u266f and B\u266d, 21 \u00b0C, |x| = 2",
    ],
)
def test_other_text_is_unchanged(text: str) -> None:
    assert plain_text(text) == text


@pytest.mark.parametrize("text", ["*", "**", "", "****", "`", "[", "_" * 50])
def test_marks_without_text_do_not_fail(text: str) -> None:
    assert isinstance(plain_text(text), str)
