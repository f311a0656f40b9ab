"""Normalises scripts written without spaces, and any other language: characters in one form, punctuation out."""

from __future__ import annotations

import re
import unicodedata

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


def _is_word(c: str) -> bool:
    return unicodedata.category(c)[0] in "LNM"


def normalise_unspaced(text: str) -> str:
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
