"""A written answer as one would say it: without the marks of Markdown, which a voice would read out ("asterisk"), and
without pictures, for which a voice of letters alone would refuse the whole answer.
"""

from __future__ import annotations

import re

# What is inside a pair of marks stays: a piece of a line, not too long to seek its end from every mark. A mark between
# letters or digits, or beside a space, is none ("2 * 3", "a_b").
_INSIDE = r"(?=\S)(.{1,400}?)(?<=\S)"
_PAIRS = (
    re.compile(rf"(?<![\w*])(\*{{1,3}}|_{{1,3}}){_INSIDE}\1(?![\w*])"),
    re.compile(rf"(~~){_INSIDE}~~"),
    re.compile(r"(`{1,3})(?!`)(.{1,400}?)(?<!`)\1(?!`)"),
)
_FENCE = re.compile(r"^[ \t]*(```|~~~).*$\n?", re.M)
_LINK = re.compile(r"!?\[([^\]\[]*)\]\((?:[^()\s]|\([^()]*\))*(?:\s+\"[^\"]*\")?\)")
_LINE_START = re.compile(r"^[ \t]*(?:#{1,6}[ \t]+|>[ \t]?|[-*+][ \t]+(?:\[[ xX]\][ \t]+)?)", re.M)
_RULE = re.compile(r"^[ \t]*(?:-{3,}|\*{3,}|_{3,})[ \t]*$\n?", re.M)
_TABLE_RULE = re.compile(r"^[ \t]*\|?[ \t]*:?-{2,}:?[ \t]*(?:\|[ \t]*:?-{2,}:?[ \t]*)+\|?[ \t]*$\n?", re.M)
_TABLE_ROW = re.compile(r"^[ \t]*\|(.+)\|[ \t]*$", re.M)
# Emoji, dingbats and stars with their modifiers; the sharps and flats of music are read.
_PICTURE = "[\U0001f000-\U0001faff\u2600-\u266c\u2670-\u27bf\u2b00-\u2bff\ufe0f\u200d]+"
_PICTURES = re.compile(rf"^[ \t]*{_PICTURE}[ \t]*|[ \t]*{_PICTURE}", re.M)


def plain(text: str) -> str:
    """The words of a text; one without marks and pictures comes back as it is."""
    for pattern in (_PICTURES, _FENCE, _RULE, _TABLE_RULE):
        text = pattern.sub("", text)
    text = _LINE_START.sub("", _LINK.sub(r"\1", text))
    text = _TABLE_ROW.sub(lambda row: ", ".join(cell.strip() for cell in row[1].split("|") if cell.strip()), text)
    for pattern in _PAIRS:
        text = _unwrapped(pattern, text)
    return text


def _unwrapped(pattern: re.Pattern[str], text: str) -> str:
    """The text without pairs of marks, those within others too."""
    while True:
        found = pattern.sub(r"\2", text)
        if found == text:
            return text
        text = found
