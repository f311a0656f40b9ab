"""Multiple choice: finding the choices in a typed, read or heard question, and picking one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz

from omnigap.vocabulary import CHOICE_LETTERS
from omnigap_services.cascade.retrieval import Retriever
from omnigap_services.cascade.words import words_of

_LINE = re.compile(r"^\s*\(?([A-H])\s*[.):]\s*(.+)$")
_INLINE = re.compile(r"(?:(?<=\s)|^)\(?([A-H])\s*[.):]\s*")
# How an ASR writes the name of a letter.
_HEARD = {
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
    """A question and its choices, the first lettered A."""

    question: str
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pick:
    """The chosen letter and how sure the look-up was, 0 to 1."""

    letter: str
    score: float


def find_choices(text: str) -> ChoiceQuestion | None:
    """The choices of a carrier: lines "A. ...", or "A: ... . B: ..." in running text, or letters heard as words."""
    return _by_lines(text) or _by_marks(text) or _by_sound(text)


def _by_lines(text: str) -> ChoiceQuestion | None:
    stem: list[str] = []
    choices: list[str] = []
    for line in text.splitlines():
        match = _LINE.match(line)
        if match and len(choices) < len(CHOICE_LETTERS) and match.group(1) == CHOICE_LETTERS[len(choices)]:
            choices.append(match.group(2).strip())
        elif choices:
            # A long choice wraps onto the next line.
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
    """Letters as an ASR hears them: "... a shark b dolphin c lizard d eagle"; the article "a" is no letter.

    B and C must both be heard in order; A is the last "a" before B that leaves a choice between them.
    """
    words = re.findall(r"[A-Za-z0-9']+", text)
    plain = [word.lower() for word in words]
    second = _next(plain, "B", 2)
    while second is not None:
        first = _last_a(plain, second)
        third = _next(plain, "C", second + 2)
        if first is not None and third is not None:
            marks = [first, second, third]
            for letter in CHOICE_LETTERS[3:]:
                following = _next(plain, letter, marks[-1] + 2)
                if following is None:
                    break
                marks.append(following)
            ends = [*marks[1:], len(words)]
            choices = [" ".join(words[mark + 1 : end]) for mark, end in zip(marks, ends, strict=True)]
            if all(choices):
                return ChoiceQuestion(" ".join(words[:first]), _clean(choices))
        second = _next(plain, "B", second + 1)
    return None


def _next(words: Sequence[str], letter: str, start: int) -> int | None:
    return next((i for i in range(start, len(words)) if words[i] in _HEARD[letter]), None)


def _last_a(words: Sequence[str], before: int) -> int | None:
    return next((i for i in range(before - 2, 0, -1) if words[i] in _HEARD["A"]), None)


def _clean(choices: Sequence[str]) -> tuple[str, ...]:
    return tuple(choice.strip().rstrip(".;,").strip() for choice in choices)


def pick(found: ChoiceQuestion, retriever: Retriever) -> Pick:
    """The choice that a fact backs best: a fact backs a choice by fitting the question and having it as its answer."""
    alone = retriever.scores(found.question)
    best = Pick("A", 0.0)
    for letter, choice in zip(CHOICE_LETTERS, found.choices, strict=False):
        together = retriever.scores(f"{found.question} {choice}")
        fits = 0.5 * (alone + together)
        for fact, fit in zip(retriever.facts, fits, strict=True):
            if fit <= best.score:
                continue
            backed = float(fit) * alike(choice, fact.answer)
            if backed > best.score:
                best = Pick(letter, backed)
    return best


def alike(choice: str, answer: str) -> float:
    """How much a choice is an answer, 0 to 1: same words in any order, spelling errors forgiven, articles left out."""
    one, other = (" ".join(_bare(text)) for text in (choice, answer))
    if not one or not other:
        return 0.0
    return max(fuzz.ratio(one, other), 0.95 * fuzz.token_set_ratio(one, other)) / 100


def _bare(text: str) -> list[str]:
    return [word for word in words_of(text) if word not in {"a", "an", "the", "in", "on", "at", "of"}]
