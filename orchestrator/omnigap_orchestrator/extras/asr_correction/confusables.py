"""The texts of a calibration: the gold answer of each item, a distractor, and a confusable that sounds like the gold.

Phonetic similarity is an edit distance over keys that spell an English text by its sounds.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from omnigap.digest import digest_of
from omnigap.errors import OmnigapError
from omnigap.vocabulary import CHOICE_LETTERS, AnswerType, primary_language
from omnigap_orchestrator.items import Item
from omnigap_orchestrator.scoring import MetricRules, metric_of, score

MAX_DISTANCE = 0.5
"""Largest phonetic distance of a confusable (0: the same sounds, 1: nothing in common)."""

MAX_CANDIDATES = 50
"""Candidates that are ranked by the exact distance."""

# The order matters: "tch" before "c", "gh" at the end (f) before "gh" elsewhere (silent), the final silent e last.
# Capitals represent sounds without their own letter: C = ch, S = sh, T = th.
_SPELLINGS: tuple[tuple[str, str], ...] = (
    (r"tch|ch", "C"),
    (r"dge?(?=[eiy]|$)|dj", "j"),
    (r"sch|sh|(?<=[a-z])ti(?=on)", "S"),
    (r"th", "T"),
    (r"ph|gh(?=$)", "f"),
    (r"gh", ""),
    (r"^kn|^gn|^pn", "n"),
    (r"^wr", "r"),
    (r"wh", "w"),
    (r"ck|qu?|c(?=[aoukrtl]|$)", "k"),
    (r"c", "s"),
    (r"x", "ks"),
    (r"z", "z"),
    (r"(?<=[a-zCST])e$", ""),
)
# Voiced and unvoiced consonants become one, and so do m and n, l and r, s and sh: pairs that are easily confused.
_COARSE = str.maketrans("bdgvzjCmlT", "ptkfsSSnrt")
_VOWELS = re.compile(r"[aeiouy]+")
# Letters whose English names rhyme, each group in the order of similarity: bee, dee, pee, gee, tee ...
_RHYMES = ("bdpgtvecz", "jakh", "fsxlmn", "iy", "quw", "o", "r")

# Numbers up to twelve have names without a pattern, so the numbers that each is confused with are listed.
_SMALL: dict[int, tuple[int, ...]] = {
    0: (10,), 1: (9, 11), 2: (10, 12), 3: (13, 30), 4: (14, 40), 5: (9, 15), 6: (16, 60), 7: (11, 17),
    8: (18, 80), 9: (5, 19), 10: (2, 12), 11: (7, 12), 12: (20, 11),
}  # fmt: skip
_RHYMING_DIGIT = {"5": "9", "9": "5", "1": "9", "7": "1", "2": "3", "3": "2", "4": "5", "6": "8", "8": "6", "0": "8"}
_NAMES = (
    ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"),
    ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
     "December"),
)  # fmt: skip
_NUMBER = re.compile(r"\d+")


@lru_cache(maxsize=1 << 17)
def sound_key(text: str) -> str:
    """The phonetic key of a text: one character for each sound, by the rules of English spelling.

    Other scripts are compared by their letters; NFKD splits Hangul syllables into jamo, so they also compare by sound.
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", text).casefold() if not unicodedata.combining(c))
    words = []
    for word in re.findall(r"\w+", plain):
        for pattern, sound in _SPELLINGS:
            word = re.sub(pattern, sound, word)
        word = re.sub(r"(.)\1+", r"\1", word)
        words.append(_VOWELS.sub(lambda run: "A" if run[0][0] in "aei" else "O" if run[0][0] in "ou" else "A", word))
    return "".join(words)


def distance(first: str, second: str) -> float:
    """Phonetic distance of two texts, 0 (same sounds) to 1: normalised edit distance of their keys.

    The mean of a fine and a coarse distance, so that confusing p with b, or m with n, costs half.
    """
    a, b = sound_key(first), sound_key(second)
    if not a or not b:
        return float(a != b)
    fine = float(Levenshtein.normalized_distance(a, b))
    return (fine + float(Levenshtein.normalized_distance(a.translate(_COARSE), b.translate(_COARSE)))) / 2


def nearest(text: str, pool: Iterable[str]) -> list[str]:
    """Texts of a pool that sound like this one, nearest first, at most `MAX_CANDIDATES`, without the text itself."""
    others = [other for other in dict.fromkeys(pool) if other.casefold() != text.casefold()]
    # A pool may hold every answer of a large benchmark: one pass over it by only the fine key, in C, then an exact
    # rank.
    keys = [sound_key(other) for other in others]
    found = process.extract(sound_key(text), keys, scorer=Levenshtein.normalized_distance, limit=MAX_CANDIDATES)
    ranked = sorted((distance(text, others[place]), others[place]) for _, _, place in found)
    return [other for far, other in ranked if far <= MAX_DISTANCE]


