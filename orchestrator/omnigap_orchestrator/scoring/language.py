"""Tells from the script alone that an answer is in another language than its item: Hangul or Cyrillic in English."""

from __future__ import annotations

import re

_SCRIPTS: dict[str, str] = {
    "latin": "A-Za-zªºÀ-ÖØ-öø-ʯḀ-ỿＡ-Ｚａ-ｚ",
    "greek": "Ͱ-Ͽἀ-῿",
    "cyrillic": "Ѐ-ԯᲀ-ᲈⷠ-ⷿꙀ-ꚟ",
    "hebrew": "֐-׿",
    "arabic": "؀-ۿݐ-ݿࢠ-ࣿﭐ-﷿ﹰ-﻿",
    "devanagari": "ऀ-ॿ",
    "bengali": "ঀ-৿",
    "tamil": "஀-௿",
    "thai": "฀-๿",
    "kana": "぀-ヿㇰ-ㇿ",
    "hangul": "ᄀ-ᇿ㄰-㆏가-힣",
    "han": "㐀-䶿一-鿿豈-﫿",
}
_PATTERNS = {name: re.compile(f"[{ranges}]") for name, ranges in _SCRIPTS.items()}
_ANY = re.compile(f"[{''.join(_SCRIPTS.values())}]")

_EXPECTED: dict[str, frozenset[str]] = {
    "ko": frozenset(("hangul",)),
    "ja": frozenset(("kana", "han")),
    "zh": frozenset(("han",)),
    "yue": frozenset(("han",)),
    "ru": frozenset(("cyrillic",)),
    "uk": frozenset(("cyrillic",)),
    "bg": frozenset(("cyrillic",)),
    "el": frozenset(("greek",)),
    "he": frozenset(("hebrew",)),
    "ar": frozenset(("arabic",)),
    "fa": frozenset(("arabic",)),
    "ur": frozenset(("arabic",)),
    "hi": frozenset(("devanagari",)),
    "mr": frozenset(("devanagari",)),
    "bn": frozenset(("bengali",)),
    "ta": frozenset(("tamil",)),
    "th": frozenset(("thai",)),
}
_LATIN = frozenset(("latin",))

LEAST_SHARE = 0.5
"""An answer is in its language when at least this share of its letters is in one of the language's scripts."""
LATIN_WORDS = 4
"""So many Latin words and nothing else make an answer to a question in another script foreign; fewer may be a name."""


def wrong_language(text: str, language: str) -> bool:
    """Whether the letters of a text show that it is not in `language` (a BCP 47 tag).

    Languages of one script (English, German) are not told apart. Text without letters is in every language. Latin
    letters are at home everywhere in small numbers (NASA, DNA).
    """
    if text.isascii() and language[:2].lower() == "en":
        return False
    expected = _EXPECTED.get(language.partition("-")[0].lower(), _LATIN)
    letters = len(_ANY.findall(text))
    if not letters:
        return False
    at_home = sum(len(_PATTERNS[script].findall(text)) for script in expected)
    if expected is _LATIN:
        return at_home < LEAST_SHARE * letters
    latin = len(_PATTERNS["latin"].findall(text))
    if latin == letters:
        return len(text.split()) >= LATIN_WORDS
    return at_home < LEAST_SHARE * (letters - latin)
