"""Which metric scores an item, and the score of an answer by it."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from omnigap.vocabulary import AnswerType, Flag, primary_language
from omnigap_orchestrator.extension import extras
from omnigap_orchestrator.scoring.entities import entity_errors
from omnigap_orchestrator.scoring.flags import is_refusal
from omnigap_orchestrator.scoring.korean import (
    choice_korean,
    contains_korean,
    exact_korean,
    label_korean,
    number_korean,
)
from omnigap_orchestrator.scoring.letters import find_choice
from omnigap_orchestrator.scoring.metrics import Metric, Scored, contains, exact_match, label_match, offered, token_f1
from omnigap_orchestrator.scoring.normalise import normalise, units
from omnigap_orchestrator.scoring.normalise.numbers import ordinal
from omnigap_orchestrator.scoring.numeric import date_match, number_match

if TYPE_CHECKING:
    from omnigap_orchestrator.items.item import Item

JUDGE = "judge"
"""Not computed here: a language model gives it, by a rubric."""


@dataclass(frozen=True, slots=True)
class MetricRules:
    """What a configuration says of metrics.

    Attributes:
        preset: a key of `scoring_presets()`; None for none.
        tasks: task -> metric, before the preset.
        judged: whether there is a judge: `open` answers then go to it.
    """

    preset: str | None = None
    tasks: Mapping[str, str] = field(default_factory=dict)
    judged: bool = False


def metric_of(item: Item, rules: MetricRules) -> str:
    """The metric of an item, the same in all six conditions.

    The first of these that says something decides: the item's own metric, its task's, the preset's, its answer type's.
    """
    if item.metric is not None:
        return item.metric
    if item.task in rules.tasks:
        return rules.tasks[item.task]
    if rules.preset is not None and (metric := scoring_presets()[rules.preset].get(item.task)) is not None:
        return metric
    return JUDGE if item.answer_type is AnswerType.OPEN and rules.judged else metric_for(item.answer_type)


def lacks(item: Item, metric: str) -> str:
    """What a metric needs of an item and does not find, as the end of a sentence; empty where it finds all."""
    known = known_metrics().get(metric)
    if known is None:
        return ""
    return "has no checks" if known.needs_checks and not item.checks else known.lacks(item)


@cache
def known_metrics() -> Mapping[str, Metric]:
    """Every metric that is computed here, by its name: those of the core, then those of the extras."""
    found = {metric.name: metric for metric in _CORE}
    for extra in extras():
        found |= {metric.name: metric for metric in extra.metrics().metrics}
    return found


def metric_names() -> tuple[str, ...]:
    """Every metric that an item or a task may name."""
    return (*known_metrics(), JUDGE)


@cache
def scoring_presets() -> Mapping[str, Mapping[str, str]]:
    """Benchmarks whose own scorers can be chosen: preset -> task -> metric, where a task is the benchmark's subset."""
    return {name: tasks for extra in extras() for name, tasks in extra.metrics().presets.items()}


