"""IFEval's verifiable instructions (arXiv 2311.07911) and the metrics that score them.

The checks agree with those of IFEval, except for two that would need a model: sentences are split by rule (IFEval uses
NLTK), and the language of a response is detected by its script (IFEval uses langdetect).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING

from omnigap_orchestrator.scoring.flags import wrong_language
from omnigap_orchestrator.scoring.metrics import Metric, Scored
from omnigap_orchestrator.scoring.normalise.numbers import listed

if TYPE_CHECKING:
    from omnigap_orchestrator.items.item import Check, Item


@dataclass(frozen=True, slots=True)
class Instruction:
    """One verifiable instruction.

    Attributes:
        kind: IFEval's id, such as `length_constraints:number_words`; a key of `CHECKS`.
        words: keywords or forbidden words.
        phrase: the text argument: a keyword, letter, end phrase, first word, section or postscript marker, prompt to
            repeat, or language.
        count: the numeric argument; its meaning depends on the kind.
        fewer: whether fewer than `count` are required, instead of at least `count`.
        nth: number of the paragraph, from 1.
    """

    kind: str
    words: tuple[str, ...] = ()
    phrase: str = ""
    count: int = 0
    fewer: bool = False
    nth: int = 1

    def __post_init__(self) -> None:
        if self.kind not in CHECKS:
            raise ValueError(f"unknown instruction {self.kind!r}: one of {', '.join(CHECKS)}")


@dataclass(frozen=True, slots=True)
class Followed:
    """Verdicts on the instructions of a prompt, in their order."""

    each: tuple[bool, ...]

    @property
    def all(self) -> bool:
        """IFEval's prompt-level verdict: all instructions are followed."""
        return all(self.each)

    @property
    def share(self) -> float:
        """Share of instructions followed; 1 for a prompt without instructions."""
        return sum(self.each) / len(self.each) if self.each else 1.0


_PHRASES = listed(
    "keyword letter language postscript_marker section_spliter end_phrase first_word prompt_to_repeat",
)
_COUNTS = listed(
    "frequency let_frequency capital_frequency num_sentences num_words num_placeholders num_bullets num_highlights",
    "num_sections num_paragraphs",
)
_RELATIONS = ("relation", "let_relation", "capital_relation")


def read_instruction(kind: str, arguments: Mapping[str, object]) -> Instruction:
    """Reads an instruction in the format of IFEval's data set: an id and keyword arguments; nulls are ignored.

    Raises:
        ValueError: the id or the relation is unknown.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    words = given.get("keywords") or given.get("forbidden_words") or ()
    relation = next((str(given[name]) for name in _RELATIONS if name in given), "at least")
    if relation not in ("at least", "less than"):
        raise ValueError(f"relation of {kind} is {relation!r}: must be 'at least' or 'less than'")
    return Instruction(
        kind=kind,
        words=tuple(str(word) for word in words) if isinstance(words, list | tuple) else (str(words),),
        phrase=next((str(given[name]) for name in _PHRASES if name in given), ""),
        count=next((int(str(given[name])) for name in _COUNTS if name in given), 0),
        fewer=relation == "less than",
        nth=int(str(given.get("nth_paragraph", 1))),
    )


def follows(instruction: Instruction, response: str) -> bool:
    """IFEval's strict verdict: whether the unchanged response follows an instruction. An empty response never does."""
    return bool(response.strip()) and CHECKS[instruction.kind](instruction, response)


def follows_loosely(instruction: Instruction, response: str) -> bool:
    """IFEval's loose verdict: first line, last line and asterisks may be removed, in all eight combinations."""
    lines = response.split("\n")
    for first, last, stars in product((0, 1), (0, 1), (False, True)):
        variant = "\n".join(lines[first : len(lines) - last]).strip() if first or last else response
        if follows(instruction, variant.replace("*", "") if stars else variant):
            return True
    return False


def followed(instructions: Iterable[Instruction], response: str, *, loose: bool = False) -> Followed:
    """Verdicts on all instructions of a prompt."""
    check = follows_loosely if loose else follows
    return Followed(tuple(check(instruction, response) for instruction in instructions))


