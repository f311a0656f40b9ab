"""Scores one answer text of one item, by the metric that the item's answer type asks for."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from omnigap.vocabulary import AnswerType, Flag
from omnigap_orchestrator.scoring.calendar import date_match
from omnigap_orchestrator.scoring.entities import entity_errors
from omnigap_orchestrator.scoring.following import IFEVAL_METRICS
from omnigap_orchestrator.scoring.gold import gold_forms
from omnigap_orchestrator.scoring.korean import (
    choice_korean,
    contains_korean,
    exact_korean,
    is_korean,
    label_korean,
    number_korean,
)
from omnigap_orchestrator.scoring.letters import ALPHABET, find_choice
from omnigap_orchestrator.scoring.metrics import contains, exact_match, label_match, offered, token_f1
from omnigap_orchestrator.scoring.normalise import normalise, units
from omnigap_orchestrator.scoring.numeric import number_match
from omnigap_orchestrator.scoring.refusal import is_refusal
from omnigap_orchestrator.scoring.scored import Scored
from omnigap_orchestrator.scoring.voicebench import VOICEBENCH_METRICS

if TYPE_CHECKING:
    from omnigap_orchestrator.items.item import Item


_METRIC_OF: dict[AnswerType, str] = {
    AnswerType.ENTITY: "containment",
    AnswerType.WORD: "containment",
    AnswerType.PHRASE: "containment",
    AnswerType.NUMBER: "number",
    AnswerType.DATE: "date",
    AnswerType.LETTER: "letter",
    AnswerType.LABEL: "label",
    AnswerType.OPEN: "f1",
}


def metric_for(answer_type: AnswerType) -> str:
    """The metric of an answer type, the same in all six conditions.

    entity, word, phrase -> containment; number -> number; date -> date; letter -> letter; label -> label; open -> f1.
    """
    return _METRIC_OF[answer_type]


def score(item: Item, text: str, metric: str | None = None) -> Scored:
    """Scores a text answer, own text or transcript alike.

    Args:
        metric: a key of `METRICS`; the default is that of the item's answer type.

    Raises:
        ValueError: for an unknown metric.
    """
    name = metric_for(item.answer_type) if metric is None else metric
    scorer = METRICS.get(name)
    if scorer is None:
        raise ValueError(f"unknown metric {name!r}: one of {', '.join(METRICS)}")
    answer = normalise(text, item.language)
    if name in TAKES_REFUSALS:
        return scorer(item, text, answer)
    if is_refusal(text, item.language) and not exact_match(answer, gold_forms(item.answers, item.language)).score:
        return Scored(0.0, name, answer, flags=(Flag.REFUSED,))
    return scorer(item, text, answer)


@lru_cache(maxsize=1 << 15)
def _foils(question: str, choices: tuple[str, ...], language: str) -> tuple[str, ...]:
    return (*offered(normalise(question, language)), *(normalise(choice, language) for choice in choices))


def _golds(item: Item) -> tuple[str, ...]:
    return gold_forms(item.answers, item.language)


def _score_containment(item: Item, text: str, answer: str) -> Scored:
    if is_korean(item.language):
        match = contains_korean(answer, _golds(item))
    else:
        match = contains(answer, _golds(item), foils=_foils(item.question, item.choices, item.language))
    return Scored(match.score, "containment", answer, match.gold)


def _score_exact(item: Item, text: str, answer: str) -> Scored:
    match = (exact_korean if is_korean(item.language) else exact_match)(answer, _golds(item))
    return Scored(match.score, "exact", answer, match.gold)


def _score_f1(item: Item, text: str, answer: str) -> Scored:
    match = token_f1(
        " ".join(units(answer, item.language)),
        tuple(" ".join(units(gold, item.language)) for gold in _golds(item)),
    )
    return Scored(match.score, "f1", answer, match.gold)


def _score_number(item: Item, text: str, answer: str) -> Scored:
    match = (number_korean if is_korean(item.language) else number_match)(
        answer, _golds(item), question=normalise(item.question, item.language)
    )
    return Scored(match.score, "number", answer, match.number, () if match.number else (Flag.UNPARSABLE,))


def _score_date(item: Item, text: str, answer: str) -> Scored:
    if is_korean(item.language):
        match = contains_korean(answer, _golds(item))
    else:
        match = date_match(answer, _golds(item), question=normalise(item.question, item.language))
    return Scored(match.score, "date", answer, match.gold)


def _score_label(item: Item, text: str, answer: str) -> Scored:
    labels = tuple(normalise(choice, item.language) for choice in item.choices)
    match = (label_korean if is_korean(item.language) else label_match)(answer, _golds(item), labels)
    return Scored(match.score, "label", answer, match.label, () if match.label else (Flag.UNPARSABLE,))


def _score_letter(item: Item, text: str, answer: str) -> Scored:
    choice = (choice_korean if is_korean(item.language) else find_choice)(text, item.choices, item.language)
    if choice.letter is None:
        return Scored(0.0, "letter", answer, flags=(Flag.UNPARSABLE,))
    return Scored(float(choice.letter in gold_letters(item)), "letter", answer, choice.letter)


def _score_entities(item: Item, text: str, answer: str) -> Scored:
    # ContextASR-Bench's 1 - NE-FNR: the share of the entities that stand in the answer, each as often as it should.
    found = entity_errors(" ".join(item.answers), text, item.answers, item.language)
    return Scored(0.0 if found.ne_fnr is None else 1 - found.ne_fnr, "entities", answer)


def _score_refusal(item: Item, text: str, answer: str) -> Scored:
    refused = is_refusal(text, item.language)
    return Scored(float(refused), "refusal", answer, flags=(Flag.REFUSED,) if refused else ())


def gold_letters(item: Item) -> set[str]:
    """The right letters, also where the gold answer is a choice's text."""
    return {
        gold.strip().upper() if len(gold.strip()) == 1 else ALPHABET[item.choices.index(gold)]
        for gold in item.answers
        if len(gold.strip()) == 1 or gold in item.choices
    }


METRICS: dict[str, Callable[[Item, str, str], Scored]] = {
    "containment": _score_containment,
    "exact": _score_exact,
    "f1": _score_f1,
    "number": _score_number,
    "date": _score_date,
    "letter": _score_letter,
    "label": _score_label,
    "entities": _score_entities,
    "refusal": _score_refusal,
    **IFEVAL_METRICS,
    **VOICEBENCH_METRICS,
}
"""Every metric by its name: takes the item, the answer as given and normalised."""

TAKES_REFUSALS = frozenset({"refusal", "entities", *IFEVAL_METRICS, *VOICEBENCH_METRICS})
"""Metrics that see refusals themselves; in all others a refusal scores 0."""
