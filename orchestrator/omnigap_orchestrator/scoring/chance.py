"""The chance of an item: the expected score of a guess, against which ceilings and small gaps must be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omnigap.vocabulary import AnswerType
from omnigap_orchestrator.scoring.score import known_metrics

if TYPE_CHECKING:
    from omnigap_orchestrator.items.item import Item

_FREE = frozenset({"containment", "exact", "f1", "number", "date", "entities"})
"""Metrics of answers in free form: their values are too many to be guessed."""

_TWO_LABELS = frozenset({"yes", "no", "true", "false"})
"""Gold labels that come in pairs."""


def chance_of(item: Item, metric: str) -> float | None:
    """The expected score of picking an answer at random, in [0, 1]; None if it is unknown.

    - an item with choices: 1 / number of choices
    - a metric with a fixed set of answers, such as VoiceBench's four letters: `Metric.chance`
    - a label without choices: 1/2 for yes, no, true and false; otherwise unknown
    - an answer in free form, such as a number or an entity: 0
    - a judged answer, a refusal or a verifiable instruction: unknown
    """
    if item.choices:
        return 1 / len(item.choices)
    known = known_metrics().get(metric)
    if known is not None and known.chance is not None:
        return known.chance
    if item.answer_type is AnswerType.LABEL or metric == "label":
        labels = {answer.strip().casefold() for answer in item.answers}
        return 0.5 if labels & _TWO_LABELS else None
    return 0.0 if metric in _FREE and item.answer_type is not AnswerType.LETTER else None
