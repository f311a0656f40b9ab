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


# Titles and kinds of places that may follow a noun of two or more syllables: 서울시, 세종대왕님.
_TITLES = ("특별시", "광역시", "시", "님", "씨", "년")
# The copula before a guess or an opinion: 서울일 거예요, 서울이라고 생각합니다, 서울인 것 같아요.
_OPINION = re.compile(
    r"(?:이라고|라고|이라|라|일|인|이었을|였을|임|이지|이거든요|거든요|이라서|라서|이니까|니까|이므로|므로|이란|란|일까요?|이래요|래요|"
    r"인지도?|인가요?|이나|나|이거나|거나|일지도|이?겠(?:지요|죠|습니다|네요|어요|군요)|이려나|이라는|라는|이었고|였고|입니다만|인데요|이고요|고요|이셨습니다|이십니다|이십니다만|이신)"
)


def find_noun(text: str, noun: str) -> list[tuple[int, int]]:
    """Character spans at which a noun occurs in normalised text, with its particles and with any spacing inside it."""
    return [(start, end) for start, _, end in noun_mentions(text, noun)]


def noun_mentions(text: str, noun: str) -> list[tuple[int, int, int]]:
    """Where a noun occurs in normalised text: its start, its end, and the end of the particles that follow it.

    The noun must begin an eojeol, and only particles or a copula may follow it there, or a title after two or more
    syllables. A noun of three or more syllables may also occur inside an eojeol, since it is unlikely to be part of
    another word by chance.
    """
    wanted = noun.replace(" ", "")
    if not wanted:
        return []
    places = [i for i, c in enumerate(text) if c != " "]
    joined = text.replace(" ", "")
    spans: list[tuple[int, int, int]] = []
    at = joined.find(wanted)
    while at >= 0:
        start, last = places[at], places[at + len(wanted) - 1]
        begins = start == 0 or text[start - 1] == " " or (len(wanted) > 2 and not wanted[0].isdigit())
        rest = text[last + 1 :].partition(" ")[0]
        if begins and (_ends_noun(rest, wanted) or _counts(wanted, rest)):
            spans.append((start, last + 1, last + 1 + len(rest)))
        at = joined.find(wanted, at + 1)
    return spans


def _ends_noun(rest: str, noun: str) -> bool:
    if ENDING.fullmatch(rest) or _OPINION.fullmatch(rest):
        return True
    return len(noun) > 1 and any(rest.startswith(title) and _ends_noun(rest[len(title) :], "") for title in _TITLES)


def _counts(wanted: str, rest: str) -> bool:
    """Whether a number is followed by its counter: 1969 is found in 1969년에."""
    if not wanted[-1].isdigit():
        return False
    return any(rest.startswith(c) and ENDING.fullmatch(rest[len(c) :]) for c in COUNTERS)
