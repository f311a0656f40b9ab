"""Normalises Korean: composed syllables, no punctuation, numerals as digits; and knows the endings of an eojeol."""

from __future__ import annotations

import re
import unicodedata

from omnigap_orchestrator.scoring.normalise import korean_numbers
from omnigap_orchestrator.scoring.normalise.tables import listed

_MAX_PASSES = 6
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_ISO = re.compile(r"(?<!\d)(\d{4})[-./] ?(\d{1,2})[-./] ?(\d{1,2})(?!\d)\.?")
_KEPT = re.compile(r"(?<=\d)\.(?=\d)|(?<!\S)-(?=\d)")
_LEADING_ZEROS = re.compile(r"(?<![\d.])0+(?=\d)")
_TRAILING_ZEROS = re.compile(r"(\.\d*[1-9])0+(?!\d)|\.0+(?!\d)")
_SYMBOLS = {
    "%": "퍼센트",
    "₩": "원",
    "$": "달러",
    "℃": "도",
    "°c": "도",
    "°": "도",
    "km": "킬로미터",
    "kg": "킬로그램",
    "cm": "센티미터",
    "mm": "밀리미터",
    "m": "미터",
    "g": "그램",
    "l": "리터",
    "프로": "퍼센트",
}
_UNIT = re.compile(rf"(?<=\d) ?({'|'.join(re.escape(s) for s in sorted(_SYMBOLS, key=len, reverse=True))})(?![a-z])")
_MONEY = re.compile(r"([₩$]) ?(\d+(?:\.\d+)?)")
_MINUS = re.compile(r"(?<!\S)(?:마이너스|영하) ?(?=\d)")

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
"""What may stand behind a noun in the same eojeol: up to two particles and a form of the copula."""
_LONG_COPULAS = "|".join(sorted((c for c in COPULAS if len(c) > 1), key=len, reverse=True))
_COPULA_END = re.compile(rf"(?<=\S)(?:{_LONG_COPULAS})$")


def normalise_korean(text: str) -> str:
    """NFC syllables in lower case, eojeols parted by single spaces, numbers in digits with their counter (3개).

    Particles stay, since 고양이 ends as a particle does; comparing looks past them. A fixed point.
    """
    for _ in range(_MAX_PASSES):
        before, text = text, _once(text)
        if text == before:
            break
    return text


def _once(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).lower().replace("−", "-")
    text = _THOUSANDS.sub("", text)
    text = _ISO.sub(_date, text)
    text = _MONEY.sub(lambda match: f"{match[2]}{_SYMBOLS[match[1]]}", text)
    text = _UNIT.sub(lambda match: _SYMBOLS[match[1]], text)
    text = _KEPT.sub(lambda match: "\0" if match[0] == "." else "\1", text)
    text = "".join(c if unicodedata.category(c)[0] in "LNM" or c in "\0\1" else " " for c in text)
    text = " ".join(text.replace("\0", ".").replace("\1", "-").split())
    text = korean_numbers.convert(text)
    text = _MINUS.sub("-", text)
    return _TRAILING_ZEROS.sub(r"\1", _LEADING_ZEROS.sub("", text))


def _date(match: re.Match[str]) -> str:
    year, month, day = (int(part) for part in match.groups())
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match[0]
    return f"{year}년 {month}월 {day}일"


def bare(text: str) -> str:
    """A normalised answer without spaces and without the copula at its end: what exact match compares."""
    return _COPULA_END.sub("", text).replace(" ", "") or text.replace(" ", "")


def numbers_apart(text: str) -> str:
    """A normalised answer whose numbers stand as words of their own (3개입니다 -> 3 개입니다).

    Where the whole answer, or what its final copula belongs to, is one numeral, that becomes digits too: 삼입니다 -> 3.
    Elsewhere such a syllable is more often another word.
    """
    stem = _COPULA_END.sub("", text)
    before, _, last = stem.rpartition(" ")
    number = korean_numbers.whole_number(last) if stem != text or not before else None
    if number is not None:
        text = f"{before} {number}".strip()
    return " ".join(re.sub(r"(?<=\d)(?=[^\d.\s])", " ", text).split())


def find_noun(text: str, noun: str) -> list[tuple[int, int]]:
    """Where a noun stands in normalised text whatever the spacing: character spans in `text`.

    It must begin an eojeol (or be three syllables or longer), and only particles or the copula may follow it within
    its eojeol.
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
    """A number is found with its counter behind it: 1969 in 1969년에."""
    if not wanted[-1].isdigit():
        return False
    return any(rest.startswith(c) and ENDING.fullmatch(rest[len(c) :]) for c in korean_numbers.COUNTERS)
