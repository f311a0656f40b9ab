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


# A question that begins behind something else: "Tom does not like apples. Which fruit does he like?"
_ASKS_BEHIND = re.compile(
    r"\b(?:which|what|who|whom|whose|where|when|why|how)(?: \w+){0,3}? "
    r"(?:is|are|was|were|do|does|did|can|could|will|would|has|have|had|should|must)\b"
)
_ASKS_FIRST = re.compile(
    r"(?:(?:in|of|on|at|to|from|by|with|without|for|about|under|through) )?(?:which|what|who|whom|whose|where)\b"
)
# Words that end what a negation reaches: "not the largest is the capital", "not a mammal but lays eggs".
_ENDS = frozenset(
    listed(
        "but and although though while whereas yet because since when if is are was were has have does do did can",
    )
)


@dataclass(frozen=True, slots=True)
class _Negated:
    """What a question negates with one kind of negation.

    Attributes:
        stems: stems of the content words that the negations reach.
        governs: one of them governs the word that is asked for: "without which gas".
    """

    stems: frozenset[str]
    governs: bool


@lru_cache(maxsize=1 << 12)
def _asked(question: str) -> dict[str, _Negated]:
    """What a normalised question negates, by kind of negation; all plain ones are "not"."""
    found: dict[str, _Negated] = {}
    for match in _NEGATION.finditer(question):
        governs = _WH.match(question, match.end()) is not None
        if not governs and not _ASKS_FIRST.match(question) and _ASKS_BEHIND.search(question, match.end()):
            continue
        before = found.get(_kind(match["kind"]), _Negated(frozenset(), False))
        stems = before.stems | _reached(question[match.end() :])
        found[_kind(match["kind"])] = _Negated(stems, governs or before.governs)
    return found


def _reached(behind: str) -> frozenset[str]:
    """Stems of the content words up to the end of the clause."""
    stems: list[str] = []
    for word in behind.split():
        if stems and word in _ENDS:
            break
        if word not in _SMALL:
            stems.append(stem(word))
    return frozenset(stems)


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
    asked, matches = _asked(question), list(_NEGATION.finditer(denial))
    # The last one denies: "the opposite of strong is not weak".
    if not matches or (negated := asked.get(_kind(matches[-1]["kind"]))) is None:
        return False
    words = _content(denial[matches[-1].end() :])
    if not words:
        return negated.governs
    # The opposite of one thing does not reach the next, whatever a recogniser made of the question's word.
    return matches[-1]["kind"] == "opposite of" or stem(words[0]) in negated.stems


def repeats_after(denial: str, question: str) -> bool:
    """Whether a negation after a mention is the question's own.

    Args:
        denial: marked text from the negation to the end of its clause: "not a fruit"; "not" leaves out the rest.
        question: normalised.
    """
    asked, match = _asked(question), _NEGATION.search(denial)
    if match is None or (negated := asked.get(_kind(match["kind"]))) is None:
        return False
    if _kind(match["kind"]) == "false":
        return True
    words = _content(denial[match.end() :])
    return stem(words[0]) in negated.stems if words else bool(negated.stems)


def _content(text: str) -> list[str]:
    return [word for word in text.split() if word[0].isalnum() and word not in _SMALL]