def _compare(instruction: Instruction, number: int) -> bool:
    return number < instruction.count if instruction.fewer else number >= instruction.count


def _occurrences(text: str, word: str) -> int:
    return len(re.findall(re.escape(word.strip()), text, re.IGNORECASE))


_ABBREVIATION = re.compile(r"\b(?:mr|mrs|ms|dr|prof|st|jr|sr|vs|e\.g|i\.e|etc|[a-z])\.(?=\s)", re.IGNORECASE)


def sentences(text: str) -> list[str]:
    """Splits at . ! ? before white space, but not after titles, initials and common abbreviations."""
    # \0 hides the full stops of abbreviations from the split.
    kept = _ABBREVIATION.sub(lambda match: match[0][:-1] + "\0", text)
    parts = re.split(r"(?<=[.!?])[\"')\]]*\s+", kept.strip())
    return [part.replace("\0", ".") for part in parts if re.search(r"\w", part)]


def _paragraphs(instruction: Instruction, text: str) -> bool:
    parts = re.split(r"\s?\*\*\*\s?", text)
    inner = parts[1:-1] if len(parts) > 1 else []
    filled = [part for part in parts if part.strip()]
    return all(part.strip() for part in inner) and len(filled) == instruction.count


def _first_word(instruction: Instruction, text: str) -> bool:
    paragraphs = text.split("\n\n")
    filled = sum(bool(part.strip()) for part in paragraphs)
    if filled != instruction.count or not 1 <= instruction.nth <= filled:
        return False
    words = paragraphs[instruction.nth - 1].split()
    first = re.match(r"[^.,?!'\"]*", words[0].lstrip("'\"")) if words else None
    return first is not None and first[0].lower() == instruction.phrase.lower()


def _bullets(instruction: Instruction, text: str) -> bool:
    return len(re.findall(r"^\s*(?:\*[^*].*|-.*)$", text, re.MULTILINE)) == instruction.count


def _highlights(instruction: Instruction, text: str) -> bool:
    single = [part for part in re.findall(r"\*[^\n*]*\*", text) if part.strip("*").strip()]
    double = [part for part in re.findall(r"\*\*([^\n*]*)\*\*", text) if part.strip()]
    return len(single) + len(double) >= instruction.count


def _sections(instruction: Instruction, text: str) -> bool:
    return len(re.findall(rf"\s?{re.escape(instruction.phrase.strip())}\s?\d+\s?", text)) >= instruction.count


def _postscript(instruction: Instruction, text: str) -> bool:
    marks = {"P.P.S": r"p\.\s?p\.\s?s", "P.S.": r"p\.\s?s\."}
    mark = marks.get(instruction.phrase.strip(), re.escape(instruction.phrase.strip().lower()))
    return re.search(mark, text.lower()) is not None


def _json(instruction: Instruction, text: str) -> bool:
    body = re.sub(r"^```(?:json)?|```$", "", text.strip(), flags=re.IGNORECASE).strip()
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


def _two_responses(instruction: Instruction, text: str) -> bool:
    parts = [part.strip() for part in text.split("******")]
    filled = [part for part in parts if part]
    return all(parts[1:-1]) and len(filled) == 2 and filled[0] != filled[1]


def _quoted(instruction: Instruction, text: str) -> bool:
    body = text.strip()
    return len(body) > 1 and body[0] == body[-1] == '"'


def _capital_words(instruction: Instruction, text: str) -> bool:
    # Same words as NLTK's tokeniser where capitals matter: split at apostrophes, but not at hyphens.
    return _compare(instruction, sum(word.isupper() for word in re.findall(r"[^\W_]+(?:-[^\W_]+)*", text)))


_OPTIONS: Sequence[str] = ("My answer is yes.", "My answer is no.", "My answer is maybe.")

