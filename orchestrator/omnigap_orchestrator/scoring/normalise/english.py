"""Normalises English: one form for gold answers, own text and transcripts, so that only the content can differ."""

from __future__ import annotations

import re
import unicodedata

from omnigap_orchestrator.scoring.normalise import dates, numbers, units
from omnigap_orchestrator.scoring.normalise.spelling import AMERICAN
from omnigap_orchestrator.scoring.normalise.tables import listed
from omnigap_orchestrator.scoring.normalise.tokens import BREAK, tokenise

_MAX_PASSES = 12

_ASCII_FOLDS = str.maketrans(
    {
        "’": "'",
        "‘": "'",
        "ʼ": "'",
        "`": "'",
        "´": "'",
        "−": "-",
        "‐": "-",
        "‑": "-",
        "ß": "ss",
        "æ": "ae",
        "œ": "oe",
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "ı": "i",
        "⁄": "/",
    }
)
_FEET = re.compile(r"(?<=\d)'(?=\d)")
_VULGAR = re.compile(r"(?<=\d)(?=[¼½¾⅐-⅞])")

_ROMANS = {
    roman: value
    for value, roman in enumerate(
        listed("I II III IV V VI VII VIII IX X XI XII XIII XIV XV XVI XVII XVIII XIX XX XXI XXII XXIII XXIV XXV"), 1
    )
}
_ROMAN = re.compile(rf"(?<=[^\W\d_][^\W\d_] )(?:{'|'.join(r for r in sorted(_ROMANS, key=len)[::-1] if len(r) > 1)})\b")

_CONTRACTIONS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\bwon'?t\b", "will not"),
        (r"\bcan(?:'?t|not)\b", "can not"),
        (r"\bshan't\b", "shall not"),
        (r"\bain't\b", "is not"),
        (r"\b(do|does|did|is|are|was|were|has|have|had|could|would|should|must|need|might)n'?t\b", r"\1 not"),
        (r"\blet's\b", "let us"),
        (r"\b(i)'m\b", r"\1 am"),
        (r"\b(it|he|she|that|this|there|here|what|who|where|when|how|why)'s\b", r"\1 is"),
        (r"'re\b", " are"),
        (r"'ve\b", " have"),
        (r"'ll\b", " will"),
        (r"'d\b", " would"),
        (r"\bo'clock\b", "oclock"),
    )
)
_BARE_CONTRACTION = re.compile(
    r"\b(?:wont|cant|cannot|(?:do|does|did|is|are|was|were|has|have|had|could|would|should|must|might)nt)\b"
)

_WORDS = {
    "mt": "mount",
    "mr": "mister",
    "mrs": "missus",
    "dr": "doctor",
    "jr": "junior",
    "sr": "senior",
    "prof": "professor",
    "vs": "versus",
    "ok": "okay",
    "wwi": "world war 1",
    "wwii": "world war 2",
    "ww1": "world war 1",
    "ww2": "world war 2",
} | AMERICAN

_ARTICLES = frozenset(("a", "an", "the"))
_LETTERED = frozenset(
    listed("vitamin hepatitis grade type group plan letter option choice answer team section part class")
)
"""After these an "a" is a letter, not an article: vitamin A is not vitamin D."""


def normalise_english(text: str, *, day_first: bool = False) -> str:
    """Lower case words and digits, single spaces: numbers, dates, units and spelling in one form, no articles.

    A fixed point: normalising the result again changes nothing.
    """
    text = _ROMAN.sub(lambda match: str(_ROMANS[match[0]]), text)
    for _ in range(_MAX_PASSES):
        before, text = text, _once(text, day_first)
        if text == before:
            break
    return text


def _fold(text: str) -> str:
    """Lower case, plain apostrophes and hyphens, no diacritics; contractions written out."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", _VULGAR.sub(" ", text)).lower().translate(_ASCII_FOLDS)
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
        text = unicodedata.normalize("NFC", text).translate(_ASCII_FOLDS)
    text = _FEET.sub(" ", text.lower())
    if "'" in text or _BARE_CONTRACTION.search(text):
        for pattern, replacement in _CONTRACTIONS:
            text = pattern.sub(replacement, text)
        text = text.replace("'", "")
    return text


def _once(text: str, day_first: bool) -> str:
    tokens = tokenise(_fold(text))
    if any(token in numbers.STARTS or not token.isalpha() for token in tokens):
        tokens = units.convert(numbers.convert(tokens))
    if dates.has_date(tokens):
        tokens = dates.convert(tokens, day_first=day_first)
    words = _words([token for token in tokens if token != BREAK])
    kept = [
        word
        for i, word in enumerate(words)
        if word not in _ARTICLES or (word == "a" and (i + 1 == len(words) or (i and words[i - 1] in _LETTERED)))
    ]
    return " ".join(kept or words)


def _words(tokens: list[str]) -> list[str]:
    """Titles and spellings written one way, and single letters joined: j r r tolkien -> jrr tolkien."""
    result: list[str] = []
    i = 0
    while i < len(tokens):
        token = tokens[i]
        if len(token) == 1 and token.isalpha():
            end = i
            while end < len(tokens) and len(tokens[end]) == 1 and tokens[end].isalpha():
                end += 1
            result += _joined(tokens[i:end])
            i = end
            continue
        if token == "st" and i + 1 < len(tokens) and tokens[i + 1].isalpha():
            token = "saint"
        result.append(_WORDS.get(token, token))
        i += 1
    return result


def _joined(letters: list[str]) -> list[str]:
    """A run of single letters as one word; an article before it and an "I" behind it are words of their own."""
    head: list[str] = []
    tail: list[str] = []
    if len(letters) == 2 and letters[0] == "a":
        head, letters = letters[:1], letters[1:]
    if len(letters) > 1 and letters[-1] == "i":
        letters, tail = letters[:-1], letters[-1:]
    return [*head, "".join(letters), *tail]
