"""Compares a readback with the text that a carrier should contain: word errors and missing key pieces.

Key pieces are the parts of a question that its answer depends on: numbers, negations, names, choices with their
letters, and alternatives.
"""

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
from omnigap_orchestrator.scoring.metrics import question_alternatives
from omnigap_orchestrator.scoring.normalise import normalise, units
from omnigap_orchestrator.scoring.reading.english.letter import LETTER_NAMES
from omnigap_orchestrator.scoring.reading.languages.letter import KOREAN_LETTER_NAMES


class Kind(StrEnum):
    """Kind of a key piece."""

    NUMBER = "number"
    NEGATION = "negation"
    NAME = "name"
    CHOICE = "choice"
    # A gold answer that occurs in the question, or one of the question's alternatives ("shell or ring").
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class KeyPiece:
    """A normalised key piece that must occur `count` times; several words must be consecutive."""

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


def key_pieces(item: Item, said: str) -> tuple[KeyPiece, ...]:
    """The key pieces of a question, without the letters of its choices (`letters_of`).

    Args:
        said: the text that the carrier should contain, with the choices.
    """
    text = normalise(said, item.language)
    padded = f" {text} "
    found: dict[str, KeyPiece] = {}

    def add(kind: Kind, key: str, count: int = 1) -> None:
        # The normaliser drops a leading article, so a title that starts with one may not occur in the text.
        occurs = kind is Kind.NUMBER or f" {key} " in padded
        if key and occurs and key not in found:
            found[key] = KeyPiece(kind, key, count)

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
    """The letters of the choices; each must be read back before its choice."""
    return CHOICE_LETTERS[: len(item.choices)]


def numbers_of(text: str) -> list[str]:
    """The numbers of a normalised text, without counters or endings that follow them."""
    return _NUMBER.findall(text)


def names_of(text: str) -> list[str]:
    """Runs of capitalised words that do not start a sentence; scripts without capital letters have none."""
    names: list[str] = []
    end = -1
    for match in _WORD.finditer(text):
        before = text[: match.start()].rstrip(" \"'“‘(")
        begins = not before or before[-1] in _SENTENCE_END
        # "I" is the only English word that is always capitalised without being a name.
        if not match[0][0].isupper() or begins or match[0] == "I":
            continue
        # Consecutive capitalised words are one name.
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


SIMILAR = 60.0
"""Similarity (0 to 100, edit distance relative to both lengths) above which a word counts as misspelt, not as lost:
giraff for giraffe."""

_MIN_LETTERS_INSIDE = 5
"""Length from which a word may match inside a longer one: apple in bigapple, but not ring in string."""

_PIECES = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Comparison:
    """A readback compared with the expected text. Units are words; in Korean and unspaced scripts, characters.

    Attributes:
        errors: insertions, deletions and substitutions; a missing or additional space inside a word is not an error.
        words: units of the expected text.
        gone: expected units without a similar unit in the readback.
        gap: longest run of expected units without any counterpart in the readback.
        missing: key pieces that were not read back, each as `kind text`.
    """

    errors: int
    words: int
    gone: int
    gap: int
    missing: tuple[str, ...]

    @property
    def word_error(self) -> float:
        """Errors over expected units; 0 for an empty text."""
        return self.errors / self.words if self.words else 0.0


def compare(item: Item, said: str, read: str) -> Comparison:
    """Compares a readback with the expected text of a carrier, after the normaliser of the scores.

    Args:
        said: the text that was rendered or spoken.
        read: the text that a reader returned.
    """
    language = item.language
    expected, found = normalise(said, language), normalise(read, language)
    errors = gone = gap = 0
    # ASR may write a spoken letter by its name, "bee" for B: replaced on both sides.
    reference = _lettered(units(expected, language), item)
    readback = _lettered(units(found, language), item)
    for reference_at, readback_at in _differences(reference, readback):
        left, right = reference[reference_at.start : reference_at.stop], readback[readback_at.start : readback_at.stop]
        # Joined, so that a space in the wrong place makes no difference.
        expected_run, read_run = "".join(left), "".join(right)
        if expected_run == read_run:
            continue
        # Substitutions for the shorter side, insertions or deletions for the rest.
        errors += max(len(left), len(right))
        if left and fuzz.ratio(expected_run, read_run) < SIMILAR:
            gone += len(left)
            # Only units without any counterpart count as a gap; replaced words may be misread ones.
            gap = max(gap, len(left) - len(right))
    missing = [f"{key.kind} {key.text}" for key in key_pieces(item, said) if not _contains(key, found, language)]
    missing += [f"letter {letter}" for letter in _missing_letters(item, said, read)]
    return Comparison(errors, len(reference), gone, gap, tuple(missing))


def _lettered(found: list[str], item: Item) -> list[str]:
    letters = letters_of(item)
    if not letters:
        return found
    return [LETTER_NAMES[unit].lower() if LETTER_NAMES.get(unit, "-") in letters else unit for unit in found]


def _differences(reference: Sequence[str], readback: Sequence[str]) -> list[tuple[range, range]]:
    """The ranges in which two token lists differ; adjacent edit operations are merged into one range."""
    ranges: list[tuple[range, range]] = []
    adjacent = False
    for block in Levenshtein.opcodes(reference, readback):
        if block.tag == "equal":
            adjacent = False
            continue
        source, target = range(block.src_start, block.src_end), range(block.dest_start, block.dest_end)
        if adjacent:
            before = ranges.pop()
            source, target = range(before[0].start, source.stop), range(before[1].start, target.stop)
        ranges.append((source, target))
        adjacent = True
    return ranges


def _contains(key: KeyPiece, text: str, language: str) -> bool:
    """Whether a normalised readback contains a key piece; spaces are ignored."""
    if key.kind is Kind.NUMBER:
        return Counter(numbers_of(text))[key.text] >= key.count
    if f" {key.text} " in f" {text} ":
        return True
    joined = key.text.replace(" ", "")
    # Korean attaches particles to words, and non-ASCII scripts are mostly written without spaces.
    inside = primary_language(language) == "ko" or len(joined) >= _MIN_LETTERS_INSIDE or not joined.isascii()
    return inside and joined in text.replace(" ", "")


def _missing_letters(item: Item, said: str, read: str) -> list[str]:
    """The letters of choices that are not in their place in the readback, neither as a letter nor by name."""
    letters = letters_of(item)
    if not letters:
        return []
    reference, readback = _PIECES.findall(said), _PIECES.findall(read)
    # Only the letter in front of its choice counts: the "a" of "a plumber" is not the letter A.
    places = _letter_places(reference, item, letters)
    lowered = [piece.lower() for piece in reference], [piece.lower() for piece in readback]
    lost: set[int] = set()
    for source, target in _differences(*lowered):
        named = [_as_letter(readback[place], item.language) for place in target]
        lost.update(place for place in source if place in places and places[place] not in named)
    return [letter for place, letter in places.items() if place in lost]


def _letter_places(reference: Sequence[str], item: Item, letters: str) -> dict[int, str]:
    """Position -> letter of each choice among the words of the expected text."""
    # Backwards from the end, because the choices come last and the question may contain the same letters.
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
