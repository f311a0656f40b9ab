"""Word errors of a transcript against a reference; counts are pooled before they are divided."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from omnigap_orchestrator.scoring.normalise import normalise, units


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


def pooled(errors: Iterable[WordErrors]) -> WordErrors:
    """The sum of many counts: long texts weigh more, as in a corpus error rate."""
    return sum(errors, NO_ERRORS)
