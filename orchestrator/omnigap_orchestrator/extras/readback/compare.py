"""Compares what a reader read back with what a carrier should say, through the normaliser of the scores."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz
from rapidfuzz.distance import Levenshtein

from omnigap.vocabulary import primary_language
from omnigap_orchestrator.extras.readback.keys import Key, Kind, keys_of, letters_of, numbers_of
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.scoring.korean import LETTER_NAMES
from omnigap_orchestrator.scoring.letters import NAMES
from omnigap_orchestrator.scoring.normalise import normalise, units

ALIKE = 60.0
"""Similarity (0 to 100, edits over both lengths) from which other words still stand for these: giraff for giraffe."""

_SAFE_INSIDE = 5
"""Letters from which a word may be found inside a longer one: bigapple holds apple, string does not hold ring."""

_PIECES = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Comparison:
    """A carrier's words and what came back of them. Units are words; in Korean and unspaced scripts characters.

    Attributes:
        errors: insertions, deletions and substitutions; a word that only lost or won a blank is no error.
        words: units of what should have come back.
        gone: units for which nothing like them came back.
        gap: the longest run of units for which nothing at all came back.
        missing: key pieces that did not come back, each as `kind text`.
    """

    errors: int
    words: int
    gone: int
    gap: int
    missing: tuple[str, ...]

    @property
    def word_error(self) -> float:
        """(I + D + S) / T; 0 where there is nothing to read."""
        return self.errors / self.words if self.words else 0.0


def compare(item: Item, said: str, read: str) -> Comparison:
    """Compares a reading with what the carrier of an item should say.

    Args:
        said: the words that were drawn or spoken.
        read: what a reader made of the carrier.
    """
    language = item.language
    expected, found = normalise(said, language), normalise(read, language)
    errors = gone = gap = 0
    # A spoken letter may be written by its name: "bee" for B, on both sides alike.
    reference = _lettered(units(expected, language), item)
    heard = _lettered(units(found, language), item)
    for ours_at, theirs_at in _differences(reference, heard):
        left, right = reference[ours_at.start : ours_at.stop], heard[theirs_at.start : theirs_at.stop]
        ours, theirs = "".join(left), "".join(right)
        if ours == theirs:
            continue
        errors += max(len(left), len(right))
        if left and fuzz.ratio(ours, theirs) < ALIKE:
            gone += len(left)
            gap = max(gap, len(left) - len(right))
    missing = [f"{key.kind} {key.text}" for key in keys_of(item, said) if not _held(key, found, language)]
    missing += [f"letter {letter}" for letter in _lost_letters(item, said, read)]
    return Comparison(errors, len(reference), gone, gap, tuple(missing))


def _lettered(found: list[str], item: Item) -> list[str]:
    letters = letters_of(item)
    return [NAMES[unit].lower() if NAMES.get(unit, "-") in letters else unit for unit in found] if letters else found


def _differences(reference: Sequence[str], heard: Sequence[str]) -> list[tuple[range, range]]:
    """The places at which two token lists differ, steps that touch each other joined to one."""
    stretches: list[tuple[range, range]] = []
    touching = False
    for block in Levenshtein.opcodes(reference, heard):
        if block.tag == "equal":
            touching = False
            continue
        ours, theirs = range(block.src_start, block.src_end), range(block.dest_start, block.dest_end)
        if touching:
            before = stretches.pop()
            ours, theirs = range(before[0].start, ours.stop), range(before[1].start, theirs.stop)
        stretches.append((ours, theirs))
        touching = True
    return stretches


def _held(key: Key, text: str, language: str) -> bool:
    """Whether a normalised reading holds a key piece, whatever the blanks."""
    if key.kind is Kind.NUMBER:
        return Counter(numbers_of(text))[key.text] >= key.count
    if f" {key.text} " in f" {text} ":
        return True
    joined = key.text.replace(" ", "")
    inside = primary_language(language) == "ko" or len(joined) >= _SAFE_INSIDE or not joined.isascii()
    return inside and joined in text.replace(" ", "")


def _lost_letters(item: Item, said: str, read: str) -> list[str]:
    """The letters of choices that do not stand, written or by their names, where they should."""
    letters = letters_of(item)
    if not letters:
        return []
    reference, heard = _PIECES.findall(said), _PIECES.findall(read)
    # Only a letter that opens a choice is one; the article "a" of another choice is not.
    places = _letter_places(reference, item, letters)
    lowered = [piece.lower() for piece in reference], [piece.lower() for piece in heard]
    lost: set[int] = set()
    for ours, theirs in _differences(*lowered):
        named = [_as_letter(heard[place], item.language) for place in theirs]
        lost.update(place for place in ours if place in places and places[place] not in named)
    return [letter for place, letter in places.items() if place in lost]


def _letter_places(reference: Sequence[str], item: Item, letters: str) -> dict[int, str]:
    """Where each choice's letter stands among the pieces of what should be said: from the end, choice by choice."""
    places: dict[int, str] = {}
    end = len(reference)
    for letter, choice in reversed(list(zip(letters, item.choices, strict=True))):
        end -= len(_PIECES.findall(choice)) + 1
        if 0 <= end < len(reference) and reference[end] == letter:
            places[end] = letter
    return dict(sorted(places.items()))


def _as_letter(piece: str, language: str) -> str:
    if len(piece) == 1 and piece.isascii():
        return piece.upper()
    if primary_language(language) == "ko":
        return LETTER_NAMES.get(piece, "")
    return NAMES.get(piece.lower(), "")
