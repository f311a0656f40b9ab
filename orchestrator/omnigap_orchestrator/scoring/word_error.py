"""Word errors of a transcript against a reference, with the alignment; counts are pooled before they are divided."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from omnigap_orchestrator.scoring.normalise import normalise, units


@dataclass(frozen=True, slots=True)
class Pair:
    """One step of an alignment: a reference word and what was heard for it; None on one side for a gap."""

    reference: str | None
    hypothesis: str | None


@dataclass(frozen=True, slots=True)
class WordErrors:
    """Counts of one or more transcripts; `+` pools them.

    Attributes:
        words: of the reference (T).
    """

    insertions: int
    deletions: int
    substitutions: int
    words: int

    def __add__(self, other: WordErrors) -> WordErrors:
        return WordErrors(
            self.insertions + other.insertions,
            self.deletions + other.deletions,
            self.substitutions + other.substitutions,
            self.words + other.words,
        )

    @property
    def rate(self) -> float | None:
        """(I + D + S) / T; may exceed 1. None where the reference has no words."""
        return (self.insertions + self.deletions + self.substitutions) / self.words if self.words else None

    @property
    def coverage(self) -> float | None:
        """The share of reference words for which something was heard, (T - D) / T. None without words."""
        return (self.words - self.deletions) / self.words if self.words else None


NO_ERRORS = WordErrors(0, 0, 0, 0)


def count_errors(reference: list[str], hypothesis: list[str]) -> WordErrors:
    """Counts the edits of a shortest alignment of two token lists."""
    insertions = deletions = substitutions = 0
    for step in Levenshtein.editops(reference, hypothesis):
        if step.tag == "insert":
            insertions += 1
        elif step.tag == "delete":
            deletions += 1
        else:
            substitutions += 1
    return WordErrors(insertions, deletions, substitutions, len(reference))


def _units(text: str, language: str) -> list[str]:
    return units(normalise(text, language), language)


def word_errors(reference: str, hypothesis: str, language: str = "en") -> WordErrors:
    """Word errors of a hypothesis, both normalised first; character errors in Korean and scripts without spaces.

    The reference is what should have been said (the own text, the gold), the hypothesis what was heard.
    """
    return count_errors(_units(reference, language), _units(hypothesis, language))


def character_errors(reference: str, hypothesis: str, language: str = "en") -> WordErrors:
    """The same over the characters of the normalised texts, spaces left out."""
    return count_errors(
        list(normalise(reference, language).replace(" ", "")), list(normalise(hypothesis, language).replace(" ", ""))
    )


def pooled(errors: Iterable[WordErrors]) -> WordErrors:
    """The sum of many counts: long texts weigh more, as in a corpus error rate."""
    return sum(errors, NO_ERRORS)


def align(reference: str, hypothesis: str, language: str = "en") -> tuple[Pair, ...]:
    """The alignment behind `word_errors`, in the order of the text, for showing where words were lost."""
    said, heard = _units(reference, language), _units(hypothesis, language)
    pairs: list[Pair] = []
    for block in Levenshtein.opcodes(said, heard):
        left: list[str | None] = [*said[block.src_start : block.src_end]]
        right: list[str | None] = [*heard[block.dest_start : block.dest_end]]
        length = max(len(left), len(right))
        left += [None] * (length - len(left))
        right += [None] * (length - len(right))
        pairs += [Pair(a, b) for a, b in zip(left, right, strict=True)]
    return tuple(pairs)
