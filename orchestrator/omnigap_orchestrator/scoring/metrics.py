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
        return (self.insertions + self.deletions + self.substitutions) / self.words if self.words else None

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
            `unparsable` if the metric needs a letter, a number or a label and found none, or several.
    """

    score: float
    metric: str
    answer: str
    parsed: str | None = None
    flags: tuple[Flag, ...] = ()

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
    """

    name: str
    score: Callable[[Item, str, str], Scored]
    lacks: Callable[[Item], str] = lambda item: ""
    needs_gold: bool = True
    needs_checks: bool = False
    takes_refusals: bool = False


MAX_ANSWER_WORDS = 50
"""Number of words of an answer that containment searches. A gold answer deep in a long list is not an answer, but
speech answers often have a sentence or two around it."""

# Words that may be between a negation and the gold answer: "not in Paris", "rather than from Lyon".
_FILLERS = "(?:in|at|on|by|from|of|for|called|named_options|really|actually|it is|be|likely|named_options after)"
# Negation directly before the gold answer: "not Paris", "rather than in Paris".
_NEGATION = re.compile(
    r"\b(?:not|never|neither|nor|rather than|instead of|except(?: for)?|other than|unlike) "
    rf"(?:{_FILLERS} ){{0,2}}$"
)
# "Paris is not the answer" denies Paris; "Paris is not only the capital" does not.
_DENIAL = re.compile(
    r" (?:(?:is|was|are|were) (?:not(?! only| just)|wrong|incorrect|false)|would be (?:wrong|incorrect))\b"
)
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


def contains(answer: str, golds: Sequence[str], *, distractors: Sequence[str] = ()) -> Match:
    """Scores 1 if a gold answer occurs, at word boundaries, in the first `MAX_ANSWER_WORDS` words and is asserted.

    It is not asserted if every occurrence is denied ("not Paris", "Paris is wrong", "Lyon rather than Paris"), or if
    the answer does not decide between the gold answer and a distractor ("star or spoon").

    Args:
        distractors: the wrong alternatives named in the question.
    """
    if not answer:
        return NO_MATCH
    for gold in golds:
        if answer == gold:
            return Match(1.0, gold)
    words = answer.split(" ")
    undecided = _is_undecided(answer, golds, distractors)
    for gold in golds:
        # The limit grows with the length of the gold, so that a long gold phrase may have as many words around it.
        limit = MAX_ANSWER_WORDS + gold.count(" ")
        text = answer if len(words) <= limit else " ".join(words[:limit])
        if gold and not undecided and any(not is_denied(text, *span) for span in find_words(text, gold)):
            return Match(1.0, gold)
    return NO_MATCH


def find_words(text: str, part: str) -> list[tuple[int, int]]:
    """Character spans at which `part` occurs in `text` at word boundaries; both are normalised."""
    if part not in text:
        return []
    spans: list[tuple[int, int]] = []
    # Words of normalised text are separated by single spaces, so padding replaces slower regex word boundaries.
    padded, wanted = f" {text} ", f" {part} "
    at = padded.find(wanted)
    while at >= 0:
        spans.append((at, at + len(part)))
        at = padded.find(wanted, at + 1)
    return spans


def is_denied(text: str, start: int, end: int) -> bool:
    """Whether a normalised text denies its words at start:end: "not paris", "paris is wrong"."""
    return _NEGATION.search(text, 0, start) is not None or _DENIAL.match(text, end) is not None


def _is_undecided(answer: str, golds: Sequence[str], distractors: Sequence[str]) -> bool:
    """Whether the answer repeats a gold answer and a distractor as equal alternatives."""
    for distractor in distractors:
        # An alternative that is also an alias is a right answer, so "NYC or New York" is decided.
        if distractor in golds or distractor not in answer:
            continue
        for gold in golds:
            for first, second in ((distractor, gold), (gold, distractor)):
                if answer == f"{first} {second}" or find_words(answer, f"{first} or {second}"):
                    return True
                if find_words(answer, f"{first} and {second}"):
                    return True
    return False


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


@dataclass(frozen=True, slots=True)
class LabelMatch:
    """A label read from an answer.

    Attributes:
        score: 1 if the label is a gold label, else 0.
        label: the only label that the answer names; None if it names none, or several.
    """

    score: float
    label: str | None


def label_match(answer: str, golds: Sequence[str], labels: Sequence[str] = ()) -> LabelMatch:
    """Label accuracy: the answer must name exactly one label of the set.

    Args:
        labels: the full label set if it is known; without it the answer must contain a gold label.
    """
    if answer in labels or (not labels and answer in golds):
        return LabelMatch(float(answer in golds), answer)
    if not labels:
        match = contains(answer, golds)
        return LabelMatch(match.score, match.gold)
    found = named_options(answer, labels)
    label = found[0] if len(found) == 1 else None
    return LabelMatch(float(label in golds), label)


def named_options(answer: str, options: Sequence[str]) -> tuple[str, ...]:
    """The options that an answer names and does not deny. One found only inside a longer option does not count."""
    spans = {
        option: [span for span in find_words(answer, option) if not is_denied(answer, *span)]
        for option in options
        if option
    }
    taken = [span for found in spans.values() for span in found]

    def is_outermost(span: tuple[int, int]) -> bool:
        return not any(
            other[0] <= span[0] and span[1] <= other[1] and other[1] - other[0] > span[1] - span[0] for other in taken
        )

    return tuple(option for option, found in spans.items() if any(is_outermost(span) for span in found))
