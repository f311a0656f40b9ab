"""What of a question must not get lost: numbers, negations, names, choices with their letters, alternatives."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from rapidfuzz import fuzz
from rapidfuzz.distance import Levenshtein

from omnigap.vocabulary import CHOICE_LETTERS, primary_language
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.scoring import gold_forms
from omnigap_orchestrator.scoring.korean import KOREAN_LETTER_NAMES
from omnigap_orchestrator.scoring.letters import LETTER_NAMES
from omnigap_orchestrator.scoring.metrics import question_alternatives
from omnigap_orchestrator.scoring.normalise import normalise, units


class Kind(StrEnum):
    """Why a piece of a question decides over its answer."""

    NUMBER = "number"
    NEGATION = "negation"
    NAME = "name"
    CHOICE = "choice"
    # A word of a gold answer that stands in the question, or one of its alternatives ("shell or ring").
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Key:
    """A piece of a question, normalised; several words are looked for in a row."""

    kind: Kind
    text: str
    count: int = 1


_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_NEGATIONS = {
    "en": frozenset(["not", "no", "never", "without", "except", "nor", "neither", "none"]),
    "de": frozenset(["nicht", "kein", "keine", "keinen", "keiner", "nie", "ohne", "außer"]),
    "es": frozenset(["no", "nunca", "sin", "excepto", "ninguno", "ninguna"]),
    "fr": frozenset(["pas", "jamais", "sans", "sauf", "aucun", "aucune"]),
}
_KOREAN_NEGATION = re.compile(r"\S*(?:않|아니|아닌|아닙|없|못)\S*")
_WORD = re.compile(r"[^\W\d_][\w'’-]*")
_SENTENCE_END = ".?!:;\n"


def keys_of(item: Item, said: str) -> tuple[Key, ...]:
    """The key pieces of a question as it is shown or read aloud; letters of choices are apart (`letters_of`).

    Args:
        said: what the carrier should say, the choices included.
    """
    text = normalise(said, item.language)
    padded = f" {text} "
    found: dict[str, Key] = {}

    def add(kind: Kind, key: str, count: int = 1) -> None:
        # An article that begins a title is no word of the normalised text.
        stands = kind is Kind.NUMBER or f" {key} " in padded
        if key and stands and key not in found:
            found[key] = Key(kind, key, count)

    for number, count in Counter(numbers_of(text)).items():
        add(Kind.NUMBER, number, count)
    for word in _negations(text, item.language):
        add(Kind.NEGATION, word)
    for choice in item.choices:
        add(Kind.CHOICE, normalise(choice, item.language))
    alternatives = question_alternatives(normalise(item.question, item.language))
    for answer in (*gold_forms(item.answers, item.language), *alternatives):
        if len(answer) > 1:
            add(Kind.ANSWER, answer)
    for name in names_of(item.question):
        add(Kind.NAME, normalise(name, item.language))
    return tuple(found.values())


def letters_of(item: Item) -> str:
    """The letters that must be read back, each before its choice."""
    return CHOICE_LETTERS[: len(item.choices)]


def numbers_of(text: str) -> list[str]:
    """The numbers of a normalised text, whatever counter or ending stands behind them."""
    return _NUMBER.findall(text)


def names_of(text: str) -> list[str]:
    """Runs of words with a capital letter that do not begin a sentence; scripts without capitals have none."""
    names: list[str] = []
    end = -1
    for match in _WORD.finditer(text):
        before = text[: match.start()].rstrip(" \"'“‘(")
        begins = not before or before[-1] in _SENTENCE_END
        if not match[0][0].isupper() or begins or match[0] == "I":
            continue
        if names and text[end : match.start()] == " ":
            names[-1] += f" {match[0]}"
        else:
            names.append(match[0])
        end = match.end()
    return names


def _negations(text: str, language: str) -> list[str]:
    primary = primary_language(language)
    if primary == "ko":
        return [match[0] for match in _KOREAN_NEGATION.finditer(text)]
    known = _NEGATIONS.get(primary, frozenset())
    return [word for word in text.split() if word in known]


# Compares what a reader read back with what a carrier should say, through the normaliser of the scores.

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
    if not letters:
        return found
    return [LETTER_NAMES[unit].lower() if LETTER_NAMES.get(unit, "-") in letters else unit for unit in found]


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
        return KOREAN_LETTER_NAMES.get(piece, "")
    return LETTER_NAMES.get(piece.lower(), "")
