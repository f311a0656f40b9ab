"""Whether a marked text asserts what it mentions: not denied, corrected or left open among alternatives.

For the languages of `words`; the patterns are built from its tables.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache

from omnigap.vocabulary import Flag
from omnigap_orchestrator.scoring.reading.found import Found, first_and_last
from omnigap_orchestrator.scoring.reading.languages import words
from omnigap_orchestrator.scoring.reading.languages.marked import UNSPACED
from omnigap_orchestrator.scoring.reading.languages.words import any_of


class Status(StrEnum):
    """How a mention stands in its text."""

    ASSERTED = "asserted"
    DENIED = "denied"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Mention:
    """A value at text[start:end]; `end` lies after particles and counters that belong to it.

    Attributes:
        ending: the particles that follow the value, in Korean.
    """

    value: str
    start: int
    end: int
    ending: str = ""


_NO_END = r"|$|\s*\|"
"""Part of a fragment of `words.OR`: か ends a question."""


@dataclass(frozen=True)
class _Patterns:
    denied_before: re.Pattern[str]
    denied_after: re.Pattern[str]
    or_after: re.Pattern[str]
    or_before: re.Pattern[str]
    bound_before: re.Pattern[str]
    bound_after: re.Pattern[str]
    correction: re.Pattern[str]


@cache
def _patterns(primary: str) -> _Patterns:
    # Without spaces between words there is no word boundary either.
    gap, edge = (" ?", "") if primary in UNSPACED else (" ", r"(?!\w)")
    start = "" if primary in UNSPACED else r"(?<!\w)"
    fillers = rf"(?:{any_of(words.FILLERS, primary)}{gap}){{0,4}}"
    or_ = any_of(words.OR, primary)
    alone = any_of(words.CORRECTION_ALONE, primary)
    correction = any_of(words.CORRECTION, primary)
    after = any_of(words.NOT_AFTER, primary)
    inline = rf"|(?<=\S) (?:{_INLINE}) " if primary == "ko" else ""
    return _Patterns(
        re.compile(rf"{start}{any_of(words.NOT_BEFORE, primary)}{gap}{fillers}$"),
        re.compile(rf"{'' if primary == 'ko' else ' ?'}{after}"),
        re.compile(rf"(?:の)?(?: \|+)? ?{or_}{edge}(?: \|)? ?(?P<next>[^\s|])"),
        # What an alternative excludes after it cannot be seen before the mention.
        re.compile(rf"[^\s|](?: \|+)? ?{start}{or_.replace(_NO_END, '')}{gap}{fillers}$"),
        re.compile(rf"{start}{any_of(words.BOUND_BEFORE, primary)}{gap}$"),
        re.compile(rf" ?(?:\S+ )??{any_of(words.BOUND_AFTER, primary)}{edge if primary != 'ko' else ''}"),
        re.compile(rf"\| (?:{correction}{edge}|{alone} \|){inline}"),
    )


_THING = re.compile(r" [^\W\d]+")
# "서울 아니 부산": without a comma, as it is spoken. After a particle it denies: "서울이 아니".
_INLINE = "아니|아니요|아뇨"


def status(
    text: str, mention: Mention, primary: str, *, counts: bool = False, same: Sequence[str] = (), question: str = ""
) -> Status:
    """Whether the mention is asserted.

    Args:
        counts: whether bounds count too: "at least 2" leaves the number open.
        same: other forms of the same answer: "NYC or New York" is not open.
        question: marked; its own negation denies nothing: "Was ist keine Frucht?" - "Granit ist keine Frucht."
    """
    patterns = _patterns(primary)
    # What is near decides; all of a long text would take quadratic time.
    before, after = text[max(0, mention.start - _NEAR) : mention.start], text[mention.end : mention.end + _NEAR]
    if "보다" in mention.ending or patterns.denied_before.search(before):
        return Status.DENIED
    if patterns.denied_after.match(after) and not _repeats(after, question, primary):
        return Status.DENIED
    if corrected(text, mention, primary):
        return Status.DENIED
    if counts and (patterns.bound_before.search(before) or patterns.bound_after.match(mention.ending + after)):
        return Status.OPEN
    follow = patterns.or_after.match(after)
    # A counted thing may follow the number: "20 Äpfel oder 21".
    if follow is None and counts and (thing := _THING.match(after)) is not None:
        follow = patterns.or_after.match(after, thing.end())
    if follow is not None and not _begins_with(after[follow.start("next") :], same):
        return Status.OPEN
    lead = patterns.or_before.search(before)
    if lead is not None and not _ends_with(before[: lead.start() + 1], same):
        return Status.OPEN
    if primary == "ko" and _is_open_korean(before, mention.ending, after):
        return Status.OPEN
    return Status.ASSERTED


def _repeats(after: str, question: str, primary: str) -> bool:
    """Whether a negation behind a mention is that of the question: it denies the same."""
    negation = _negation(primary)
    # What was said before the question, and its other clauses, negate something else.
    asked = [part for part in question.split("||")[-1].split("|") if negation.search(part) is not None]
    if not asked:
        return False
    clause = after.split("|", 1)[0].rstrip(" .!。！")
    if primary in UNSPACED:
        denied = negation.split(clause)[-1].strip()[:_UNSPACED_WORD]
        return bool(denied) and any(denied in part for part in asked)
    small = _small(primary)

    def content(text: str) -> list[str]:
        return [word for word in text.split() if len(word) > 1 and not small.fullmatch(word)]

    first = content(clause)[:1]
    if primary in _NEGATES_BEHIND:
        # "que no es la más grande es la capital": what is near is negated.
        asked = [" ".join(content(negation.split(part)[-1])[:2]) for part in asked]
    return any(word in part.split() for word in first for part in asked)


_NEGATES_BEHIND = ("fr", "es", "it", "pt")
_UNSPACED_WORD = 2
_KOREAN_NOT = r"아(?:니|닙|닌|닐|녜)\w*"


@cache
def _negation(primary: str) -> re.Pattern[str]:
    if primary == "ko":
        return re.compile(_KOREAN_NOT)
    return re.compile(rf"(?:{any_of(words.NOT_BEFORE, primary)}|不|非)" if primary == "zh" else _before(primary))


def _before(primary: str) -> str:
    return rf"(?<!\w){any_of(words.NOT_BEFORE, primary)}(?!\w)" if words.NOT_BEFORE[primary] else "(?!)"


@cache
def _small(primary: str) -> re.Pattern[str]:
    """Words that negate, and words without content."""
    if primary == "ko":
        return re.compile(_KOREAN_NOT)
    return re.compile(rf"{any_of(words.NOT_BEFORE, primary)}|{any_of(words.FILLERS, primary)}|ein\w*|une?|um")


# "이나" before another noun; 중에 하나 after it; one of two possibilities.
_OR_ENDING = re.compile(r"(?:이나|나|이거나|거나|인지|인가|이든|이든지)$")
_ONE_OF = re.compile(r"(?: \|)? \S+ (?:중|중에|중에서|둘 중)(?: |$)")
_PREVIOUS_OR = re.compile(r"(?:이나|거나|인지|인가) $")
# "나" after a vowel: 대구나 부산. Words that end so: 하나, 바나나, 누구나.
_VOWEL_OR = re.compile(
    r"(?:^|[ |])(?!(?:바나나|하나|누구나|언제나|어디나|그러나|역시나|혹시나|너나|만나) $)[가-힣]*([가-힣])나 $"
)
_POSSIBLY = re.compile(r" ?수도 있")


def _is_open_korean(before: str, ending: str, after: str) -> bool:
    if _OR_ENDING.search(ending) and after[:2].strip(" |"):
        return True
    vowel = _VOWEL_OR.search(before)
    # A syllable without a final consonant has a code point that leaves no rest.
    if vowel is not None and (ord(vowel[1]) - 0xAC00) % 28 == 0:
        return True
    if _PREVIOUS_OR.search(before) or (ending in ("", "와", "과", "하고", "이랑", "랑") and _ONE_OF.match(after)):
        return True
    return bool(_POSSIBLY.match(after) and len(_POSSIBLY.findall(f"{before} {after}")) > 1)


def corrected(text: str, mention: Mention, primary: str) -> bool:
    """Whether a correction follows the mention, and something follows the correction."""
    starts, last = _corrections(text, primary)
    return bisect_left(starts, mention.end) < last


@lru_cache(maxsize=64)
def _corrections(text: str, primary: str) -> tuple[tuple[int, ...], int]:
    """Where corrections start, and how many of them have something after them."""
    found = list(_patterns(primary).correction.finditer(text))
    end = len(text.rstrip(" |"))
    return tuple(match.start() for match in found), sum(match.end() < end for match in found)


_NEAR = 200


def _begins_with(text: str, forms: Sequence[str]) -> bool:
    return any(text.startswith(form) for form in forms)


def _ends_with(text: str, forms: Sequence[str]) -> bool:
    return any(text.endswith(form) for form in forms)


def judged(
    text: str,
    mentions: Sequence[Mention],
    primary: str,
    *,
    counts: bool = False,
    same: Sequence[str] = (),
    question: str = "",
) -> list[tuple[Mention, Status]]:
    """The standing of each mention, in the order of the text; see `status`.

    A denial holds for the whole list before it: "A, B und C sind falsch".
    """
    ordered = first_and_last(sorted(mentions, key=lambda mention: mention.start))
    states = [status(text, mention, primary, counts=counts, same=same, question=question) for mention in ordered]
    joined = False
    for i in range(len(ordered) - 2, -1, -1):
        between = ordered[i].ending + text[ordered[i].end : ordered[i + 1].start]
        and_ = re.fullmatch(rf"[\s|\"')(]*{any_of(words.AND, primary)}[\s|\"')(]*", between) is not None
        joined = states[i + 1] is Status.DENIED and (and_ or (joined and not between.strip(" |,")))
        if joined and _patterns(primary).denied_before.search(text[: ordered[i + 1].start][-_NEAR:]) is None:
            states[i] = Status.DENIED
    return list(zip(ordered, states, strict=True))


def decided(mentions: Sequence[tuple[str, Status]]) -> Found | None:
    """The value of the asserted mentions; None of several different ones. Open or denied ones alone give their flag."""
    values = dict.fromkeys(value for value, state in mentions if state is Status.ASSERTED)
    if len(values) == 1:
        return Found(next(iter(values)))
    if not mentions:
        return None
    if values:
        return Found(None)
    if any(state is Status.OPEN for _, state in mentions):
        return Found(None, (Flag.HEDGED,))
    return Found(None, (Flag.NEGATED,))
