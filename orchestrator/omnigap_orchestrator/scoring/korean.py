"""Korean versions of the metrics: spacing is ignored, and particles after a noun are accepted."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence

from omnigap.vocabulary import CHOICE_LETTERS
from omnigap_orchestrator.scoring.letters import NO_CHOICE, Choice
from omnigap_orchestrator.scoring.metrics import NO_MATCH, LabelMatch, Match
from omnigap_orchestrator.scoring.normalise import normalise
from omnigap_orchestrator.scoring.normalise.korean_nouns import ENDING, find_noun, split_numbers, strip_copula
from omnigap_orchestrator.scoring.numeric import NumberMatch, number_match

MAX_ANSWER_SYLLABLES = 150
"""Number of syllables of an answer that containment searches: about as much speech as 50 English words."""

# "is not" and "instead of", which follow the noun that they deny.
_DENIAL = re.compile(r" ?(?:아니|아닌|아닙|말고)")
KOREAN_LETTER_NAMES = {
    "에이": "A",
    "비": "B",
    "씨": "C",
    "시": "C",
    "디": "D",
    "이": "E",
    "에프": "F",
    "지": "G",
    "에이치": "H",
}
"""Names of the English letters in Hangul. 씨 and 시 are both used for C."""

# A Latin letter as a separate letter, with or without particles after it: "B", "B번", "B입니다".
_LETTER = re.compile(r"(?<![a-z])([a-h])(?![a-z])(?=\S*)")
# "The answer is", "my answer is", "choice": words that may precede the letter.
_LEAD = re.compile(r"^(?:(?:정답|답|보기|선택지|제생각|저)(?:은|는|이|가)? ?|제 생각에는 )*")


def exact_korean(answer: str, golds: Sequence[str]) -> Match:
    """Scores 1 if the answer, without spaces and final copula, equals a gold answer."""
    said = strip_copula(answer)
    for gold in golds:
        if said and said == strip_copula(gold):
            return Match(1.0, gold)
    return NO_MATCH


def contains_korean(answer: str, golds: Sequence[str]) -> Match:
    """Scores 1 if a gold answer occurs as a separate noun, with or without particles, and is not denied."""
    whole = exact_korean(answer, golds)
    if whole.score:
        return whole
    text = answer[:MAX_ANSWER_SYLLABLES]
    for gold in golds:
        if any(_DENIAL.match(text, end) is None for _, end in find_noun(text, gold)):
            return Match(1.0, gold)
    return NO_MATCH


def named_options_korean(answer: str, options: Sequence[str]) -> tuple[str, ...]:
    """The options that an answer names and does not deny. One inside a longer named option does not count."""
    found = [
        option
        for option in options
        if option and any(_DENIAL.match(answer, end) is None for _, end in find_noun(answer, option))
    ]
    return tuple(
        option
        for option in found
        if not any(option != other and strip_copula(option) in strip_copula(other) for other in found)
    )


def label_korean(answer: str, golds: Sequence[str], labels: Sequence[str] = ()) -> LabelMatch:
    """Label accuracy: the answer must name exactly one label of the set."""
    if not labels:
        match = contains_korean(answer, golds)
        return LabelMatch(match.score, match.gold)
    found = named_options_korean(answer, labels)
    label = found[0] if len(found) == 1 else None
    return LabelMatch(float(label in golds), label)


def number_korean(answer: str, golds: Sequence[str], *, question: str = "") -> NumberMatch:
    """Numeric match as in `numeric.number_match`, with any Korean counter after the number."""
    return number_match(
        split_numbers(answer), tuple(split_numbers(gold) for gold in golds), question=split_numbers(question)
    )


def choice_korean(text: str, choices: Sequence[str], language: str = "ko") -> Choice:
    """The letter an answer chooses: "B", "비입니다", "정답은 B번입니다", or the text of exactly one choice."""
    answer = normalise(text, language)
    allowed = string.ascii_uppercase[: len(choices)] if choices else CHOICE_LETTERS
    core = _LEAD.sub("", answer)
    # Longest name first: 에이 (A) is the beginning of 에이치 (H).
    for name, letter in sorted(KOREAN_LETTER_NAMES.items(), key=lambda pair: -len(pair[0])):
        rest = core.removeprefix(name)
        if rest != core and ENDING.fullmatch(rest.removeprefix("번").strip()) and letter in allowed:
            return Choice(letter)
    letters = {
        match[1].upper()
        for match in _LETTER.finditer(answer)
        if match[1].upper() in allowed and not re.match(r"\S* ?(?:아니|아닌|아닙|말고)", answer[match.end() :])
    }
    options = [normalise(choice, language) for choice in choices]
    by_text = {string.ascii_uppercase[options.index(option)] for option in named_options_korean(answer, options)}
    # A letter and the text of another choice contradict each other: an answer is never guessed.
    found = letters or by_text
    if len(found) != 1 or (letters and by_text and letters != by_text):
        return NO_CHOICE
    return Choice(next(iter(found)))
