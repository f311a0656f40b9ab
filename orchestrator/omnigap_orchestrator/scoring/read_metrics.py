"""The metrics that read what an answer states: containment, number, date, label, letter and a set of letters.

Each builds the reader of the item's answer type and language, runs the steps of reading with it, and compares.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from omnigap.vocabulary import Flag, primary_language
from omnigap_orchestrator.scoring.gold import gold_forms, gold_letters
from omnigap_orchestrator.scoring.metrics import Scored, question_alternatives
from omnigap_orchestrator.scoring.normalise import normalise
from omnigap_orchestrator.scoring.normalise.quantities import MONTHS
from omnigap_orchestrator.scoring.reading import Found, Passage, Reader, Reading, Step, read
from omnigap_orchestrator.scoring.reading.english.date import date_range, find_date, same_date, whole_date
from omnigap_orchestrator.scoring.reading.english.entity import find_gold
from omnigap_orchestrator.scoring.reading.english.label import find_label
from omnigap_orchestrator.scoring.reading.english.letter import find_letter
from omnigap_orchestrator.scoring.reading.english.number import find_number
from omnigap_orchestrator.scoring.reading.english.quantity import same_number
from omnigap_orchestrator.scoring.reading.languages import letter as other_letters
from omnigap_orchestrator.scoring.reading.languages import readers as others
from omnigap_orchestrator.scoring.reading.letter_sets import find_letters

if TYPE_CHECKING:
    from omnigap_orchestrator.items.item import Item


def score_containment(item: Item, text: str, answer: str) -> Scored:
    # Most right answers are nothing but the gold answer: no reading is needed.
    if answer and answer in _golds(item):
        return Scored(1.0, "containment", answer, answer, step=Step.TERSE)
    reading = read(text, _entity_reader(item), item.language)
    return _scored("containment", answer, reading, reading.value is not None)


def score_number(item: Item, text: str, answer: str) -> Scored:
    language, question = item.language, _normalised(item.question, item.language)
    golds = tuple(others.number_form(gold, language) for gold in item.answers) if _is_other(item) else _golds(item)

    def reader(passage: Passage) -> Found | None:
        if not _is_terse_line(passage, language):
            return None
        if _is_other(item):
            return others.find_number(passage, language, item.question)
        return find_number(passage, item.question, language, golds=golds)

    reading = read(text, reader, language)
    right = reading.value is not None and same_number(reading.value, golds, question=question)
    scored = _scored("number", answer, reading, right, needs_value=True)
    # Without the unit: the form in which answers to one item are compared.
    return replace(scored, parsed=None if reading.value is None else reading.value.split(" ")[0])


def score_date(item: Item, text: str, answer: str) -> Scored:
    golds = _golds(item)
    if answer and answer in golds:
        return Scored(1.0, "date", answer, answer, step=Step.TERSE)
    # Gold answers that are no dates in digits (Wednesday, December, 44 bc) are searched as words.
    in_digits = _is_other(item) or any(whole_date(gold) or date_range(gold) for gold in golds)
    if not in_digits:
        return replace(score_containment(item, text, answer), metric="date")

    def reader(passage: Passage) -> Found | None:
        if not _is_terse_line(passage, item.language):
            return None
        if _is_other(item):
            return others.find_date(passage, golds, item.language, item.question)
        return find_date(passage, item.question, item.language, golds=golds)

    reading = read(text, reader, item.language)
    if _is_other(item):
        return _scored("date", answer, reading, reading.value in golds)
    gold = same_date(reading.value, golds) if reading.value is not None else None
    return _scored("date", answer, replace(reading, value=gold or reading.value), gold is not None)


def score_label(item: Item, text: str, answer: str) -> Scored:
    labels = tuple(normalise(choice, item.language) for choice in item.choices)

    def reader(passage: Passage) -> Found | None:
        if _is_other(item):
            if not _is_short_line(passage, item.language):
                return None
            return others.find_label(passage, item.choices or item.answers, item.language)
        return find_label(passage, labels, _golds(item), item.language, _normalised(item.question, item.language))

    reading = read(text, reader, item.language)
    return _scored("label", answer, reading, reading.value in _golds(item), needs_value=True)


def score_letter(item: Item, text: str, answer: str) -> Scored:
    def reader(passage: Passage) -> Found | None:
        if _is_other(item):
            is_line = passage.step in (Step.FIRST_LINE, Step.LAST_LINE)
            if is_line and not _MARKED.match(passage.text) and passage.text.strip(" .。") not in item.choices:
                return None
            return other_letters.find_letter(passage, item.choices, item.language, item.question)
        return find_letter(passage, item.choices, item.language, _normalised(item.question, item.language))

    reading = read(text, reader, item.language)
    return _scored("letter", answer, reading, reading.value in gold_letters(item), needs_value=True)


def score_letters(item: Item, text: str, answer: str) -> Scored:
    def reader(passage: Passage) -> Found | None:
        # A line holds one choice of the set; only the whole answer, or a final statement, holds all.
        if passage.step in (Step.FIRST_LINE, Step.LAST_LINE):
            return None
        return find_letters(passage, item.choices)

    reading = read(text, reader, item.language)
    right = reading.value == " ".join(sorted(gold_letters(item)))
    return _scored("letters", answer, reading, right, needs_value=True)


def _entity_reader(item: Item) -> Reader:
    golds, language = _golds(item), item.language
    distractors = _distractors(item.question, item.choices, language)

    def reader(passage: Passage) -> Found | None:
        if _is_other(item):
            if not _is_short_line(passage, language):
                return None
            return others.find_entity(passage, golds, language, distractors, item.question)
        question = _normalised(item.question, language)
        return find_gold(
            passage, golds, answers=item.answers, language=language, question=question, distractors=distractors
        )

    return reader


def _is_other(item: Item) -> bool:
    """Whether the readers of `reading.languages` read the item's answers; all else is read as English is."""
    return primary_language(item.language) in others.LANGUAGES


