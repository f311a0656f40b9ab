"""Korean nouns in normalised text: found regardless of the particle, title or copula that follows."""

from __future__ import annotations

import re

from omnigap_orchestrator.scoring.normalise.korean_numbers import COUNTERS, whole_number
from omnigap_orchestrator.scoring.normalise.numbers import listed

PARTICLES = listed(
    "으로서 으로써 에서는 에게서 한테서 이라도 이든지 까지 부터 보다 처럼 같이 마다 조차 마저 밖에 에서",
    "에게 한테 께서 으로",
    "로서 로써 하고 이랑 이나 라도 든지 에는 에도 은 는 이 가 을 를 의 에 로 와 과 랑 나 도 만 께 및",
)

COPULAS = listed(
    "이었습니다 였습니다 이랍니다 이라고 입니다 입니까 이에요 이예요 이지요 이네요 이었다 였다 랍니다",
    "예요 에요 이죠 지요",
    "네요 이다 이야 인데 이며 이고 라고 죠 야 요 인 임 다",
)

_ENDING = (
    rf"(?:{'|'.join(sorted(PARTICLES, key=len, reverse=True))}){{0,2}}"
    rf"(?:{'|'.join(sorted(COPULAS, key=len, reverse=True))})?"
)

ENDING = re.compile(_ENDING)
"""What may follow a noun in the same eojeol (space-delimited unit): up to two particles and a copula."""
_LONG_COPULAS = "|".join(sorted((c for c in COPULAS if len(c) > 1), key=len, reverse=True))
_COPULA_END = re.compile(rf"(?<=\S)(?:{_LONG_COPULAS})$")


def strip_copula(text: str) -> str:
    """A normalised answer without spaces and without a final copula, as exact match compares it."""
    return _COPULA_END.sub("", text).replace(" ", "") or text.replace(" ", "")


def split_numbers(text: str) -> str:
    """A normalised answer in which numbers are separate words (3개입니다 -> 3 개입니다).

    A single numeral becomes digits if it is the whole answer, or if the final copula follows it: 삼입니다 -> 3.
    Elsewhere such a syllable is usually another word.
    """
    stem = _COPULA_END.sub("", text)
    before, _, last = stem.rpartition(" ")
    number = whole_number(last) if stem != text or not before else None
    if number is not None:
        text = f"{before} {number}".strip()
    return " ".join(re.sub(r"(?<=\d)(?=[^\d.\s])", " ", text).split())


def find_noun(text: str, noun: str) -> list[tuple[int, int]]:
    """Character spans at which a noun occurs in normalised text, with any spacing inside it.

    The noun must begin an eojeol, and only particles or a copula may follow it there. A noun of three or more syllables
    may also occur inside an eojeol, since it is unlikely to be part of another word by chance.
    """
    wanted = noun.replace(" ", "")
    if not wanted:
        return []
    places = [i for i, c in enumerate(text) if c != " "]
    joined = text.replace(" ", "")
    spans: list[tuple[int, int]] = []
    at = joined.find(wanted)
    while at >= 0:
        start, last = places[at], places[at + len(wanted) - 1]
        begins = start == 0 or text[start - 1] == " " or (len(wanted) > 2 and not wanted[0].isdigit())
        rest = text[last + 1 :].partition(" ")[0]
        if begins and (ENDING.fullmatch(rest) or _counts(wanted, rest)):
            spans.append((start, last + 1 + len(rest)))
        at = joined.find(wanted, at + 1)
    return spans


def _counts(wanted: str, rest: str) -> bool:
    """Whether a number is followed by its counter: 1969 is found in 1969년에."""
    if not wanted[-1].isdigit():
        return False
    return any(rest.startswith(c) and ENDING.fullmatch(rest[len(c) :]) for c in COUNTERS)
