"""One normaliser for gold answers, own text and transcripts, chosen by language; versioned, since it changes scores.

English and Korean have modules of their own; the rules for all other languages are here.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from omnigap.vocabulary import primary_language
from omnigap_orchestrator.scoring.normalise.english import normalise_english
from omnigap_orchestrator.scoring.normalise.korean import normalise_korean

NORMALISER_VERSION = "1"
"""Raised, together with `scoring.RULES_VERSION`, whenever any text could come out otherwise; the report shows it."""

_MONTH_FIRST = frozenset(("en", "en-us", "en-ca", "en-ph"))

_UNSPACED = (
    "぀-ヿㇰ-ㇿ"  # kana
    "㐀-䶿一-鿿豈-﫿"  # Han
    "฀-๿"  # Thai
    "຀-໿"  # Lao
    "ក-៿"  # Khmer
    "က-႟"  # Myanmar
)
_CHARACTER = re.compile(rf"([{_UNSPACED}])")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")


@lru_cache(maxsize=1 << 16)
def normalise(text: str, language: str = "en") -> str:
    """The canonical form of a text: words separated by single spaces.

    Args:
        language: a BCP 47 tag. English and Korean have their own rules (a region says how 4/7/1969 is read); any
            other language gets the same rules, in which each character of a script without spaces is a word.

    Normalising twice gives what normalising once gives.
    """
    tag = language.lower().replace("_", "-")
    primary = primary_language(tag)
    if primary == "en":
        return normalise_english(text, day_first=tag not in _MONTH_FIRST)
    if primary == "ko":
        return normalise_korean(text)
    return _unspaced(text)


def units(text: str, language: str = "en") -> list[str]:
    """What error rates and F1 of a normalised text count: words; in Korean, whose spacing varies, syllables."""
    if primary_language(language) == "ko":
        return list(text.replace(" ", ""))
    return text.split()


def _is_word(c: str) -> bool:
    return unicodedata.category(c)[0] in "LNM"


def _unspaced(text: str) -> str:
    """NFKC, lower case, no punctuation; every character of an unspaced script is a word of its own.

    Word error rates and word boundaries of the result are therefore those of characters, while Latin words and
    numbers inside the text stay whole.
    """
    for _ in range(4):
        before = text
        text = unicodedata.normalize("NFKC", text).lower()
        text = _THOUSANDS.sub("", text)
        text = re.sub(r"(?<=\d)\.(?=\d)", "\0", text)
        text = "".join(c if _is_word(c) or c == "\0" else " " for c in text).replace("\0", ".")
        text = " ".join(_CHARACTER.sub(r" \1 ", text).split())
        if text == before:
            break
    return text


__all__ = ["NORMALISER_VERSION", "normalise", "units"]
