"""Text of others in a terminal: nothing that a terminal obeys or hides is left, and messages have a length."""

from __future__ import annotations

import logging
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnigap.terminal import MAX_LINE, MAX_LINES, LogFormatter, one_line, readable, visible

HOSTILE = {
    "ANSI colour": "\x1b[31mred\x1b[0m",
    "title by OSC 0": "\x1b]0;title\x07",
    "link by OSC 8": "\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\",
    "clipboard by OSC 52": "\x1b]52;c;cm0gLXJm\x07",
    "C1 introducer": "\x9b2J",
    "return": "safe\rOK  ",
    "backspace": "no\b\byes",
    "delete": "a\x7f",
    "null": "a\0b",
    "override": "\u202egnp.exe",
    "isolate": "\u2066a\u2069",
    "marks": "\u200e\u200f\u061c",
    "zero width": "a\u200b\u200c\u200d\u2060\ufeffb",
    "separators": "a\u2028b\u2029c\x85d",
    "tag characters": "a\U000e0041",
    "half a pair": "a\udcff",
    "soft hyphen": "a\u00adb",
    "filler": "\u3164\uffa0\u115f",
    "variation": "a\U000e0100",
}


def harmless(text: str) -> bool:
    """Written without the product's own list: only characters with a shape, blanks, tabs and line feeds."""
    return all(
        character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp")
        for character in text
    )


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_characters_that_a_terminal_obeys_or_hides_are_shown_as_escapes(text: str) -> None:
    found = visible(text)
    assert found != text and harmless(found)
    assert "\\" in found


@given(st.text())
def test_any_text_becomes_harmless_and_stays_so(text: str) -> None:
    found = visible(text)
    assert harmless(found)
    assert visible(found) == found


@pytest.mark.parametrize(
    "text", ["plain", "한국어 답", "a\tb\nc", "Zürich – 5 €", "東京\u3000駅", "❤\ufe0f", "[red]x[/]"]
)
def test_ordinary_text_is_unchanged(text: str) -> None:
    assert visible(text) == text


def test_line_ends_of_other_systems_are_line_feeds() -> None:
    assert visible("a\r\nb") == "a\nb"


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_one_line_is_one_line_of_the_limit(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit and "\n" not in line and harmless(line)


@given(st.text(st.sampled_from("ab\n\r\x1b\u202e")))
def test_a_message_keeps_its_lines(text: str) -> None:
    found = readable(text)
    assert harmless(found)
    assert found.count("\n") == text.count("\n")


def test_a_message_is_cut_to_a_readable_length() -> None:
    assert len(readable("x" * 10_000_000)) == MAX_LINE
    assert len(readable("\x1b" * 10_000_000)) == MAX_LINE
    assert readable("x\n" * 10_000).count("\n") == MAX_LINES


def test_a_log_message_can_not_fake_a_record() -> None:
    formatter = LogFormatter("%(levelname)s %(message)s")
    record = logging.LogRecord("x", logging.INFO, "", 1, "question %s", ("a\nERROR stolen\x1b[2J",), None)
    lines = formatter.format(record).split("\n")
    assert [line.startswith("    ") for line in lines] == [False, True]
    assert harmless("".join(lines))
