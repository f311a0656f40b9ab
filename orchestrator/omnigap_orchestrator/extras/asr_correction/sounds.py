"""How alike two answers sound: edits between keys of their sounds, and lists of what is misheard for what."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

ALIKE = 0.5
"""Texts further apart than this do not sound alike (0: the same sounds, 1: nothing in common)."""

MOST = 50

_SPELLINGS: tuple[tuple[str, str], ...] = (
    (r"tch|ch", "C"),
    (r"dge?(?=[eiy]|$)|dj", "j"),
    (r"sch|sh|(?<=[a-z])ti(?=on)", "S"),
    (r"th", "T"),
    (r"ph|gh(?=$)", "f"),
    (r"gh", ""),
    (r"^kn|^gn|^pn", "n"),
    (r"^wr", "r"),
    (r"wh", "w"),
    (r"ck|qu?|c(?=[aoukrtl]|$)", "k"),
    (r"c", "s"),
    (r"x", "ks"),
    (r"z", "z"),
    (r"(?<=[a-zCST])e$", ""),
)
_COARSE = str.maketrans("bdgvzjCmlT", "ptkfsSSnrt")
_VOWELS = re.compile(r"[aeiouy]+")
_RHYMES = ("bdpgtvecz", "jakh", "fsxlmn", "iy", "quw", "o", "r")

_SMALL: dict[int, tuple[int, ...]] = {
    0: (10,), 1: (9, 11), 2: (10, 12), 3: (13, 30), 4: (14, 40), 5: (9, 15), 6: (16, 60), 7: (11, 17),
    8: (18, 80), 9: (5, 19), 10: (2, 12), 11: (7, 12), 12: (20, 11),
}  # fmt: skip
_RHYMING_DIGIT = {"5": "9", "9": "5", "1": "9", "7": "1", "2": "3", "3": "2", "4": "5", "6": "8", "8": "6", "0": "8"}
_NAMES = (
    ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"),
    ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
     "December"),
)  # fmt: skip
_NUMBER = re.compile(r"\d+")


@lru_cache(maxsize=1 << 17)
def sound_key(text: str) -> str:
    """The sounds of a text in one letter each, as English spells them; other scripts by their letters or jamo."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text).casefold() if not unicodedata.combining(c))
    words = []
    for word in re.findall(r"\w+", plain):
        for pattern, sound in _SPELLINGS:
            word = re.sub(pattern, sound, word)
        word = re.sub(r"(.)\1+", r"\1", word)
        words.append(_VOWELS.sub(lambda run: "A" if run[0][0] in "aei" else "O" if run[0][0] in "ou" else "A", word))
    return "".join(words)


def distance(first: str, second: str) -> float:
    """How unlike two texts sound, 0 to 1: edits over sounds, where p and b, or m and n, are half the same."""
    a, b = sound_key(first), sound_key(second)
    if not a or not b:
        return float(a != b)
    fine = float(Levenshtein.normalized_distance(a, b))
    return (fine + float(Levenshtein.normalized_distance(a.translate(_COARSE), b.translate(_COARSE)))) / 2


def nearest(text: str, pool: Iterable[str]) -> list[str]:
    """Texts of a pool that sound like this one, nearest first, at most `MOST`; what is spelt alike is left out."""
    others = [other for other in dict.fromkeys(pool) if other.casefold() != text.casefold()]
    # One pass over all by the finer key alone, in C: a pool may hold every answer of a large benchmark.
    keys = [sound_key(other) for other in others]
    found = process.extract(sound_key(text), keys, scorer=Levenshtein.normalized_distance, limit=MOST)
    ranked = sorted((distance(text, others[place]), others[place]) for _, _, place in found)
    return [other for far, other in ranked if far <= ALIKE]


def rhyming_letters(letter: str) -> list[str]:
    """The letters whose names rhyme with this one's, nearest in sound first: D P G T ... for B."""
    group = next((group for group in _RHYMES if letter.casefold() in group), "")
    own = group.find(letter.casefold())
    others = sorted((place for place in range(len(group)) if place != own), key=lambda place: abs(place - own))
    return [group[place].upper() for place in others]


def neighbouring_numbers(text: str) -> list[str]:
    """The text with its last number changed to one misheard for it: 13 and 30, 5 and 9, 7 and 11, 1945 and 1949.

    Empty where it holds no number in digits.
    """
    found = list(_NUMBER.finditer(text))
    if not found:
        return []
    last = found[-1]
    # In "October 31" the number is a day.
    highest = 31 if any(c.isalpha() for c in text[: last.start()]) and int(last[0]) <= 31 else None
    return [
        f"{text[: last.start()]}{other}{text[last.end() :]}"
        for other in dict.fromkeys(_neighbours(last[0]))
        if other != last[0] and (highest is None or 1 <= int(other) <= highest)
    ]


def _neighbours(digits: str) -> Iterable[str]:
    number, end = int(digits), int(digits) % 100
    if 13 <= end <= 19:
        yield str(number - end + 10 * (end % 10))
    if end in range(30, 100, 10):
        yield str(number - end + 10 + end // 10)
    if number in _SMALL:
        yield from map(str, _SMALL[number])
    yield digits[:-1] + _RHYMING_DIGIT[digits[-1]]
    yield str(number + 1)
    yield str(abs(number - 1))


def neighbouring_names(text: str) -> list[str]:
    """The other days or months for a text that is one, nearest in sound first."""
    for names in _NAMES:
        if text in names:
            return sorted((other for other in names if other != text), key=lambda other: distance(text, other))
    return []