def _is_terse_line(passage: Passage, language: str) -> bool:
    """Whether a first or last line holds a number or date and at most one more word; other passages always pass.

    "It closed in 1968." is a sentence: it is read in the context of the others.
    """
    if passage.step not in (Step.FIRST_LINE, Step.LAST_LINE):
        return True
    words = normalise(passage.text, language).split()
    others = [word for word in words if not any(c.isdigit() for c in word) and word not in MONTHS]
    return len(others) < len(words) and len(others) <= 1


def _is_short_line(passage: Passage, language: str) -> bool:
    """Whether a first or last line is short enough to be an answer by itself; other passages always are."""
    if passage.step not in (Step.FIRST_LINE, Step.LAST_LINE):
        return True
    return len(passage.text.split()) <= _MAX_TERSE_WORDS and len(passage.text) <= _MAX_TERSE_CHARACTERS


_MAX_TERSE_WORDS = 4
_MAX_TERSE_CHARACTERS = 24
# "B. ...", "(B)": a line that begins with a letter.
_MARKED = re.compile(r"[\s\W]*[A-Za-zＡ-Ｚ](?![A-Za-zÀ-ɏ])")


def _golds(item: Item) -> tuple[str, ...]:
    return gold_forms(item.answers, item.language)


@lru_cache(maxsize=1 << 15)
def _normalised(question: str, language: str) -> str:
    return normalise(question, language)


@lru_cache(maxsize=1 << 15)
def _distractors(question: str, choices: tuple[str, ...], language: str) -> tuple[str, ...]:
    return (*question_alternatives(normalise(question, language)), *(normalise(choice, language) for choice in choices))


def _scored(metric: str, answer: str, reading: Reading, right: bool, *, needs_value: bool = False) -> Scored:
    """The score of a reading; `needs_value`: an answer without a letter, number or label is unparsable."""
    flags = set(reading.flags)
    if needs_value and reading.value is None:
        flags.add(Flag.UNPARSABLE)
    return Scored(float(right), metric, answer, reading.value, tuple(sorted(flags)), reading.step)
