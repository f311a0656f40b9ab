"""Normalises Korean: composed syllables, digits with their counters, dates and units in one form."""

from __future__ import annotations

import re
import unicodedata

from omnigap_orchestrator.scoring.normalise.korean_numbers import convert

_MAX_PASSES = 6


def normalise_korean(text: str) -> str:
    """Lower-case composed syllables, single spaces, no punctuation, numbers in digits with their counter (3개).

    Particles are kept, because nouns such as 고양이 (cat) end like a particle; `find_noun` ignores them instead. The
    function is idempotent.
    """
    # A pass can create a new numeral, so passes repeat until nothing changes; the limit guards against a cycle.
    for _ in range(_MAX_PASSES):
        before, text = text, _once(text)
        if text == before:
            break
    return text


_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_ISO = re.compile(r"(?<!\d)(\d{4})[-./] ?(\d{1,2})[-./] ?(\d{1,2})(?!\d)\.?")
_KEPT = re.compile(r"(?<=\d)[./](?=\d)|(?<!\S)-(?=\d)")
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


def _once(text: str) -> str:
    text = unicodedata.normalize("NFKC", text.translate({0: " ", 1: " ", 2: " "})).lower().replace("−", "-")
    text = _THOUSANDS.sub("", text)
    text = _ISO.sub(_date, text)
    text = _MONEY.sub(lambda match: f"{match[2]}{_SYMBOLS[match[1]]}", text)
    text = _UNIT.sub(lambda match: _SYMBOLS[match[1]], text)
    # Decimal points, fraction bars and minus signs are protected while punctuation is removed.
    text = _KEPT.sub(lambda match: {".": "\0", "/": "\1", "-": "\2"}[match[0]], text)
    text = "".join(c if unicodedata.category(c)[0] in "LNM" or c in "\0\1\2" else " " for c in text)
    text = " ".join(text.translate({0: ".", 1: "/", 2: "-"}).split())
    text = convert(text)
    text = _MINUS.sub("-", text)
    return _TRAILING_ZEROS.sub(r"\1", _LEADING_ZEROS.sub("", text))


def written_dates(text: str) -> str:
    """Text whose dates in digits are written out: 1945. 8. 15. -> 1945년 8월 15일."""
    return _ISO.sub(_date, text)


def _date(match: re.Match[str]) -> str:
    year, month, day = (int(part) for part in match.groups())
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match[0]
    return f"{year}년 {month}월 {day}일"
