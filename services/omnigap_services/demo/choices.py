"""Finds the choices of a multiple-choice question in typed, OCR or ASR text, and picks one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz

from omnigap.vocabulary import CHOICE_LETTERS
from omnigap_services.demo.retrieval import Retriever
from omnigap_services.demo.words import words_of

_LINE = re.compile(r"^\s*\(?([A-H])\s*[.):]\s*(.+)$")
_INLINE = re.compile(r"(?:(?<=\s)|^)\(?([A-H])\s*[.):]\s*")
# How ASR writes the spoken name of a letter.
_SPELLINGS = {
    "A": {"a", "ay", "eh", "hey", "ei"},
    "B": {"b", "be", "bee"},
    "C": {"c", "see", "sea", "si", "cee"},
    "D": {"d", "dee", "de", "di"},
    "E": {"e", "ee"},
    "F": {"f", "ef", "eff"},
    "G": {"g", "gee"},
    "H": {"h", "aitch"},
}


@dataclass(frozen=True, slots=True)
class ChoiceQuestion:
    """A question and its choices; the first has the letter A."""

    question: str
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pick:
    """The chosen letter, and how well a fact supports it, 0 to 1."""

    letter: str
    score: float


def find_choices(text: str) -> ChoiceQuestion | None:
    """The choices of a question: lines "A. ...", or "A: ... . B: ..." in running text, or letters transcribed as words.

    The strictest form is tried first, since a typed choice may contain words that sound like letters.
    """
    return _by_lines(text) or _by_marks(text) or _by_sound(text)


def _by_lines(text: str) -> ChoiceQuestion | None:
    stem: list[str] = []
    choices: list[str] = []
    for line in text.splitlines():
        match = _LINE.match(line)
        if match and len(choices) < len(CHOICE_LETTERS) and match.group(1) == CHOICE_LETTERS[len(choices)]:
            choices.append(match.group(2).strip())
        elif choices:
            # A long choice wraps to the next line.
            choices[-1] += f" {line.strip()}"
        else:
            stem.append(line.strip())
    return ChoiceQuestion(" ".join(stem), _clean(choices)) if len(choices) >= 2 else None


def _by_marks(text: str) -> ChoiceQuestion | None:
    marks: list[re.Match[str]] = []
    for match in _INLINE.finditer(text):
        if len(marks) < len(CHOICE_LETTERS) and match.group(1) == CHOICE_LETTERS[len(marks)]:
            marks.append(match)
    if len(marks) < 2:
        return None
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    choices = [text[mark.end() : end] for mark, end in zip(marks, ends, strict=True)]
    return ChoiceQuestion(text[: marks[0].start()].strip(), _clean(choices))


def _by_sound(text: str) -> ChoiceQuestion | None:
    """Letters as ASR transcribes them: "... a shark b dolphin c lizard d eagle".

    The article "a" looks like the letter, so B and C must both follow in order, and A is the last "a" before B that
    leaves words between them.
    """
    # `words` keeps the case of the choices; `lower` is searched.
    words = re.findall(r"[A-Za-z0-9']+", text)
    lower = [word.lower() for word in words]
    second = _next(lower, "B", 2)
    while second is not None:
        first = _last_a(lower, second)
        third = _next(lower, "C", second + 2)
        if first is not None and third is not None:
            marks = [first, second, third]
            for letter in CHOICE_LETTERS[3:]:
                following = _next(lower, letter, marks[-1] + 2)
                if following is None:
                    break
                marks.append(following)
            ends = [*marks[1:], len(words)]
            choices = [" ".join(words[mark + 1 : end]) for mark, end in zip(marks, ends, strict=True)]
            if all(choices):
                return ChoiceQuestion(" ".join(words[:first]), _clean(choices))
        # This "be" or "bee" was a word of the question: try the next one.
        second = _next(lower, "B", second + 1)
    return None


# Marks are at least two words apart, since a choice between them needs a word.
def _next(words: Sequence[str], letter: str, start: int) -> int | None:
    return next((i for i in range(start, len(words)) if words[i] in _SPELLINGS[letter]), None)


def _last_a(words: Sequence[str], before: int) -> int | None:
    return next((i for i in range(before - 2, 0, -1) if words[i] in _SPELLINGS["A"]), None)


def _clean(choices: Sequence[str]) -> tuple[str, ...]:
    return tuple(choice.strip().rstrip(".;,").strip() for choice in choices)


def pick(found: ChoiceQuestion, retriever: Retriever) -> Pick:
    """The choice that a fact supports best: the fact fits the question, and its answer is the choice."""
    without_choice = retriever.scores(found.question)
    best = Pick(CHOICE_LETTERS[0], 0.0)
    for letter, choice in zip(CHOICE_LETTERS, found.choices, strict=False):
        with_choice = retriever.scores(f"{found.question} {choice}")
        # The mean: with only the choice, a fact could win by containing the choice and little of the question.
        fits = 0.5 * (without_choice + with_choice)
        for fact, fit in zip(retriever.facts, fits, strict=True):
            if fit <= best.score:
                continue
            supported = float(fit) * similarity(choice, fact.answer)
            if supported > best.score:
                best = Pick(letter, supported)
    return best


def similarity(choice: str, answer: str) -> float:
    """Similarity of a choice to an answer, 0 to 1, in any word order; articles and prepositions are left out."""
    first, second = (" ".join(_content(text)) for text in (choice, answer))
    if not first or not second:
        return 0.0
    # The set ratio is 100 as soon as one text contains the other, so it counts a little less than equality.
    return max(fuzz.ratio(first, second), 0.95 * fuzz.token_set_ratio(first, second)) / 100


def _content(text: str) -> list[str]:
    return [word for word in words_of(text) if word not in {"a", "an", "the", "in", "on", "at", "of"}]