CHECKS: dict[str, Callable[[Instruction, str], bool]] = {
    "keywords:existence": lambda i, text: all(_occurrences(text, word) for word in i.words),
    "keywords:frequency": lambda i, text: _compare(i, _occurrences(text, i.phrase)),
    "keywords:forbidden_words": lambda i, text: (
        not any(re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE) for word in i.words)
    ),
    "keywords:letter_frequency": lambda i, text: _compare(i, text.lower().count(i.phrase.lower())),
    "language:response_language": lambda i, text: not wrong_language(text, i.phrase),
    "length_constraints:number_sentences": lambda i, text: _compare(i, len(sentences(text))),
    "length_constraints:number_paragraphs": _paragraphs,
    "length_constraints:number_words": lambda i, text: _compare(i, len(re.findall(r"\w+", text))),
    "length_constraints:nth_paragraph_first_word": _first_word,
    "detectable_content:number_placeholders": lambda i, text: len(re.findall(r"\[.*?\]", text)) >= i.count,
    "detectable_content:postscript": _postscript,
    "detectable_format:number_bullet_lists": _bullets,
    "detectable_format:constrained_response": lambda i, text: any(option in text for option in _OPTIONS),
    "detectable_format:number_highlighted_sections": _highlights,
    "detectable_format:multiple_sections": _sections,
    "detectable_format:json_format": _json,
    "detectable_format:title": lambda i, text: any(title.strip("<> \t") for title in re.findall(r"<<[^\n]+>>", text)),
    "combination:two_responses": _two_responses,
    "combination:repeat_prompt": lambda i, text: text.strip().lower().startswith(i.phrase.strip().lower()),
    "startend:end_checker": lambda i, text: text.strip().strip('"').lower().endswith(i.phrase.strip().lower()),
    "startend:quotation": _quoted,
    "change_case:capital_word_frequency": _capital_words,
    "change_case:english_capital": lambda i, text: text.isupper() and not wrong_language(text, "en"),
    "change_case:english_lowercase": lambda i, text: text.islower() and not wrong_language(text, "en"),
    "punctuation:no_comma": lambda i, text: "," not in text,
}
"""IFEval's 25 kinds. Those of punctuation, case and layout have no meaning in a speech answer: see `AUDIBLE`."""

AUDIBLE = frozenset(
    kind
    for kind in CHECKS
    if kind.startswith(("keywords:", "language:"))
    or kind
    in (
        "length_constraints:number_words",
        "detectable_format:constrained_response",
        "combination:repeat_prompt",
        "startend:end_checker",
    )
)
"""The kinds that a speech answer can follow, so that text and speech answers can be compared."""


@lru_cache(maxsize=1 << 12)
def instruction_of(check: Check) -> Instruction:
    """Parses a check of an item."""
    return read_instruction(check.kind, json.loads(check.arguments))


def instructions_of(item: Item) -> tuple[Instruction, ...]:
    return tuple(instruction_of(check) for check in item.checks)


def _strict(item: Item, text: str, answer: str) -> Scored:
    """Scores 1 if every instruction is followed: IFEval's strict prompt-level accuracy."""
    return Scored(float(followed(instructions_of(item), text).all), "ifeval", answer)


def _loose(item: Item, text: str, answer: str) -> Scored:
    return Scored(float(followed(instructions_of(item), text, loose=True).all), "ifeval_loose", answer)


def _share(item: Item, text: str, answer: str) -> Scored:
    return Scored(followed(instructions_of(item), text).share, "ifeval_share", answer)


def _audible(item: Item, text: str, answer: str) -> Scored:
    """The strict verdict over the audible instructions. Text answers use the same subset, to be comparable."""
    audible = [instruction for instruction in instructions_of(item) if instruction.kind in AUDIBLE]
    return Scored(float(followed(audible, text).all), "ifeval_audible", answer)


def _lacks_audible(item: Item) -> str:
    if any(check.kind in AUDIBLE for check in item.checks):
        return ""
    return f"has no check that a speech answer can follow: add one of {', '.join(sorted(AUDIBLE))}"


# In a transcript, layout, case and punctuation come from the ASR and not from the model. `ifeval_audible` therefore
# leaves these checks out.
METRICS = (
    Metric("ifeval", _strict, needs_gold=False, needs_checks=True, takes_refusals=True),
    Metric("ifeval_loose", _loose, needs_gold=False, needs_checks=True, takes_refusals=True),
    Metric("ifeval_share", _share, needs_gold=False, needs_checks=True, takes_refusals=True),
    Metric("ifeval_audible", _audible, lacks=_lacks_audible, needs_gold=False, needs_checks=True, takes_refusals=True),
)
