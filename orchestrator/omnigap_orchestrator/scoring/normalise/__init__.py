"""The text normaliser for gold answers, own texts and transcripts, selected by language.

It is versioned, because a change of it changes scores. English, Korean, the European languages and Chinese and Japanese
have their own modules; the rules for all other languages are here.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from omnigap.vocabulary import primary_language
from omnigap_orchestrator.scoring.normalise import european, han
from omnigap_orchestrator.scoring.normalise.english import normalise_english
from omnigap_orchestrator.scoring.normalise.korean import normalise_korean

NORMALISER_VERSION = "3"
"""Increased, together with `scoring.RULES_VERSION`, when any text could normalise differently; shown in the report."""

NUMERIC_LANGUAGES = frozenset(("en", "ko", *european.LANGUAGES, *han.LANGUAGES))
"""Primary tags of the languages whose number words and dates are read."""

# Regions that write 4/7/1969 for April 7. Plain "en" is read as American English.
_MONTH_FIRST = frozenset(("en", "en-us", "en-ca", "en-ph"))

# Scripts written without spaces between words.
_UNSPACED = (
    "぀-ヿㇰ-ㇿ"  # kana
    "㐀-䶿一-鿿豈-﫿"  # Han
    "฀-๿"  # Thai
    "຀-໿"  # Lao
    "ក-៿"  # Khmer
    "က-႟"  # Myanmar
)
_CHARACTER = re.compile(rf"([{_UNSPACED}])")
_KATAKANA = re.compile("([゠-ヿㇰ-ㇿ])")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")


@lru_cache(maxsize=1 << 16)
def normalise(text: str, language: str = "en") -> str:
    """The canonical form of a text: words separated by single spaces.

    The function is idempotent: normalising a normalised text does not change it. The exception is in `european`.

    Args:
        language: BCP-47 tag; `NUMERIC_LANGUAGES` have their own rules. The region of an English tag decides how
            4/7/1969 is read, and the region of a European one which decimal sign counts. All other languages share one
            set of rules, which reads numbers in digits only; each character of a script without spaces is a word.
    """
    tag = language.lower().replace("_", "-")
    primary = primary_language(tag)
    if primary == "en":
        return normalise_english(text, day_first=is_day_first(tag))
    if primary == "ko":
        return normalise_korean(text)
    if primary in european.LANGUAGES:
        return european.normalise_european(text, tag)
    if primary in han.LANGUAGES:
        return han.normalise_han(text, primary)
    return _unspaced(text)


def is_day_first(language: str) -> bool:
    """Whether texts of a language write 4/7/1969 for 4 July."""
    return language.lower().replace("_", "-") not in _MONTH_FIRST


def units(text: str, language: str = "en") -> list[str]:
    """The units that error rates and F1 count in normalised text: words, or characters in unspaced scripts and Korean.

    Korean spacing is optional in many places (한국 사람, 한국사람), so word counts would measure spelling.
    """
    if primary_language(language) == "ko":
        return list(text.replace(" ", ""))
    # Only katakana are kept together by the normaliser.
    return (text if text.isascii() else _KATAKANA.sub(r" \1 ", text)).split()


def _is_word(c: str) -> bool:
    # Letters, numbers and combining marks: without marks, vowel signs of Thai or Hindi would split words.
    return unicodedata.category(c)[0] in "LNM"


def _unspaced(text: str) -> str:
    """NFKC, lower case, no punctuation; every character of an unspaced script becomes a separate word.

    Word error rates of the result are therefore character error rates, while Latin words and numbers inside the text
    are kept together.
    """
    # One pass can create work for the next (NFKC of a lower-cased character), so it is repeated until nothing changes.
    for _ in range(4):
        before = text
        text = unicodedata.normalize("NFKC", text).lower()
        text = _THOUSANDS.sub("", text)
        # A decimal point is protected by \0 while punctuation is removed.
        text = re.sub(r"(?<=\d)\.(?=\d)", "\0", text)
        text = "".join(c if _is_word(c) or c == "\0" else " " for c in text).replace("\0", ".")
        text = " ".join(_CHARACTER.sub(r" \1 ", text).split())
        if text == before:
            break
    return text


__all__ = ["NORMALISER_VERSION", "NUMERIC_LANGUAGES", "is_day_first", "normalise", "units"]
