"""Selects the metric of an item and scores answers with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from omnigap.vocabulary import AnswerType, Flag, primary_language
from omnigap_orchestrator.extension import extras
from omnigap_orchestrator.scoring.entities import entity_errors
from omnigap_orchestrator.scoring.flags import is_refusal
from omnigap_orchestrator.scoring.gold import gold_forms, gold_letters
from omnigap_orchestrator.scoring.metrics import Metric, Scored, exact_korean, exact_match, token_f1
from omnigap_orchestrator.scoring.normalise import normalise, units
from omnigap_orchestrator.scoring.read_metrics import (
    score_containment,
    score_date,
    score_label,
    score_letter,
    score_letters,
    score_number,
)
from omnigap_orchestrator.scoring.reading import Step, plain_text, remove_thinking

if TYPE_CHECKING:
    from omnigap_orchestrator.items.item import Item

JUDGE = "judge"
"""Metric that is not computed here: a language model scores the answer by a rubric."""


@dataclass(frozen=True, slots=True)
class MetricRules:
    """Metric settings of a configuration.

    Attributes:
        preset: a key of `scoring_presets()`, or None.
        tasks: task -> metric; takes precedence over the preset.
        judged: whether a judge is configured, which then scores `open` answers.
    """

    preset: str | None = None
    tasks: Mapping[str, str] = field(default_factory=dict)
    judged: bool = False


def metric_of(item: Item, rules: MetricRules) -> str:
    """The metric of an item, which is the same in all six conditions.

    In order of precedence: the item's own metric, its task's, the preset's, its answer type's.
    """
    if item.metric is not None:
        return item.metric
    if item.task in rules.tasks:
        return rules.tasks[item.task]
    if rules.preset is not None and (metric := scoring_presets()[rules.preset].get(item.task)) is not None:
        return metric
    return JUDGE if item.answer_type is AnswerType.OPEN and rules.judged else _default_metric(item)


def lacks(item: Item, metric: str) -> str:
    """What an item lacks for a metric, as the end of a sentence; empty if nothing is missing."""
    known = known_metrics().get(metric)
    if known is None:
        return ""
    return "has no checks" if known.needs_checks and not item.checks else known.lacks(item)


@cache
def known_metrics() -> Mapping[str, Metric]:
    """Every computed metric by name: those of the core, then those of the extras."""
    found = {metric.name: metric for metric in _CORE}
    for extra in extras():
        found |= {metric.name: metric for metric in extra.metrics().metrics}
    return found


def metric_names() -> tuple[str, ...]:
    """Every metric name that an item or a task may use."""
    return (*known_metrics(), JUDGE)


@cache
def scoring_presets() -> Mapping[str, Mapping[str, str]]:
    """Scorers of named benchmarks: preset -> task -> metric, where a task is a subset of the benchmark."""
    return {name: tasks for extra in extras() for name, tasks in extra.metrics().presets.items()}


def read_check(kind: str, arguments: Mapping[str, object]) -> None:
    """Validates one entry of an item's `checks`.

    Raises:
        ValueError: no installed metric can use the check.
    """
    readers = [reader for extra in extras() if (reader := extra.metrics().read_check) is not None]
    if not readers:
        raise ValueError(f"unknown check {kind!r}: no extra that reads checks is installed")
    for reader in readers:
        reader(kind, arguments)


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
    """The default metric of an answer type.

    entity, word, phrase -> containment; number -> number; date -> date; letter -> letter; label -> label; open -> f1.
    """
    return _METRIC_OF[answer_type]


def _default_metric(item: Item) -> str:
    """The metric of the answer type. Several right letters are a set, not aliases: half of it is no right answer."""
    several = item.answer_type is AnswerType.LETTER and len(gold_letters(item)) > 1
    return "letters" if several else metric_for(item.answer_type)


def default_metric(item: Item) -> str:
    """The metric of the answer type. Several right letters are a set, not aliases: half of it is no right answer."""
    several = item.answer_type is AnswerType.LETTER and len(gold_letters(item)) > 1
    return "letters" if several else metric_for(item.answer_type)


def score(item: Item, text: str, metric: str | None = None) -> Scored:
    """Scores an answer text: the own text of a text answer, or the transcript of a speech answer.

    Args:
        metric: a key of `known_metrics()`; default: the metric of the item's answer type, or `letters` if it has
            several right letters.

    Raises:
        ValueError: the metric is unknown.
    """
    name = _default_metric(item) if metric is None else metric
    known = known_metrics().get(name)
    if known is None:
        raise ValueError(f"unknown metric {name!r}: one of {', '.join(known_metrics())}")
    said = remove_thinking(text)
    answer = normalise(plain_text(said), item.language)
    if text.strip() and not said:
        # Nothing but thinking: there is no answer, whatever the thinking mentions.
        return Scored(0.0, name, "", flags=(Flag.UNPARSABLE,), step=Step.UNPARSABLE)
    if known.takes_refusals:
        return known.score(item, said, answer)
    # A gold answer such as "unknown" reads like a refusal and is nevertheless right.
    if is_refusal(said, item.language) and not exact_match(answer, gold_forms(item.answers, item.language)).score:
        return Scored(0.0, name, answer, flags=(Flag.REFUSED,))
    return known.score(item, said, answer)


def _score_exact(item: Item, text: str, answer: str) -> Scored:
    match = (exact_korean if primary_language(item.language) == "ko" else exact_match)(
        answer, gold_forms(item.answers, item.language)
    )
    return Scored(match.score, "exact", answer, match.gold)


def _score_f1(item: Item, text: str, answer: str) -> Scored:
    match = token_f1(
        " ".join(units(answer, item.language)),
        tuple(" ".join(units(gold, item.language)) for gold in gold_forms(item.answers, item.language)),
    )
    return Scored(match.score, "f1", answer, match.gold)


def _score_entities(item: Item, text: str, answer: str) -> Scored:
    # 1 - NE-FNR of ContextASR-Bench (arXiv 2507.05727): the share of entities that occur exactly in the answer.
    found = entity_errors(" ".join(item.answers), text, item.answers, item.language)
    return Scored(0.0 if found.ne_fnr is None else 1 - found.ne_fnr, "entities", answer)


def _score_refusal(item: Item, text: str, answer: str) -> Scored:
    refused = is_refusal(text, item.language)
    return Scored(float(refused), "refusal", answer, flags=(Flag.REFUSED,) if refused else ())


def _lacks_letter(item: Item) -> str:
    return "" if gold_letters(item) else "has neither a letter nor the text of a choice as gold answer"


_CORE = (
    Metric("containment", score_containment),
    Metric("exact", _score_exact),
    Metric("f1", _score_f1),
    Metric("number", score_number),
    Metric("date", score_date),
    Metric("letter", score_letter, lacks=_lacks_letter),
    Metric("letters", score_letters, lacks=_lacks_letter),
    Metric("label", score_label),
    Metric("entities", _score_entities, takes_refusals=True),
    Metric("refusal", _score_refusal, needs_gold=False, takes_refusals=True),
)


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
        # A set of letters: any subset that is not empty.
        return 1 / (2 ** len(item.choices) - 1 if metric == "letters" else len(item.choices))
    known = known_metrics().get(metric)
    if known is not None and known.chance is not None:
        return known.chance
    if item.answer_type is AnswerType.LABEL or metric == "label":
        labels = {answer.strip().casefold() for answer in item.answers}
        return 0.5 if labels & _TWO_LABELS else None
    return 0.0 if metric in _FREE and item.answer_type is not AnswerType.LETTER else None
