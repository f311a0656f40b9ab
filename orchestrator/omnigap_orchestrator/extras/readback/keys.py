"""What of a question must not get lost: numbers, negations, names, choices with their letters, alternatives."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from omnigap.vocabulary import CHOICE_LETTERS, primary_language
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.scoring import gold_forms
from omnigap_orchestrator.scoring.metrics import offered
from omnigap_orchestrator.scoring.normalise import normalise


class Kind(StrEnum):
    """Why a piece of a question decides over its answer."""

    NUMBER = "number"
    NEGATION = "negation"
    NAME = "name"
    CHOICE = "choice"
    # A word of a gold answer that stands in the question, or one of its alternatives ("shell or ring").
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Key:
    """A piece of a question, normalised; several words are looked for in a row."""

    kind: Kind
    text: str
    count: int = 1


_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_NEGATIONS = {
    "en": frozenset(["not", "no", "never", "without", "except", "nor", "neither", "none"]),
    "de": frozenset(["nicht", "kein", "keine", "keinen", "keiner", "nie", "ohne", "außer"]),
    "es": frozenset(["no", "nunca", "sin", "excepto", "ninguno", "ninguna"]),
    "fr": frozenset(["pas", "jamais", "sans", "sauf", "aucun", "aucune"]),
}
_KOREAN_NEGATION = re.compile(r"\S*(?:않|아니|아닌|아닙|없|못)\S*")
_WORD = re.compile(r"[^\W\d_][\w'’-]*")
_SENTENCE_END = ".?!:;\n"


def keys_of(item: Item, said: str) -> tuple[Key, ...]:
    """The key pieces of a question as it is shown or read aloud; letters of choices are apart (`letters_of`).

    Args:
        said: what the carrier should say, the choices included.
    """
    text = normalise(said, item.language)
    padded = f" {text} "
    found: dict[str, Key] = {}

    def add(kind: Kind, key: str, count: int = 1) -> None:
        # An article that begins a title is no word of the normalised text.
        stands = kind is Kind.NUMBER or f" {key} " in padded
        if key and stands and key not in found:
            found[key] = Key(kind, key, count)

    for number, count in Counter(numbers_of(text)).items():
        add(Kind.NUMBER, number, count)
    for word in _negations(text, item.language):
        add(Kind.NEGATION, word)
    for choice in item.choices:
        add(Kind.CHOICE, normalise(choice, item.language))
    for answer in (*gold_forms(item.answers, item.language), *offered(normalise(item.question, item.language))):
        if len(answer) > 1:
            add(Kind.ANSWER, answer)
    for name in names_of(item.question):
        add(Kind.NAME, normalise(name, item.language))
    return tuple(found.values())


def letters_of(item: Item) -> str:
    """The letters that must be read back, each before its choice."""
    return CHOICE_LETTERS[: len(item.choices)]


def numbers_of(text: str) -> list[str]:
    """The numbers of a normalised text, whatever counter or ending stands behind them."""
    return _NUMBER.findall(text)


def names_of(text: str) -> list[str]:
    """Runs of words with a capital letter that do not begin a sentence; scripts without capitals have none."""
    names: list[str] = []
    end = -1
    for match in _WORD.finditer(text):
        before = text[: match.start()].rstrip(" \"'“‘(")
        begins = not before or before[-1] in _SENTENCE_END
        if not match[0][0].isupper() or begins or match[0] == "I":
            continue
        if names and text[end : match.start()] == " ":
            names[-1] += f" {match[0]}"
        else:
            names.append(match[0])
        end = match.end()
    return names


def _negations(text: str, language: str) -> list[str]:
    primary = primary_language(language)
    if primary == "ko":
        return [match[0] for match in _KOREAN_NEGATION.finditer(text)]
    known = _NEGATIONS.get(primary, frozenset())
    return [word for word in text.split() if word in known]
