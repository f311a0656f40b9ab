"""How alike two answers sound: edits between keys of their sounds, and lists of what is misheard for what."""

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

ALIKE = 0.5
"""Texts further apart than this do not sound alike (0: the same sounds, 1: nothing in common)."""

MOST = 50

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
_COARSE = str.maketrans("bdgvzjCmlT", "ptkfsSSnrt")
_VOWELS = re.compile(r"[aeiouy]+")
_RHYMES = ("bdpgtvecz", "jakh", "fsxlmn", "iy", "quw", "o", "r")

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
    """The sounds of a text in one letter each, as English spells them; other scripts by their letters or jamo."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text).casefold() if not unicodedata.combining(c))
    words = []
    for word in re.findall(r"\w+", plain):
        for pattern, sound in _SPELLINGS:
            word = re.sub(pattern, sound, word)
        word = re.sub(r"(.)\1+", r"\1", word)
        words.append(_VOWELS.sub(lambda run: "A" if run[0][0] in "aei" else "O" if run[0][0] in "ou" else "A", word))
    return "".join(words)


def distance(first: str, second: str) -> float:
    """How unlike two texts sound, 0 to 1: edits over sounds, where p and b, or m and n, are half the same."""
    a, b = sound_key(first), sound_key(second)
    if not a or not b:
        return float(a != b)
    fine = float(Levenshtein.normalized_distance(a, b))
    return (fine + float(Levenshtein.normalized_distance(a.translate(_COARSE), b.translate(_COARSE)))) / 2


def nearest(text: str, pool: Iterable[str]) -> list[str]:
    """Texts of a pool that sound like this one, nearest first, at most `MOST`; what is spelt alike is left out."""
    others = [other for other in dict.fromkeys(pool) if other.casefold() != text.casefold()]
    # One pass over all by the finer key alone, in C: a pool may hold every answer of a large benchmark.
    keys = [sound_key(other) for other in others]
    found = process.extract(sound_key(text), keys, scorer=Levenshtein.normalized_distance, limit=MOST)
    ranked = sorted((distance(text, others[place]), others[place]) for _, _, place in found)
    return [other for far, other in ranked if far <= ALIKE]


def rhyming_letters(letter: str) -> list[str]:
    """The letters whose names rhyme with this one's, nearest in sound first: D P G T ... for B."""
    group = next((group for group in _RHYMES if letter.casefold() in group), "")
    own = group.find(letter.casefold())
    others = sorted((place for place in range(len(group)) if place != own), key=lambda place: abs(place - own))
    return [group[place].upper() for place in others]


def neighbouring_numbers(text: str) -> list[str]:
    """The text with its last number changed to one misheard for it: 13 and 30, 5 and 9, 7 and 11, 1945 and 1949.

    Empty where it holds no number in digits.
    """
    found = list(_NUMBER.finditer(text))
    if not found:
        return []
    last = found[-1]
    # In "October 31" the number is a day.
    highest = 31 if any(c.isalpha() for c in text[: last.start()]) and int(last[0]) <= 31 else None
    return [
        f"{text[: last.start()]}{other}{text[last.end() :]}"
        for other in dict.fromkeys(_neighbours(last[0]))
        if other != last[0] and (highest is None or 1 <= int(other) <= highest)
    ]


def _neighbours(digits: str) -> Iterable[str]:
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


def neighbouring_names(text: str) -> list[str]:
    """The other days or months for a text that is one, nearest in sound first."""
    for names in _NAMES:
        if text in names:
            return sorted((other for other in names if other != text), key=lambda other: distance(text, other))
    return []


# What is said for each item in a calibration: its gold answer, another item's answer, and one that sounds like it.

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
"""Metrics that compare with a gold answer and say right or wrong; of others q1 and q0 mean nothing."""

ANSWER = "{answer}"
"""Stands for the answer in a template sentence."""

_TRIES = 12


class CalibrationError(OmnigapError):
    """A calibration can't be made or used; the message says which flag, key or command fixes it."""


class Foil(StrEnum):
    """What a clip says: the item's gold answer, or a wrong one."""

    GOLD = "gold"
    PLAIN = "plain"
    SOUND_ALIKE = "sound_alike"


@dataclass(frozen=True, slots=True)
class Utterance:
    """One thing to say for one item.

    Attributes:
        truth: the bare answer.
        spoken: the answer in its template sentence, as the voice gets it.
        metric: that scores the item's answers in the run.
    """

    item: Item
    foil: Foil
    truth: str
    spoken: str
    metric: str


@dataclass(frozen=True, slots=True)
class Utterances:
    """All that is to be said.

    Attributes:
        not_binary: items left out since their metric has grades, or no gold answer.
        unscorable: items left out since their gold answer, said in its template sentence, scores 0 as text.
        without_alike: items for which nothing that sounds alike was found.
    """

    said: tuple[Utterance, ...]
    not_binary: int
    unscorable: int
    without_alike: int


