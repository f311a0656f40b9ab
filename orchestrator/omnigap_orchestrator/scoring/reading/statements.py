r"""Finds the passages of an answer in which it states its result.

    "... The answer is 18."            an explicit final statement: "18."
    "... \boxed{18}", "#### 18", {"answer": "18"}
    "ANSWER:\nB"                       the statement is on the next line
    "B\n\nExplanation: ..."            a marked first line
    "... eats 2.\n\n**6 apples**"      a marked last line

The last explicit statement comes first: models that correct themselves do so at the end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from omnigap.vocabulary import primary_language
from omnigap_orchestrator.scoring.reading.english.marked import lines, sentences
from omnigap_orchestrator.scoring.reading.found import Passage, Step, first_and_last
from omnigap_orchestrator.scoring.reading.languages.words import FINAL, any_of
from omnigap_orchestrator.scoring.reading.markup import marked_answers, plain_text

_KIND = (
    r"(?:final |correct |right |best |most likely |most appropriate |most accurate |only |short |overall |closest |"
    r"actual |true )*"
)
_NOUN = r"(?:answer|choice|option|result|solution|response|conclusion|verdict)"
_ABOUT = r"(?: (?:to|for|of) (?:the|this|that|your) (?:question|problem|riddle|puzzle|exercise|task))?(?: here)?"
# "the correct answer is", "answer:", "so my final answer would be", "the answer to the question is option".
_ENGLISH = (
    rf"(?:the |my |our |your |its )?{_KIND}{_NOUN}{_ABOUT}"
    r"(?:,? (?:then|therefore|thus|hence|of course|clearly|i (?:think|believe|would say)|in my opinion))?,?"
    r"\s*(?:is|was|would be|should be|must be|has to be|will be|=|:|：|→|—|–|-{1,2}(?=\s))\s*"
    r"(?:(?:therefore|thus|hence|clearly|then|simply|just|indeed|actually|definitely|probably|likely|"
    r"most likely)\s+)?[:：]?"
)
_CHOSEN = (
    r"i (?:would |will |'d |’d |'ll |’ll )?(?:choose|pick|select|go with|go for|answer|conclude that (?:it is|it's)|"
    r"conclude)(?: with)?:?(?= )"
)
# A heading without colon, with the answer on the next line.
_HEADING = rf"^{_KIND}{_NOUN}[ \t]*$"
_STATEMENT = re.compile(rf"(?<![\w-])(?:{_ENGLISH}|{_CHOSEN})", re.I)
# "The best unit would be:" with the answer on the next line, which is no list.
_COLON_LINE = re.compile(r"\b(?:is|are|was|be|choose|select|conclude|follows)\s*[:：][ \t]*\n", re.I)
_HEADING_LINE = re.compile(_HEADING, re.I | re.M)
# "the answer is not B", "the answer is in the text", "the answer is simple": what follows is no answer, or denies one.
_ABOUT_ANSWER = re.compile(
    r"^(?:(?:very |quite |pretty |really |fairly )*(?:simple|easy|clear|obvious|straightforward|known|unknown|"
    r"below|above|hidden|wrong|"
    r"incorrect|right|correct|as follows|shown|given|found|explained|based|in (?:the|this)|among|one of|a |an |"
    r"that |the one|"
    r"what|because|probably not|there|here|determined|supported|whichever|either way|up to)\b)",
    re.I,
)
# A statement under a condition, or of what others say, is not the answer.
_NOT_OWN = re.compile(
    r"\b(?:if|whether|unless|when|suppose|assuming|says?|said|think|claims?|format|like this|for example|e\.g\.|"
    r"such as)\b[^.?!\n]*$",
    re.I,
)
_EXPLAINED = re.compile(r"\s+(?:because|since|as it|given that|due to)\b", re.I)


def passages(text: str, language: str = "en") -> Iterator[Passage]:
    """The passages of an answer in the order in which they decide; the last one is the whole answer.

    Args:
        text: without thinking, with its markup.
    """
    plain = _bounded(plain_text(text))
    for marked in reversed(marked_answers(text)):
        yield Passage(plain_text(marked), Step.FINAL_STATEMENT)
    for statement in reversed(_statements(plain, language)):
        yield Passage(statement, Step.FINAL_STATEMENT)
    yield from _marked_lines(plain)
    yield Passage(plain, Step.TERSE)


_HEAD, _TAIL = 4_000, 12_000
"""Characters of a very long answer that are read: its beginning, and its end, where it states its result."""


def _bounded(plain: str) -> str:
    """The text, or the two ends of one that no speaker could say: reading must end in bounded time."""
    if len(plain) <= _HEAD + _TAIL:
        return plain
    # Cut at spaces, so that no word is halved.
    head, tail = plain[:_HEAD].rpartition(" ")[0] or plain[:_HEAD], plain[-_TAIL:].partition(" ")[2] or plain[-_TAIL:]
    return f"{head}\n{tail}"


def _statements(plain: str, language: str) -> list[str]:
    found: list[tuple[int, str]] = []
    for pattern in _patterns(primary_language(language)):
        for match in first_and_last(list(pattern.finditer(plain))):
            statement = _rest_of_statement(plain, match.end())
            if pattern is _COLON_LINE and not _is_frame(plain, match):
                continue
            if statement is None or _ABOUT_ANSWER.match(statement):
                continue
            start = max(plain.rfind("\n", 0, match.start()) + 1, match.start() - _MAX_STATEMENT)
            line = plain[start : match.start()]
            if _NOT_OWN.search(line):
                continue
            found.append((match.start(), statement))
    return [statement for _, statement in sorted(found)]


@cache
def _patterns(language: str) -> tuple[re.Pattern[str], ...]:
    # English markers ("ANSWER: B") are common in answers of all languages.
    own = () if language not in FINAL else (re.compile(any_of(FINAL, language), re.I),)
    return (_STATEMENT, _HEADING_LINE, _COLON_LINE, *own)


def _rest_of_statement(plain: str, at: int) -> str | None:
    """What follows a marker: the rest of its sentence, or the next line if its own ends there."""
    rest = plain[at : at + _MAX_STATEMENT].lstrip(" \t*:=,")
    if rest.startswith("\n"):
        rest = rest.lstrip("\n \t")
    line = next(iter(lines(rest)), None)
    if line is None:
        return None
    first = sentences(line)[0]
    # "B. Jupiter" is a letter and its choice: a sentence of one letter or digit goes on.
    if len(first.rstrip(". ")) == 1 and len(sentences(line)) > 1:
        first = f"{first} {sentences(line)[1]}" if len(sentences(line)[1].split()) <= _MAX_CHOICE_WORDS else first
    return _EXPLAINED.split(first, maxsplit=1)[0]


def _is_frame(plain: str, match: re.Match[str]) -> bool:
    """Whether a line that ends in a colon opens or closes the answer; between them, it introduces a step or a list."""
    following = lines(plain[match.end() :])
    if len(following) > 1 and _follow(*following[:2]):
        return False
    return "\n" not in plain[: match.start()] or len(following) == 1


_MAX_CHOICE_WORDS = 6
_MAX_STATEMENT = 2000
"""Characters of a statement, and of what precedes it in its line."""
MAX_LINE_WORDS = 8
"""A first or last line with more words is prose and not a marked answer."""
_HEADER = re.compile(
    r"^(?:(?:step|part|question|q|case|note|hint|explanation|reason(?:ing)?|analysis|solution|summary|conclusion|"
    r"overview|introduction|"
    r"background|details?|source|context|thoughts?|okay|ok|sure|certainly|of course|great|good|thanks?|hello|hi|"
    r"let|here|first|hope|"
    r"please|feel free|is there|would you|do you|in summary|final answer|answer)\b.*|.*[:：])$",
    re.I,
)


def _marked_lines(plain: str) -> Iterator[Passage]:
    """The first and the last line of an answer of several lines, if they are short and no headings."""
    rows = lines(plain)
    if len(rows) < 2:
        return
    first_is_listed, last_is_listed = _follow(rows[0], rows[1]), _follow(rows[-2], rows[-1])
    if not first_is_listed and _is_marked(rows[0]):
        yield Passage(rows[0], Step.FIRST_LINE)
    if not last_is_listed and _is_marked(rows[-1]):
        yield Passage(rows[-1], Step.LAST_LINE)


def _is_marked(line: str) -> bool:
    return len(line.split()) <= MAX_LINE_WORDS and not _HEADER.match(line)


_ITEM = re.compile(r"[^\w\n]*(?:option |choice |step )?\(?(?P<mark>[A-Za-z]|\d{1,2})[).:]\s", re.I)


def _follow(line: str, following: str) -> bool:
    """Whether two lines are neighbours of a list: "A) Mars", "B) Jupiter"."""
    first, second = _ITEM.match(line), _ITEM.match(following)
    if first is None or second is None:
        return False
    marks = first["mark"].upper(), second["mark"].upper()
    if marks[0].isdigit() and marks[1].isdigit():
        return int(marks[1]) == int(marks[0]) + 1
    return not any(mark.isdigit() for mark in marks) and ord(marks[1]) == ord(marks[0]) + 1
