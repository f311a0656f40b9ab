"""Negations that an answer takes over from its question, and that therefore deny nothing.

"Which of these is not a fruit?"    "Granite is not a fruit."
"What is the opposite of strong?"   "The opposite of strong would be weak."
"Without what does no fire burn?"   "Without oxygen."
"Which statement is false?"         "B is false."
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from omnigap_orchestrator.scoring.normalise.numbers import listed
from omnigap_orchestrator.scoring.reading.english.question import stem

_NEGATION = re.compile(
    r"\b(?P<kind>not|never|no longer|no|neither|nor|without|opposite of|other than|except(?: for)?|unlike|excluding|"
    r"apart from|aside from|instead of|rather than|rule out|ruled out|exclude|eliminate|eliminated|"
    r"incorrect|wrong|false|untrue|mistaken|inaccurate|myth|misconception)\b"
)
_FALSE = frozenset(listed("incorrect wrong false untrue mistaken inaccurate myth misconception"))
_WH = re.compile(r"(?: the)? (?:which|what|who|whom|whose|where)\b")
# Words between a negation and what it negates: "is not really an edible fruit".
_SMALL = frozenset(
    listed(
        "a an the of be been is are was were would could can will have has had do does did to in on at for any really",
        "actually also 1 one it that this those these found considered called",
    )
)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a question negates.

    Attributes:
        kinds: its negations, all plain ones as "not".
        stems: stems of the content words behind them.
        governs: a negation governs the word that is asked for: "without which gas".
    """

    kinds: frozenset[str]
    stems: frozenset[str]
    governs: bool


@lru_cache(maxsize=1 << 12)
def _asked(question: str) -> _Asked | None:
    found = list(_NEGATION.finditer(question))
    if not found:
        return None
    behind = question[found[0].end() :]
    return _Asked(
        frozenset(_kind(match["kind"]) for match in found),
        frozenset(stem(word) for word in behind.split() if word not in _SMALL),
        any(_WH.match(question, match.end()) for match in found),
    )


def _kind(written: str) -> str:
    if written in ("not", "never", "no", "no longer", "neither", "nor"):
        return "not"
    return "false" if written in _FALSE else written.split()[0]


def repeats_before(denial: str, question: str) -> bool:
    """Whether a negation before a mention is the question's own.

    Args:
        denial: marked text from the negation up to the mention: "opposite of strong would be".
        question: normalised.
    """
    asked, match = _asked(question), _NEGATION.search(denial)
    if asked is None or match is None or _kind(match["kind"]) not in asked.kinds:
        return False
    words = _content(denial[match.end() :])
    if not words:
        return asked.governs
    # The opposite of one thing does not reach the next, whatever a recogniser made of the question's word.
    return match["kind"] == "opposite of" or stem(words[0]) in asked.stems


def repeats_after(denial: str, question: str) -> bool:
    """Whether a negation after a mention is the question's own.

    Args:
        denial: marked text from the negation to the end of its clause: "not a fruit"; "not" leaves out the rest.
        question: normalised.
    """
    asked, match = _asked(question), _NEGATION.search(denial)
    if asked is None or match is None or _kind(match["kind"]) not in asked.kinds:
        return False
    words = _content(denial[match.end() :])
    return _kind(match["kind"]) == "false" or not words or stem(words[0]) in asked.stems


def _content(text: str) -> list[str]:
    return [word for word in text.split() if word[0].isalnum() and word not in _SMALL]