def rhyming_letters(letter: str) -> list[str]:
    """Letters whose English names rhyme with that of `letter`, nearest in sound first: D, P, G, T ... for B."""
    group = next((group for group in _RHYMES if letter.casefold() in group), "")
    own = group.find(letter.casefold())
    others = sorted((place for place in range(len(group)) if place != own), key=lambda place: abs(place - own))
    return [group[place].upper() for place in others]


def confusable_numbers(text: str) -> list[str]:
    """The text with its last number replaced by each one that is confused with it; empty without a number in digits.

    Such pairs are 13 and 30, 5 and 9, 7 and 11, 1945 and 1949.
    """
    found = list(_NUMBER.finditer(text))
    if not found:
        return []
    last = found[-1]
    # In "October 31" the number is a day: 32 would be no date.
    highest = 31 if any(c.isalpha() for c in text[: last.start()]) and int(last[0]) <= 31 else None
    return [
        f"{text[: last.start()]}{other}{text[last.end() :]}"
        for other in dict.fromkeys(_confused_digits(last[0]))
        if other != last[0] and (highest is None or 1 <= int(other) <= highest)
    ]


def _confused_digits(digits: str) -> Iterable[str]:
    number, end = int(digits), int(digits) % 100
    if 13 <= end <= 19:
        yield str(number - end + 10 * (end % 10))
    if end in range(30, 100, 10):
        yield str(number - end + 10 + end // 10)
    if number in _SMALL:
        yield from map(str, _SMALL[number])
    yield digits[:-1] + _RHYMING_DIGIT[digits[-1]]
    yield str(number + 1)
    yield str(abs(number - 1))


def confusable_names(text: str) -> list[str]:
    """For the name of a weekday or a month the other ones, nearest in sound first; empty for other texts."""
    for names in _NAMES:
        if text in names:
            return sorted((other for other in names if other != text), key=lambda other: distance(text, other))
    return []


BINARY = frozenset(
    (
        "containment",
        "exact",
        "number",
        "date",
        "letter",
        "label",
        "voicebench_mcq",
        "voicebench_bbh",
    )
)
"""Metrics that compare with a gold answer and score 0 or 1; q1 and q0 are undefined for the others."""

ANSWER = "{answer}"
"""Placeholder of the answer in a template sentence."""

_MAX_TRIES = 12


class CalibrationError(OmnigapError):
    """A calibration can't be made or used; the message names the flag, key or command that fixes it."""


class ClipKind(StrEnum):
    """What a clip of a calibration says."""

    GOLD = "gold"
    # Another item's answer of the same type, or another choice.
    DISTRACTOR = "distractor"
    # The wrong answer that sounds most like the gold answer.
    CONFUSABLE = "confusable"


@dataclass(frozen=True, slots=True)
class Utterance:
    """One text to synthesise for one item.

    Attributes:
        truth: the bare answer.
        spoken: the answer in its template sentence, as the TTS service receives it.
        metric: the metric that scores the item's answers in the run.
    """

    item: Item
    clip_kind: ClipKind
    truth: str
    spoken: str
    metric: str


@dataclass(frozen=True, slots=True)
class Utterances:
    """All texts of a calibration.

    Attributes:
        utterances: the texts, item by item.
        not_binary: number of items left out because their metric is graded or they have no gold answer.
        unscorable: number of items left out because their gold answer in its template sentence scores 0 as text.
        without_confusable: number of items without a confusable.
    """

    utterances: tuple[Utterance, ...]
    not_binary: int
    unscorable: int
    without_confusable: int


def utterances(
    items: Sequence[Item],
    rules: MetricRules | None = None,
    template: str | None = None,
    per_type: int | None = None,
) -> Utterances:
    """The gold answer, a distractor and a confusable of every item; in a deterministic order.

    Every text is first scored as text. A gold answer that counts as wrong, or a wrong answer that counts as right,
    would say nothing about the ASR scorer, so the next candidate is used.

    Args:
        rules: the configured choice of metrics; None: the default metric of each answer type.
        template: a sentence with `{answer}`; None: the bare answer, and "Option B." for a letter, as models say it.
        per_type: maximum number of items of each answer type.

    Raises:
        CalibrationError: `template` lacks `{answer}`, or no item has a binary metric or a usable gold answer.
    """
    if template is not None and ANSWER not in template:
        raise CalibrationError(f"--template {template!r} has no {ANSWER}: write one like 'The answer is {ANSWER}.'")
    metrics = {item.id: metric_of(item, rules or MetricRules()) for item in items}
    binary = [item for item in items if metrics[item.id] in BINARY and item.answers]
    if not binary:
        named = ", ".join(sorted(set(metrics.values())))
        raise CalibrationError(
            f"no item has a binary metric (the items are scored by {named}), so q1 and q0 are undefined: choose items "
            "of another answer type with --items or --task"
        )
    pools = _Pools(binary)
    chosen: list[Utterance] = []
    unscorable = without_confusable = 0
    taken: dict[AnswerType, int] = defaultdict(int)
    # By a hash: with `per_type` the items are a pseudo-random sample that the order of the file does not change.
    for item in sorted(binary, key=lambda item: digest_of(["calibration", item.id])):
        if per_type is not None and taken[item.answer_type] >= per_type:
            continue
        metric = metrics[item.id]
        gold = _first(item, ClipKind.GOLD, iter(item.answers[:1]), template, metric)
        if gold is None:
            unscorable += 1
            continue
        taken[item.answer_type] += 1
        distractor = _first(item, ClipKind.DISTRACTOR, pools.distractors(item), template, metric)
        confusable = _first(item, ClipKind.CONFUSABLE, pools.confusables(item), template, metric)
        without_confusable += confusable is None
        chosen += [utterance for utterance in (gold, distractor, confusable) if utterance is not None]
    if not chosen:
        raise CalibrationError(
            f"no gold answer of {len(binary)} items counts as right when it is spoken"
            + (" without a template" if template is None else f" as {template!r}")
            + f": use another --template with {ANSWER}, or other --items"
        )
    return Utterances(tuple(chosen), len(items) - len(binary), unscorable, without_confusable)


def in_template(item: Item, answer: str, template: str | None) -> str:
    """The answer as it is spoken: in the template sentence, or bare; a single English letter gets a word before it."""
    if template is not None:
        return template.replace(ANSWER, answer)
    if len(answer) == 1 and answer.isalpha() and primary_language(item.language) == "en":
        return f"Option {answer}." if item.choices else f"The letter {answer}."
    return answer


def _first(
    item: Item, clip_kind: ClipKind, candidates: Iterator[str], template: str | None, metric: str
) -> Utterance | None:
    """The first candidate whose score as text is the right one for its kind: 1 for a gold answer, 0 otherwise."""
    wanted = 1.0 if clip_kind is ClipKind.GOLD else 0.0
    for _, truth in zip(range(_MAX_TRIES), candidates, strict=False):
        spoken = in_template(item, truth, template)
        if score(item, spoken, metric).score == wanted:
            return Utterance(item, clip_kind, truth, spoken, metric)
    return None


class _Pools:
    """Candidates for wrong answers, by language and answer type."""

    def __init__(self, items: Sequence[Item]) -> None:
        answers: dict[tuple[str, AnswerType], set[str]] = defaultdict(set)
        words: dict[str, set[str]] = defaultdict(set)
        for item in items:
            answers[item.language, item.answer_type].add(item.answers[0])
            words[item.language] |= {word.strip("?.,!:;'\"()") for word in item.question.split()} - {""}
        # Ordered only by the texts, so that the order of the items does not matter. The label "foil" in these digests
        # is part of the choice: another one would draw other texts and make stored clips useless.
        self._answers = {key: sorted(pool, key=lambda text: digest_of(["foil", text])) for key, pool in answers.items()}
        self._words = {language: sorted(pool) for language, pool in words.items()}

    def distractors(self, item: Item) -> Iterator[str]:
        """Other items' answers of the same type, or the other choices, from a position that the item id determines."""
        pool = _other_choices(item) or self._answers[item.language, item.answer_type]
        start = int(digest_of(["foil", item.id])[:12], 16) % len(pool)
        in_digits = item.answers[0].isdigit()
        rotated = [*pool[start:], *pool[:start]]
        # Digits for digits first: a month's name would be too easy a distractor for a year.
        yield from sorted(rotated, key=lambda answer: answer.isdigit() is not in_digits)

    def confusables(self, item: Item) -> Iterator[str]:
        """Texts that sound like the gold answer, nearest first."""
        gold = item.answers[0]
        if len(gold) == 1 and gold.isalpha():
            choices = _other_choices(item)
            yield from (letter for letter in rhyming_letters(gold) if not choices or letter in choices)
            return
        if item.answer_type in (AnswerType.NUMBER, AnswerType.DATE):
            yield from confusable_numbers(gold)
            yield from confusable_names(gold)
        words = self._words[item.language] if item.answer_type is AnswerType.WORD else []
        yield from nearest(gold, [*self._answers[item.language, item.answer_type], *words, *item.choices])


def _other_choices(item: Item) -> list[str]:
    """The wrong choices in the form of the gold answer: letters if it is a letter, otherwise their texts."""
    if not item.choices:
        return []
    letters = list(CHOICE_LETTERS[: len(item.choices)])
    options = letters if len(item.answers[0]) == 1 else list(item.choices)
    return [option for option in options if option not in item.answers]