def utterances(
    items: Sequence[Item],
    rules: MetricRules | None = None,
    template: str | None = None,
    per_type: int | None = None,
) -> Utterances:
    """The gold answer, a plain foil and a sound-alike of every item; the same every time.

    Every text is scored as text first: a gold answer that does not count as right, or a foil that does, says nothing of
    the scorer, so the next candidate is taken.

    Args:
        rules: what the configuration says of metrics; None: each answer type's own.
        template: a sentence with `{answer}`; None: the bare answer, and "Option B." for a letter, as models say it.
        per_type: at most so many items of each answer type.

    Raises:
        CalibrationError: where the template lacks its `{answer}`, or no item has a binary metric.
    """
    if template is not None and ANSWER not in template:
        raise CalibrationError(f"--template {template!r} has no {ANSWER}: write one like 'The answer is {ANSWER}.'")
    metrics = {item.id: metric_of(item, rules or MetricRules()) for item in items}
    binary = [item for item in items if metrics[item.id] in BINARY and item.answers]
    if not binary:
        named = ", ".join(sorted(set(metrics.values())))
        raise CalibrationError(
            f"all of these items are scored by {named}, which is not binary: q1 and q0 are shares of right and "
            "wrong. Choose items of another answer type with --items or --task"
        )
    pools = _Pools(binary)
    said: list[Utterance] = []
    unscorable = without_alike = 0
    taken: dict[AnswerType, int] = defaultdict(int)
    for item in sorted(binary, key=lambda item: digest_of(["calibration", item.id])):
        if per_type is not None and taken[item.answer_type] >= per_type:
            continue
        metric = metrics[item.id]
        gold = _first(item, Foil.GOLD, iter(item.answers[:1]), template, metric)
        if gold is None:
            unscorable += 1
            continue
        taken[item.answer_type] += 1
        plain = _first(item, Foil.PLAIN, pools.plain(item), template, metric)
        alike = _first(item, Foil.SOUND_ALIKE, pools.alike(item), template, metric)
        without_alike += alike is None
        said += [utterance for utterance in (gold, plain, alike) if utterance is not None]
    if not said:
        raise CalibrationError(
            f"no gold answer of {len(binary)} items counts as right when it is said"
            + (" bare" if template is None else f" as {template!r}")
            + f": give another --template with {ANSWER}, or other --items"
        )
    return Utterances(tuple(said), len(items) - len(binary), unscorable, without_alike)


def in_template(item: Item, answer: str, template: str | None) -> str:
    """The answer as it is said: in the template sentence, else bare; a lone English letter gets a word before it."""
    if template is not None:
        return template.replace(ANSWER, answer)
    if len(answer) == 1 and answer.isalpha() and primary_language(item.language) == "en":
        return f"Option {answer}." if item.choices else f"The letter {answer}."
    return answer


def _first(item: Item, foil: Foil, candidates: Iterator[str], template: str | None, metric: str) -> Utterance | None:
    """The first candidate that, as text, scores as it must."""
    wanted = 1.0 if foil is Foil.GOLD else 0.0
    for _, truth in zip(range(_TRIES), candidates, strict=False):
        spoken = in_template(item, truth, template)
        if score(item, spoken, metric).score == wanted:
            return Utterance(item, foil, truth, spoken, metric)
    return None


class _Pools:
    """Answers to draw foils from, by language and answer type."""

    def __init__(self, items: Sequence[Item]) -> None:
        answers: dict[tuple[str, AnswerType], set[str]] = defaultdict(set)
        words: dict[str, set[str]] = defaultdict(set)
        for item in items:
            answers[item.language, item.answer_type].add(item.answers[0])
            words[item.language] |= {word.strip("?.,!:;'\"()") for word in item.question.split()} - {""}
        # In orders that the texts alone decide, whatever the order of the items.
        self._answers = {key: sorted(pool, key=lambda text: digest_of(["foil", text])) for key, pool in answers.items()}
        self._words = {language: sorted(pool) for language, pool in words.items()}

    def plain(self, item: Item) -> Iterator[str]:
        """Other items' answers of the same type, or the other choices, from a place on that the item decides.

        Digits for digits first: a month's name is no test of a year.
        """
        pool = _other_choices(item) or self._answers[item.language, item.answer_type]
        start = int(digest_of(["foil", item.id])[:12], 16) % len(pool)
        written = item.answers[0].isdigit()
        turned = [*pool[start:], *pool[:start]]
        yield from sorted(turned, key=lambda answer: answer.isdigit() is not written)

    def alike(self, item: Item) -> Iterator[str]:
        """What sounds like the gold answer, nearest first."""
        gold = item.answers[0]
        if len(gold) == 1 and gold.isalpha():
            choices = _other_choices(item)
            yield from (letter for letter in rhyming_letters(gold) if not choices or letter in choices)
            return
        if item.answer_type in (AnswerType.NUMBER, AnswerType.DATE):
            yield from neighbouring_numbers(gold)
            yield from neighbouring_names(gold)
        words = self._words[item.language] if item.answer_type is AnswerType.WORD else []
        yield from nearest(gold, [*self._answers[item.language, item.answer_type], *words, *item.choices])


def _other_choices(item: Item) -> list[str]:
    """The wrong choices in the form of the gold answer: letters for a letter, else their texts."""
    if not item.choices:
        return []
    letters = list(CHOICE_LETTERS[: len(item.choices)])
    options = letters if len(item.answers[0]) == 1 else list(item.choices)
    return [option for option in options if option not in item.answers]
