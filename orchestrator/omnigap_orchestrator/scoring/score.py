"""Selects the metric of an item and scores answers with it."""

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
from omnigap_orchestrator.scoring.korean import exact_korean
from omnigap_orchestrator.scoring.letters import find_choice
from omnigap_orchestrator.scoring.metrics import (
    Metric,
    Scored,
    contains,
    exact_match,
    label_match,
    question_alternatives,
    token_f1,
)
from omnigap_orchestrator.scoring.normalise import normalise, units
from omnigap_orchestrator.scoring.normalise.numbers import ordinal
from omnigap_orchestrator.scoring.numeric import date_match, number_match
from omnigap_orchestrator.scoring.reading import languages
from omnigap_orchestrator.scoring.reading.choices import find_letter
from omnigap_orchestrator.scoring.reading.found import Found, Passage, Step
from omnigap_orchestrator.scoring.reading.letter_sets import find_letters

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

# "Henry VIII", "Rocky II": a capitalised word and a Roman numeral.
_ROMAN_END = re.compile(r"\b[A-Z][a-z]+ (I|V|X|[IVX]{2,5})\b")
# A number after a name in normalised text, cardinal or ordinal: "henry 8", "henry 8th".
_REGNAL = re.compile(r"(?<=[a-z] )(\d{1,2})(st|nd|rd|th)?\b")
# Single letters are numerals only at the end of a gold answer ("Elizabeth I"): in free text "I" is a pronoun.
_SINGLE = {"I": "1", "V": "5", "X": "10"}


def metric_for(answer_type: AnswerType) -> str:
    """The default metric of an answer type.

    entity, word, phrase -> containment; number -> number; date -> date; letter -> letter; label -> label; open -> f1.
    """
    return _METRIC_OF[answer_type]


def _default_metric(item: Item) -> str:
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
    answer = normalise(text, item.language)
    if known.takes_refusals:
        return known.score(item, text, answer)
    # A gold answer such as "unknown" reads like a refusal and is nevertheless right.
    if is_refusal(text, item.language) and not exact_match(answer, gold_forms(item.answers, item.language)).score:
        return Scored(0.0, name, answer, flags=(Flag.REFUSED,))
    return known.score(item, text, answer)


@lru_cache(maxsize=1 << 15)
def gold_forms(answers: tuple[str, ...], language: str) -> tuple[str, ...]:
    """All normalised forms that count as a gold answer, without duplicates, in the order of `answers`.

    "Henry VIII" is spoken "Henry the eighth", but "Rocky II" is spoken "Rocky two". A gold answer that ends in a Roman
    numeral, or has an ordinal after a name, therefore counts with both the cardinal and the ordinal.
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
def _distractors(question: str, choices: tuple[str, ...], language: str) -> tuple[str, ...]:
    return (*question_alternatives(normalise(question, language)), *(normalise(choice, language) for choice in choices))


def _is_korean(item: Item) -> bool:
    return primary_language(item.language) == "ko"


def _golds(item: Item) -> tuple[str, ...]:
    return gold_forms(item.answers, item.language)


def _passage(text: str) -> Passage:
    return Passage(text, Step.TERSE)


def _has_readers(item: Item) -> bool:
    """Whether the readers of `reading.languages` read the item's answers."""
    return primary_language(item.language) in languages.LANGUAGES


def _scored(name: str, answer: str, found: Found | None, right: bool, unparsable: bool = True) -> Scored:
    value, flags = (found.value, found.flags) if found is not None else (None, ())
    flags = (Flag.UNPARSABLE, *flags) if value is None and unparsable else flags
    return Scored(float(right), name, answer, value, flags)


def _score_containment(item: Item, text: str, answer: str) -> Scored:
    distractors = _distractors(item.question, item.choices, item.language)
    if _has_readers(item):
        found = languages.find_entity(_passage(text), _golds(item), item.language, distractors)
        return _scored("containment", answer, found, found is not None and found.value is not None, unparsable=False)
    match = contains(answer, _golds(item), distractors=distractors)
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
    if _has_readers(item):
        found = languages.find_number(_passage(text), item.language, item.question)
        golds = tuple(languages.number_form(gold, item.language) for gold in item.answers)
        right = found is not None and found.value is not None and number_match(found.value, golds).score == 1
        return _scored("number", answer, found, right)
    match = number_match(answer, _golds(item), question=normalise(item.question, item.language))
    return Scored(match.score, "number", answer, match.number, () if match.number else (Flag.UNPARSABLE,))


def _score_date(item: Item, text: str, answer: str) -> Scored:
    if _has_readers(item):
        found = languages.find_date(_passage(text), _golds(item), item.language, item.question)
        return _scored("date", answer, found, found is not None and found.value in _golds(item), unparsable=False)
    match = date_match(answer, _golds(item), question=normalise(item.question, item.language))
    return Scored(match.score, "date", answer, match.gold)


def _score_label(item: Item, text: str, answer: str) -> Scored:
    labels = tuple(normalise(choice, item.language) for choice in item.choices)
    if _has_readers(item):
        found = languages.find_label(_passage(text), item.choices or item.answers, item.language)
        return _scored("label", answer, found, found is not None and found.value in _golds(item))
    match = label_match(answer, _golds(item), labels)
    return Scored(match.score, "label", answer, match.label, () if match.label else (Flag.UNPARSABLE,))


def _score_letter(item: Item, text: str, answer: str) -> Scored:
    if _has_readers(item):
        found = find_letter(_passage(text), item.choices, item.language)
        return _scored("letter", answer, found, found is not None and found.value in gold_letters(item))
    choice = find_choice(text, item.choices, item.language)
    if choice.letter is None:
        return Scored(0.0, "letter", answer, flags=(Flag.UNPARSABLE,))
    return Scored(float(choice.letter in gold_letters(item)), "letter", answer, choice.letter)


def _score_letters(item: Item, text: str, answer: str) -> Scored:
    found = find_letters(_passage(text), item.choices)
    right = found is not None and found.value == " ".join(sorted(gold_letters(item)))
    return _scored("letters", answer, found, right)


def _score_entities(item: Item, text: str, answer: str) -> Scored:
    # 1 - NE-FNR of ContextASR-Bench (arXiv 2507.05727): the share of entities that occur exactly in the answer.
    found = entity_errors(" ".join(item.answers), text, item.answers, item.language)
    return Scored(0.0 if found.ne_fnr is None else 1 - found.ne_fnr, "entities", answer)


def _score_refusal(item: Item, text: str, answer: str) -> Scored:
    refused = is_refusal(text, item.language)
    return Scored(float(refused), "refusal", answer, flags=(Flag.REFUSED,) if refused else ())


def gold_letters(item: Item) -> set[str]:
    """The correct letters, also if a gold answer is the text of a choice."""
    return {
        gold.strip().upper() if len(gold.strip()) == 1 else string.ascii_uppercase[item.choices.index(gold)]
        for gold in item.answers
        if len(gold.strip()) == 1 or gold in item.choices
    }


def _lacks_letter(item: Item) -> str:
    return "" if gold_letters(item) else "has neither a letter nor the text of a choice as gold answer"


_CORE = (
    Metric("containment", _score_containment),
    Metric("exact", _score_exact),
    Metric("f1", _score_f1),
    Metric("number", _score_number),
    Metric("date", _score_date),
    Metric("letter", _score_letter, lacks=_lacks_letter),
    Metric("letters", _score_letters, lacks=_lacks_letter),
    Metric("label", _score_label),
    Metric("entities", _score_entities, takes_refusals=True),
    Metric("refusal", _score_refusal, needs_gold=False, takes_refusals=True),
)
