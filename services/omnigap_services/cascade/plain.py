"""A written answer as one would say it: without the marks of Markdown, which a voice would read out ("asterisk")."""

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


def plain(text: str) -> str:
    """The words of a text; one without marks comes back as it is."""
    for pattern, kept in ((_FENCE, ""), (_RULE, ""), (_LINK, r"\1"), (_LINE_START, "")):
        text = pattern.sub(kept, text)
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
