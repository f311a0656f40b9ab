"""Splits questions and facts into comparable words, and recognises number words."""

from __future__ import annotations

import re
import unicodedata

from rapidfuzz import process
from rapidfuzz.distance import OSA

_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")

# fmt: off
_UNITS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
# fmt: on
NUMBERS = {word: value for value, word in enumerate(_UNITS)} | {
    word: 10 * value for value, word in enumerate(_TENS, start=2)
}
SCALES = {"hundred": 100, "thousand": 1000, "million": 1_000_000}
_NUMBER_WORDS = (*NUMBERS, *SCALES)

# fmt: off
STOP_WORDS = frozenset({
    "a", "an", "the", "of", "in", "on", "at", "is", "are", "was", "were", "be", "do", "does", "did", "has", "have",
    "had", "what", "which", "who", "whom", "whose", "where", "when", "how", "with", "to", "for", "from", "by", "and",
    "or", "that", "this", "these", "those", "it", "its", "as", "into", "than", "then", "there", "their", "we", "you",
    "your", "our", "us", "i", "me", "my", "so", "such", "he", "she", "they", "them", "his", "her", "not", "no", "can",
    "could", "would", "will", "shall", "may", "might", "must", "if", "but", "about",
})
# fmt: on


def words_of(text: str) -> list[str]:
    """Lower-case words without accents and possessive 's; number words below one hundred become digits."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    found = []
    for match in _WORD.finditer(ascii_text):
        word = match.group().split("'")[0]
        found.append(str(NUMBERS[word]) if word in NUMBERS else word)
    return found


def number_word(word: str) -> str | None:
    """The number word that an ASR transcript means by a word; None if it means none.

    One edit in five letters is forgiven. Words below four letters must match exactly: too many others are one edit
    away from "one", "two" or "ten".
    """
    if word in NUMBERS or word in SCALES:
        return word
    if len(word) < 4:
        return None
    near = process.extractOne(word, _NUMBER_WORDS, scorer=OSA.normalized_similarity, score_cutoff=0.75)
    return near[0] if near else None
