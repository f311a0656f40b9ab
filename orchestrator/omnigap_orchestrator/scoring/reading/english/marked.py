"""Splits an answer into lines, sentences and clauses, and marks the clause boundaries of a normalised text.

    "Paris? No, Lyon."  ->  "paris ? no , lyon ."

Patterns for negation and hedges need both: words in one spelling, and the punctuation that bounds what they govern.
"""

from __future__ import annotations

import re
from functools import lru_cache

from omnigap_orchestrator.scoring.normalise import normalise
from omnigap_orchestrator.scoring.normalise.numbers import listed
from omnigap_orchestrator.scoring.reading.found import first_and_last

_ABBREVIATIONS = frozenset(
    listed(
        "st mt ft dr mr mrs ms prof jr sr vs gen col sgt capt rev hon inc ltd co corp dept est approx fig vol",
        "ed e.g i.e a.m p.m u.s u.k d.c ph.d etc nr bzw z.b ca",
    )
)
_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+|\n+|(?<=[。！？])")
_LAST_WORD = re.compile(r"([\w.]+)\.[\"'”’)\]]*$")


def lines(text: str) -> list[str]:
    """The lines of a text that are not blank, stripped."""
    return [line for part in text.splitlines() if (line := part.strip())]


@lru_cache(maxsize=1 << 12)
def sentences(text: str) -> tuple[str, ...]:
    """The sentences of a text; a line break also ends one. "St. Petersburg" and "J. K. Rowling" are not split."""
    found: list[str] = []
    start = 0
    for match in _END.finditer(text):
        part = text[start : match.start()]
        if match[0].strip("\"'”’)]") and "\n" not in match[0] and _is_abbreviation(part, text[match.end() :]):
            continue
        if part.strip():
            found.append(part.strip())
        start = match.end()
    if rest := text[start:].strip():
        found.append(rest)
    return tuple(found)


def _is_abbreviation(part: str, rest: str) -> bool:
    last = _LAST_WORD.search(part)
    if last is None:
        return False
    word = last[1].lower()
    if word in _ABBREVIATIONS or (word == "no" and rest[:1].isdigit()):
        return True
    if re.fullmatch(r"(?:\w\.)+\w", last[1]) and rest[:1].isupper():
        return True
    # An initial: one capital after the start of the sentence or another initial, before a capitalised word.
    is_initial = len(last[1]) == 1 and last[1].isalpha() and last[1].isupper()
    before = part[: last.start()].rstrip()
    return is_initial and rest[:1].isupper() and bool(before) and (before[-1].isalpha() or before.endswith("."))


# Punctuation that bounds a clause: not the comma of 1,000, the point of 3.14, or the hyphen of a word.
_BOUNDARY = re.compile(
    r"(?P<mark>\.\.\.|…|[;!?。！？；，、]|[.,:](?=\s|$|[\"'”’)\]])|[(){}\[\]\"“”]|(?<=\s)[-–—](?=\s)|[—]|"
    r"(?<=\w)–(?=[A-Za-z])|/(?=[A-Za-z])|(?<=\s)/(?=\s)|→)"
)
_MARKS = {
    **dict.fromkeys(("...", "…", "。"), "."),
    **dict(zip("！？；，、–—", "!?;,,--", strict=True)),
    **dict(zip("{[}]“”→", '(())"":', strict=True)),
}


# "Berlin, the capital and largest city": what follows the comma describes the name before it. In a list every thing
# has an article or none: "a cat, a dog and a horse", "Rome, the Hague and Bern", "sun, the moon and stars".
_APPOSITION = re.compile(
    r"(?P<own>\b(?:[Aa]n?|[Tt]he) (?:[\w'’-]+ )?[\w'’-]+|(?P<name>(?<![\w'’-])[^\W\d_a-z][\w'’-]*))?,"
    r"(?= (?P<article>an?(?: [A-Z][a-z-]+)?|the) (?P<words>(?:[a-z][\w'’-]*,? ){1,5}?)and "
    r"(?!(?:an?|the|some|his|her|its|their)\b)[a-z][\w'’-]*"
    r"(?P<more> (?!(?:in|on|at|and|or|is|are|was|were)\b)[a-z])?)"
)


def _with_dashes(text: str) -> str:
    """The text with a dash instead of the comma before a description, which is then no list."""

    def replaced(match: re.Match[str]) -> str:
        if match["name"]:
            # "Sun, the moon and stars" is a list; "Lincoln, a lawyer and politician" is not.
            describes = match["more"] or match["article"] != "the"
        else:
            # "a cat, a dog and horse", "a cat, a big dog and small horse" are lists; "a cat, a fast and agile animal".
            describes = match["own"] and match["more"] and match["words"].count(" ") == 1
        return f"{match['own']} -" if describes else match[0]

    return _APPOSITION.sub(replaced, text) if " and " in text else text


@lru_cache(maxsize=1 << 14)
def marked(text: str, language: str = "en") -> str:
    """The normalised text with its clause boundaries as separate tokens, and a full stop between sentences."""
    parts: list[str] = []
    text = _with_dashes(text)
    for sentence in sentences(text):
        at = 0
        for boundary in _BOUNDARY.finditer(sentence):
            # The point of an abbreviation does not end a clause.
            if boundary["mark"] == "." and _is_abbreviation(
                sentence[: boundary.end()], sentence[boundary.end() :].lstrip()
            ):
                continue
            if words := normalise(sentence[at : boundary.start()], language):
                parts.append(words)
            mark = _MARKS.get(boundary["mark"], boundary["mark"])
            if mark != '"':
                parts.append(mark)
            at = boundary.end()
        if words := normalise(sentence[at:], language):
            parts.append(words)
        if parts and parts[-1][-1] not in ".!?":
            parts.append(".")
    return " ".join(parts)


_POSSESSIVE = re.compile(r"\b([A-Z]\w{2,})['’]s\b(?=\s+\w)")
# "a baker's a person who ...": a verb, since a possessive has no article after it.
_IS = re.compile(
    r"\b([A-Za-z]\w{2,})['’]s(?= (?:an?|the|indeed|also|called|not|what|who|where|my|your|our|just|really)\b)"
)
_CONTRACTED = frozenset(("It", "That", "He", "She", "There", "Here", "What", "Who", "Where", "How", "This", "Let"))


def without_possessives(text: str) -> str:
    """The text with "Saturn's rings" as "Saturn rings" and "a baker's a person" as "a baker is"; "It's" stays."""
    text = _IS.sub(r"\1 is", text)
    return _POSSESSIVE.sub(lambda match: match[0] if match[1] in _CONTRACTED else match[1], text)


def find_marked(text: str, phrase: str) -> list[tuple[int, int]]:
    """Spans of a normalised phrase in a marked text, at word boundaries; marks inside the phrase are skipped."""
    words = phrase.split()
    if not words or words[0] not in text:
        return []
    gap = r" (?:[,.;:()\-] )?"
    return first_and_last(
        [match.span() for match in _phrase(gap.join(re.escape(word) for word in words)).finditer(text)]
    )


@lru_cache(maxsize=1 << 14)
def _phrase(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\S){pattern}(?!\S)")
