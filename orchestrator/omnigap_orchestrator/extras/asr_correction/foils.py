"""What is said for each item in a calibration: its gold answer, another item's answer, and one that sounds like it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from omnigap.digest import digest_of
from omnigap.errors import OmnigapError
from omnigap.vocabulary import CHOICE_LETTERS, AnswerType, primary_language
from omnigap_orchestrator.extras.asr_correction.sounds import (
    nearest,
    neighbouring_names,
    neighbouring_numbers,
    rhyming_letters,
)
from omnigap_orchestrator.items import Item
from omnigap_orchestrator.scoring import MetricRules, metric_of, score

BINARY = frozenset(
    (
        "containment",
        "exact",
        "number",
        "date",
        "letter",
        "label",
        "voicebench_mcq",
        "voicebench_bbh",
    )
)
"""Metrics that compare with a gold answer and say right or wrong; of others q1 and q0 mean nothing."""

ANSWER = "{answer}"
"""Stands for the answer in a carrier sentence."""

_TRIES = 12


class CalibrationError(OmnigapError):
    """A calibration can't be made or used; the message says which flag, key or command fixes it."""


class Foil(StrEnum):
    """What a clip says: the item's gold answer, or a wrong one."""

    GOLD = "gold"
    PLAIN = "plain"
    SOUND_ALIKE = "sound_alike"


@dataclass(frozen=True, slots=True)
class Utterance:
    """One thing to say for one item.

    Attributes:
        truth: the bare answer.
        spoken: the answer in its carrier sentence, as the voice gets it.
        metric: that scores the item's answers in the run.
    """

    item: Item
    foil: Foil
    truth: str
    spoken: str
    metric: str


@dataclass(frozen=True, slots=True)
class Utterances:
    """All that is to be said.

    Attributes:
        not_binary: items left out since their metric has grades, or no gold answer.
        unscorable: items left out since their gold answer, said in its carrier sentence, scores 0 as text.
        without_alike: items for which nothing that sounds alike was found.
    """

    said: tuple[Utterance, ...]
    not_binary: int
    unscorable: int
    without_alike: int


def utterances(
    items: Sequence[Item],
    rules: MetricRules | None = None,
    carrier: str | None = None,
    per_type: int | None = None,
) -> Utterances:
    """The gold answer, a plain foil and a sound-alike of every item; the same every time.

    Every text is scored as text first: a gold answer that does not count as right, or a foil that does, says nothing of
    the scorer, so the next candidate is taken.

    Args:
        rules: what the configuration says of metrics; None: each answer type's own.
        carrier: a sentence with `{answer}`; None: the bare answer, and "Option B." for a letter, as models say it.
        per_type: at most so many items of each answer type.

    Raises:
        CalibrationError: where the carrier lacks its `{answer}`, or no item has a binary metric.
    """
    if carrier is not None and ANSWER not in carrier:
        raise CalibrationError(f"--carrier {carrier!r} has no {ANSWER}: write one like 'The answer is {ANSWER}.'")
    metrics = {item.id: metric_of(item, rules or MetricRules()) for item in items}
    binary = [item for item in items if metrics[item.id] in BINARY and item.answers]
    if not binary:
        named = ", ".join(sorted(set(metrics.values())))
        raise CalibrationError(
            f"all of these items are scored by {named}, which is not binary: q1 and q0 are shares of right and "
            "wrong. Choose items of another answer type with --items or --task"
        )
    pools = _Pools(binary)
    said: list[Utterance] = []
    unscorable = without_alike = 0
    taken: dict[AnswerType, int] = defaultdict(int)
    for item in sorted(binary, key=lambda item: digest_of(["calibration", item.id])):
        if per_type is not None and taken[item.answer_type] >= per_type:
            continue
        metric = metrics[item.id]
        gold = _first(item, Foil.GOLD, iter(item.answers[:1]), carrier, metric)
        if gold is None:
            unscorable += 1
            continue
        taken[item.answer_type] += 1
        plain = _first(item, Foil.PLAIN, pools.plain(item), carrier, metric)
        alike = _first(item, Foil.SOUND_ALIKE, pools.alike(item), carrier, metric)
        without_alike += alike is None
        said += [utterance for utterance in (gold, plain, alike) if utterance is not None]
    if not said:
        raise CalibrationError(
            f"no gold answer of {len(binary)} items counts as right when it is said"
            + (" bare" if carrier is None else f" as {carrier!r}")
            + f": give another --carrier with {ANSWER}, or other --items"
        )
    return Utterances(tuple(said), len(items) - len(binary), unscorable, without_alike)


def in_carrier(item: Item, answer: str, carrier: str | None) -> str:
    """The answer as it is said: in the carrier sentence, else bare; a lone English letter gets a word before it."""
    if carrier is not None:
        return carrier.replace(ANSWER, answer)
    if len(answer) == 1 and answer.isalpha() and primary_language(item.language) == "en":
        return f"Option {answer}." if item.choices else f"The letter {answer}."
    return answer


def _first(item: Item, foil: Foil, candidates: Iterator[str], carrier: str | None, metric: str) -> Utterance | None:
    """The first candidate that, as text, scores as it must."""
    wanted = 1.0 if foil is Foil.GOLD else 0.0
    for _, truth in zip(range(_TRIES), candidates, strict=False):
        spoken = in_carrier(item, truth, carrier)
        if score(item, spoken, metric).score == wanted:
            return Utterance(item, foil, truth, spoken, metric)
    return None


class _Pools:
    """Answers to draw foils from, by language and answer type."""

    def __init__(self, items: Sequence[Item]) -> None:
        answers: dict[tuple[str, AnswerType], set[str]] = defaultdict(set)
        words: dict[str, set[str]] = defaultdict(set)
        for item in items:
            answers[item.language, item.answer_type].add(item.answers[0])
            words[item.language] |= {word.strip("?.,!:;'\"()") for word in item.question.split()} - {""}
        # In orders that the texts alone decide, whatever the order of the items.
        self._answers = {key: sorted(pool, key=lambda text: digest_of(["foil", text])) for key, pool in answers.items()}
        self._words = {language: sorted(pool) for language, pool in words.items()}

    def plain(self, item: Item) -> Iterator[str]:
        """Other items' answers of the same type, or the other choices, from a place on that the item decides.

        Digits for digits first: a month's name is no test of a year.
        """
        pool = _other_choices(item) or self._answers[item.language, item.answer_type]
        start = int(digest_of(["foil", item.id])[:12], 16) % len(pool)
        written = item.answers[0].isdigit()
        turned = [*pool[start:], *pool[:start]]
        yield from sorted(turned, key=lambda answer: answer.isdigit() is not written)

    def alike(self, item: Item) -> Iterator[str]:
        """What sounds like the gold answer, nearest first."""
        gold = item.answers[0]
        if len(gold) == 1 and gold.isalpha():
            choices = _other_choices(item)
            yield from (letter for letter in rhyming_letters(gold) if not choices or letter in choices)
            return
        if item.answer_type in (AnswerType.NUMBER, AnswerType.DATE):
            yield from neighbouring_numbers(gold)
            yield from neighbouring_names(gold)
        words = self._words[item.language] if item.answer_type is AnswerType.WORD else []
        yield from nearest(gold, [*self._answers[item.language, item.answer_type], *words, *item.choices])


def _other_choices(item: Item) -> list[str]:
    """The wrong choices in the form of the gold answer: letters for a letter, else their texts."""
    if not item.choices:
        return []
    letters = list(CHOICE_LETTERS[: len(item.choices)])
    options = letters if len(item.answers[0]) == 1 else list(item.choices)
    return [option for option in options if option not in item.answers]