def read_check(kind: str, arguments: Mapping[str, object]) -> None:
    """Validates one entry of an item's `checks`.

    Raises:
        ValueError: no installed metric can use it; the message says what is wrong.
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

_ROMAN_END = re.compile(r"\b[A-Z][a-z]+ (I|V|X|[IVX]{2,5})\b")
_REGNAL = re.compile(r"(?<=[a-z] )(\d{1,2})(st|nd|rd|th)?\b")
_SINGLE = {"I": "1", "V": "5", "X": "10"}


def metric_for(answer_type: AnswerType) -> str:
    """The metric of an answer type, the same in all six conditions.

    entity, word, phrase -> containment; number -> number; date -> date; letter -> letter; label -> label; open -> f1.
    """
    return _METRIC_OF[answer_type]


def score(item: Item, text: str, metric: str | None = None) -> Scored:
    """Scores a text answer, own text or transcript alike.

    Args:
        metric: a key of `known_metrics()`; the default is that of the item's answer type.

    Raises:
        ValueError: for an unknown metric.
    """
    name = metric_for(item.answer_type) if metric is None else metric
    known = known_metrics().get(name)
    if known is None:
        raise ValueError(f"unknown metric {name!r}: one of {', '.join(known_metrics())}")
    answer = normalise(text, item.language)
    if known.takes_refusals:
        return known.score(item, text, answer)
    if is_refusal(text, item.language) and not exact_match(answer, gold_forms(item.answers, item.language)).score:
        return Scored(0.0, name, answer, flags=(Flag.REFUSED,))
    return known.score(item, text, answer)


@lru_cache(maxsize=1 << 15)
def gold_forms(answers: tuple[str, ...], language: str) -> tuple[str, ...]:
    """Every normalised form that counts as the gold answer, without repeats, in the order of the answers.

    "Henry VIII" is said "Henry the eighth" and "Rocky II" is said "Rocky two": a gold with a number behind a name
    written in Roman or ordinal form counts in both.
    """
    forms: dict[str, None] = {}
    for answer in answers:
        form = normalise(answer, language)
        forms.setdefault(form)
        if primary_language(language) != "en":
            continue
        roman = _ROMAN_END.search(answer)
        if roman is None and not re.search(r"[A-Z][a-z]+ the \w+", answer):
            continue
        if roman is not None and roman[1] in _SINGLE and answer.endswith(f" {roman[1]}"):
            form = f"{form.rpartition(' ')[0]} {_SINGLE[roman[1]]}"
            forms.setdefault(form)
        forms.setdefault(_REGNAL.sub(lambda match: match[1] if match[2] else ordinal(int(match[1])), form))
    return tuple(form for form in forms if form)


@lru_cache(maxsize=1 << 15)
def _foils(question: str, choices: tuple[str, ...], language: str) -> tuple[str, ...]:
    return (*offered(normalise(question, language)), *(normalise(choice, language) for choice in choices))


def _is_korean(item: Item) -> bool:
    return primary_language(item.language) == "ko"


def _golds(item: Item) -> tuple[str, ...]:
    return gold_forms(item.answers, item.language)


def _score_containment(item: Item, text: str, answer: str) -> Scored:
    if _is_korean(item):
        match = contains_korean(answer, _golds(item))
    else:
        match = contains(answer, _golds(item), foils=_foils(item.question, item.choices, item.language))
    return Scored(match.score, "containment", answer, match.gold)


def _score_exact(item: Item, text: str, answer: str) -> Scored:
    match = (exact_korean if _is_korean(item) else exact_match)(answer, _golds(item))
    return Scored(match.score, "exact", answer, match.gold)


def _score_f1(item: Item, text: str, answer: str) -> Scored:
    match = token_f1(
        " ".join(units(answer, item.language)),
        tuple(" ".join(units(gold, item.language)) for gold in _golds(item)),
    )
    return Scored(match.score, "f1", answer, match.gold)


def _score_number(item: Item, text: str, answer: str) -> Scored:
    match = (number_korean if _is_korean(item) else number_match)(
        answer, _golds(item), question=normalise(item.question, item.language)
    )
    return Scored(match.score, "number", answer, match.number, () if match.number else (Flag.UNPARSABLE,))


def _score_date(item: Item, text: str, answer: str) -> Scored:
    if _is_korean(item):
        match = contains_korean(answer, _golds(item))
    else:
        match = date_match(answer, _golds(item), question=normalise(item.question, item.language))
    return Scored(match.score, "date", answer, match.gold)


def _score_label(item: Item, text: str, answer: str) -> Scored:
    labels = tuple(normalise(choice, item.language) for choice in item.choices)
    match = (label_korean if _is_korean(item) else label_match)(answer, _golds(item), labels)
    return Scored(match.score, "label", answer, match.label, () if match.label else (Flag.UNPARSABLE,))


def _score_letter(item: Item, text: str, answer: str) -> Scored:
    choice = (choice_korean if _is_korean(item) else find_choice)(text, item.choices, item.language)
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
        gold.strip().upper() if len(gold.strip()) == 1 else string.ascii_uppercase[item.choices.index(gold)]
        for gold in item.answers
        if len(gold.strip()) == 1 or gold in item.choices
    }


def _lacks_letter(item: Item) -> str:
    return "" if gold_letters(item) else "has no letter, and none of its choices, as gold answer"


_CORE = (
    Metric("containment", _score_containment),
    Metric("exact", _score_exact),
    Metric("f1", _score_f1),
    Metric("number", _score_number),
    Metric("date", _score_date),
    Metric("letter", _score_letter, lacks=_lacks_letter),
    Metric("label", _score_label),
    Metric("entities", _score_entities, takes_refusals=True),
    Metric("refusal", _score_refusal, needs_gold=False, takes_refusals=True),
)
