"""The metrics: how an answer is compared with the gold answers; word errors of a transcript."""

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


@dataclass(frozen=True, slots=True)
class Scored:
    """What an answer is worth.

    Attributes:
        score: in [0, 1].
        metric: the name of the metric that gave it, a key of `METRICS`.
        answer: the answer as it was compared, normalised.
        parsed: what was read from it: the chosen letter, the number, the label, the gold that it matched.
        flags: `refused` for a refusal or "I don't know", which scores 0 but where refusing is what is asked for;
            `unparsable` where the metric needs a letter, a number or a label and found none, or several.
    """

    score: float
    metric: str
    answer: str
    parsed: str | None = None
    flags: tuple[Flag, ...] = ()

    @property
    def comparable(self) -> str:
        """The answer in the form in which the answers to one item are compared: "three" and "3" are the same.

        The letter, number or label that was read from it; else its normalised words.
        """
        return self.parsed if self.parsed is not None and self.metric in _READS else self.answer


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric by its name.

    Attributes:
        score: takes the item, the answer as given and the answer normalised.
        lacks: what the metric needs of an item and does not find, as the end of a sentence; empty where it finds all.
            Without it every answer would be right, or every one wrong.
        needs_gold: whether items must have gold answers.
        needs_checks: whether items must have `checks`.
        takes_refusals: whether it judges refusals itself; for all others a refusal scores 0.
    """

    name: str
    score: Callable[[Item, str, str], Scored]
    lacks: Callable[[Item], str] = lambda item: ""
    needs_gold: bool = True
    needs_checks: bool = False
    takes_refusals: bool = False


_READS = frozenset({"letter", "number", "label"})
"""Metrics whose `parsed` is what the answer itself says, and not the gold that it matched."""

MAX_ANSWER_WORDS = 50
"""Containment looks at so many words of an answer. A gold answer somewhere in a long list or lecture is no answer; a
sentence or two around it are fine, and are what speech answers tend to have."""

_FILLERS = "(?:in|at|on|by|from|of|for|called|named|really|actually|it is|be|likely|named after)"
_NEGATION = re.compile(
    r"\b(?:not|never|neither|nor|rather than|instead of|except(?: for)?|other than|unlike) "
    rf"(?:{_FILLERS} ){{0,2}}$"
)
_DENIAL = re.compile(
    r" (?:(?:is|was|are|were) (?:not(?! only| just)|wrong|incorrect|false)|would be (?:wrong|incorrect))\b"
)
_OPTIONS = re.compile(r"(\w+) or (\w+)")


@dataclass(frozen=True, slots=True)
class Match:
    """How well an answer matches.

    Attributes:
        score: in [0, 1].
        gold: the gold answer or alias that gave the score; None where the score is 0.
    """

    score: float
    gold: str | None = None


MISS = Match(0.0)


def exact_match(answer: str, golds: Sequence[str]) -> Match:
    """1 where the whole answer is one of the golds."""
    return Match(1.0, answer) if answer and answer in golds else MISS


def contains(answer: str, golds: Sequence[str], *, foils: Sequence[str] = ()) -> Match:
    """1 where a gold stands in the first `MAX_ANSWER_WORDS` words, at word boundaries, and is meant.

    It is not meant where it is denied ("not Paris", "Paris is wrong", "Lyon rather than Paris") at every place it
    stands, or where the answer leaves it open between the gold and a foil ("star or spoon").

    Args:
        foils: the wrong alternatives that the question itself offers.
    """
    if not answer:
        return MISS
    for gold in golds:
        if answer == gold:
            return Match(1.0, gold)
    # The limit grows with the gold, so that a long gold phrase has the same room around it.
    words = answer.split(" ")
    open_choice = _is_open(answer, golds, foils)
    for gold in golds:
        limit = MAX_ANSWER_WORDS + gold.count(" ")
        text = answer if len(words) <= limit else " ".join(words[:limit])
        if gold and not open_choice and any(not is_denied(text, *span) for span in find_words(text, gold)):
            return Match(1.0, gold)
    return MISS


def find_words(text: str, part: str) -> list[tuple[int, int]]:
    """Where `part` stands in `text` at word boundaries, both normalised: character spans."""
    if part not in text:
        return []
    spans: list[tuple[int, int]] = []
    padded, wanted = f" {text} ", f" {part} "
    at = padded.find(wanted)
    while at >= 0:
        spans.append((at, at + len(part)))
        at = padded.find(wanted, at + 1)
    return spans


def is_denied(text: str, start: int, end: int) -> bool:
    """Whether a normalised text denies what stands at start:end: "not paris", "paris is wrong"."""
    return _NEGATION.search(text, 0, start) is not None or _DENIAL.match(text, end) is not None


def _is_open(answer: str, golds: Sequence[str], foils: Sequence[str]) -> bool:
    for foil in foils:
        if foil in golds or foil not in answer:
            continue
        for gold in golds:
            for first, second in ((foil, gold), (gold, foil)):
                if answer == f"{first} {second}" or find_words(answer, f"{first} or {second}"):
                    return True
                if find_words(answer, f"{first} and {second}"):
                    return True
    return False


def offered(question: str) -> tuple[str, ...]:
    """The alternatives a normalised question names as "A or B", one word each; empty for other questions."""
    return tuple(word for pair in _OPTIONS.findall(question) for word in pair)


def token_f1(answer: str, golds: Sequence[str]) -> Match:
    """SQuAD's token F1: the harmonic mean of word precision and recall as bags, the best over the golds."""
    best = MISS
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
        score: 1 where it is a gold label.
        label: the one label that the answer names; None where it names none or several.
    """

    score: float
    label: str | None


def label_match(answer: str, golds: Sequence[str], labels: Sequence[str] = ()) -> LabelMatch:
    """Label accuracy: the answer must name exactly one label of the set.

    Args:
        labels: the whole set, where it is known; without it the answer must be a gold label, or contain one.
    """
    if answer in labels or (not labels and answer in golds):
        return LabelMatch(float(answer in golds), answer)
    if not labels:
        match = contains(answer, golds)
        return LabelMatch(match.score, match.gold)
    found = named(answer, labels)
    label = found[0] if len(found) == 1 else None
    return LabelMatch(float(label in golds), label)


def named(answer: str, options: Sequence[str]) -> tuple[str, ...]:
    """The options that an answer names and does not deny; one that stands only inside a longer one does not count."""
    spans = {
        option: [span for span in find_words(answer, option) if not is_denied(answer, *span)]
        for option in options
        if option
    }
    taken = [span for found in spans.values() for span in found]

    def stands_alone(span: tuple[int, int]) -> bool:
        return not any(
            other[0] <= span[0] and span[1] <= other[1] and other[1] - other[0] > span[1] - span[0] for other in taken
        )

    return tuple(option for option, found in spans.items() if any(stands_alone(span) for span in found))
