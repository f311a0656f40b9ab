"""Metric building blocks: word errors of a transcript, and matching of a normalised answer with the gold answers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rapidfuzz.distance import Levenshtein

from omnigap.vocabulary import Flag
from omnigap_orchestrator.scoring.normalise import normalise, units
from omnigap_orchestrator.scoring.normalise.korean_nouns import strip_copula

if TYPE_CHECKING:
    from omnigap_orchestrator.items.item import Item


@dataclass(frozen=True, slots=True)
class WordErrors:
    """Edit counts of one or more transcripts; `+` pools them.

    Attributes:
        words: number of reference words (T).
    """

    insertions: int
    deletions: int
    substitutions: int
    words: int

    @property
    def errors(self) -> int:
        return self.insertions + self.deletions + self.substitutions

    def __add__(self, other: WordErrors) -> WordErrors:
        return WordErrors(
            self.insertions + other.insertions,
            self.deletions + other.deletions,
            self.substitutions + other.substitutions,
            self.words + other.words,
        )

    @property
    def rate(self) -> float | None:
        """Word error rate, (I + D + S) / T; may exceed 1. None if the reference has no words."""
        return self.errors / self.words if self.words else None

    @property
    def coverage(self) -> float | None:
        """Share of reference words that were not deleted, (T - D) / T. None if the reference has no words."""
        return (self.words - self.deletions) / self.words if self.words else None


NO_ERRORS = WordErrors(0, 0, 0, 0)


def count_errors(reference: list[str], hypothesis: list[str]) -> WordErrors:
    """Counts the edits of a minimal Levenshtein alignment of two token lists."""
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
    """Word errors of a hypothesis against a reference, both normalised first.

    Korean and scripts without spaces are compared by character.

    Args:
        reference: what should have been said: the model's own text, or the gold answer.
        hypothesis: the transcript.
    """
    return count_errors(_units(reference, language), _units(hypothesis, language))


def pooled(errors: Iterable[WordErrors]) -> WordErrors:
    """Sums counts over transcripts: a corpus error rate, in which long texts weigh more."""
    return sum(errors, NO_ERRORS)


@dataclass(frozen=True, slots=True)
class Scored:
    """Score of one answer.

    Attributes:
        score: in [0, 1].
        metric: name of the metric, a key of `known_metrics()`.
        answer: the normalised answer that was compared.
        parsed: what was read from the answer: the letter, number or label, or the gold answer that it matched.
        flags: `refused` for a refusal or "I don't know", which scores 0 unless the metric expects a refusal;
            `unparsable` if the metric needs a letter, a number or a label and found none, or several; `hedged` if the
            answer leaves several values open; `negated` if it only denies the right one.
        step: the step of reading that decided (see `reading.Step`); None for metrics that read nothing.
    """

    score: float
    metric: str
    answer: str
    parsed: str | None = None
    flags: tuple[Flag, ...] = ()
    step: str | None = None

    @property
    def comparable(self) -> str:
        """The answer in the form used to compare answers to one item, in which "three" and "3" are equal.

        This is the parsed letter, number or label, or else the normalised words.
        """
        return self.parsed if self.parsed is not None and self.metric in _PARSING_METRICS else self.answer


_PARSING_METRICS = frozenset({"letter", "letters", "number", "label"})
"""Metrics whose `parsed` comes from the answer itself. For the others it is the gold answer that matched."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A named metric.

    Attributes:
        score: function of the item, the raw answer and the normalised answer.
        lacks: returns what the item lacks for this metric, as the end of a sentence; empty if nothing is missing. An
            item that lacks it would score every answer the same.
        needs_gold: whether items must have gold answers.
        needs_checks: whether items must have `checks`.
        takes_refusals: whether the metric scores refusals itself; other metrics give a refusal 0.
        chance: expected score of a guess, for a metric with a fixed set of answers; None: it follows from the item.
    """

    name: str
    score: Callable[[Item, str, str], Scored]
    lacks: Callable[[Item], str] = lambda item: ""
    needs_gold: bool = True
    needs_checks: bool = False
    takes_refusals: bool = False
    chance: float | None = None


# "star or spoon" in a question.
_OPTIONS = re.compile(r"(\w+) or (\w+)")


@dataclass(frozen=True, slots=True)
class Match:
    """Match of an answer with the gold answers.

    Attributes:
        score: in [0, 1].
        gold: the gold answer or alias that gave the score; None if the score is 0.
    """

    score: float
    gold: str | None = None


NO_MATCH = Match(0.0)


def exact_match(answer: str, golds: Sequence[str]) -> Match:
    """Scores 1 if the whole answer equals a gold answer."""
    return Match(1.0, answer) if answer and answer in golds else NO_MATCH


def exact_korean(answer: str, golds: Sequence[str]) -> Match:
    """Scores 1 if the answer, without spaces and final copula, equals a gold answer."""
    said = strip_copula(answer)
    for gold in golds:
        if said and said == strip_copula(gold):
            return Match(1.0, gold)
    return NO_MATCH


def question_alternatives(question: str) -> tuple[str, ...]:
    """The alternatives in a normalised question of the form "A or B", one word each; empty for other questions."""
    return tuple(word for pair in _OPTIONS.findall(question) for word in pair)


def token_f1(answer: str, golds: Sequence[str]) -> Match:
    """Token F1 as in SQuAD (arXiv 1606.05250): F1 over bags of words, the best over the gold answers."""
    best = NO_MATCH
    words = Counter(answer.split())
    for gold in golds:
        wanted = Counter(gold.split())
        common = (words & wanted).total()
        if common:
            f1 = 2 * common / (words.total() + wanted.total())
            if f1 > best.score:
                best = Match(f1, gold)
    return best
