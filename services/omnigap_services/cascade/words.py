"""Words and number words: how questions and facts are split before they are compared."""

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
    """Lower-case words and numbers; accents dropped, possessive 's dropped, number words under a hundred as digits."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    found = []
    for match in _WORD.finditer(plain.replace("’", "'")):
        word = match.group().split("'")[0]
        found.append(str(NUMBERS[word]) if word in NUMBERS else word)
    return found


def number_word(word: str) -> str | None:
    """The number word that a word is, or that it was misheard from (one edit in five letters); None if it is none."""
    if word in NUMBERS or word in SCALES:
        return word
    if len(word) < 4:
        return None
    near = process.extractOne(word, _NUMBER_WORDS, scorer=OSA.normalized_similarity, score_cutoff=0.75)
    return near[0] if near else None
