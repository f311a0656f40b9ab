"""The data recipe: an endless, seeded stream of utterances to speak, with the words of the correct transcript."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .held_out import HeldOut
from .sources import capitals, cities, countries, prose, word_sampler, wordnet_names
from .verbalise import cardinal, ordinal, verbalise

__all__ = ["Utterance", "utterances"]

_HERE = Path(__file__).parent
_ALTERNATIVES = re.compile(r"\(([^()]*)\)")
_SLOT = re.compile(r"\{(a:)?(\w+)\}")
_MAX_WORDS = 45
_JOINED = 0.05
"""Share of utterances that are two or three joined, so that the model meets longer clips."""

_PERSONS = ("writer", "painter", "composer", "scientist", "inventor", "leader", "explorer", "athlete", "singer")
_PLACES = ("country", "country", "country", "city", "city", "continent", "region", "usstate", "island")
_ENTITIES = (
    *("writer", "painter", "composer", "scientist", "inventor", "leader", "explorer", "athlete", "singer"),
    *("country", "country", "country", "city", "city", "city", "capital", "capital", "continent", "region", "usstate"),
    *("island", "river", "mountain", "range", "sea", "lake", "desert", "landmark", "language", "currency"),
    *(
        "book",
        "painting",
        "music",
        "god",
        "event",
        "invention",
        "organization",
        "holiday",
        "wnname",
        "wnname",
        "wnname",
    ),
    *("planet", "space", "element", "element", "substance", "substance", "animal", "animal", "bird", "fish", "tree"),
    *("flower", "fruit", "vegetable", "food", "drink", "body", "body", "disease", "vitamin", "science", "concept"),
    *("concept", "measure", "unit", "shape", "math", "instrument", "sport", "nationality", "job", "object", "family"),
    *("num", "num", "num", "year", "date", "adj", "plural", "past", "verb", "color", "month", "weekday", "grammar"),
    *("foreign", "word", "word", "baby", "season"),
)
_MIX = (("question", 30), ("choices", 7), ("answer", 26), ("entity", 6), ("words", 5), ("sequence", 9), ("prose", 17))


@dataclass(frozen=True, slots=True)
class Utterance:
    """`spoken` is the input of the voice, `words` the target: lower case, spelled out, no punctuation."""

    spoken: str
    words: str


def utterances(seed: int, held_out: HeldOut | None = None) -> Iterator[Utterance]:
    """An endless stream; the same seed and the same held-out lines give the same utterances."""
    held_out = held_out if held_out is not None else HeldOut.load()
    draw = _Draw(random.Random(seed))
    while True:
        spoken = draw.utterance()
        while draw.rng.random() < _JOINED:
            spoken = f"{spoken.rstrip('.')}. {draw.utterance()}"
        words = verbalise(spoken)
        count = len(words.split())
        if 1 <= count <= _MAX_WORDS and not held_out.touches(words):
            yield Utterance(spoken, words)


@cache
def _lists() -> dict[str, tuple[str, ...]]:
    lines = (_HERE / "lists.txt").read_text().splitlines()
    pairs = (line.split(":", 1) for line in lines if line and not line.startswith("#"))
    return {name: tuple(item.strip() for item in items.split("|")) for name, items in pairs}


@cache
def _templates() -> dict[str, tuple[str, ...]]:
    sections: dict[str, list[str]] = {}
    for line in (_HERE / "templates.txt").read_text().splitlines():
        if line.startswith("["):
            current = sections.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            current.append(line)
    return {name: tuple(lines) for name, lines in sections.items()}


class _Draw:
    """Draws utterances and slot values from one random stream."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.kinds = [kind for kind, _ in _MIX]
        self.weights = [weight for _, weight in _MIX]
        self.built_in: dict[str, Callable[[], str]] = {
            "num": self.number,
            "smallnum": lambda: self.digits_or_words(
                rng.choice((rng.randint(0, 12), rng.randint(1, 30), rng.randint(1, 100)))
            ),
            "year": self.year,
            "date": self.date,
            "ordinal": lambda: self.ordinal(rng.choice((rng.randint(1, 12), rng.randint(1, 31)))),
            "clock": self.clock,
            "roman": lambda: rng.choice(("II", "III", "IV", "VI", "VII", "VIII", "IX", "XI", "XII", "XV", "XX")),
            "country": lambda: rng.choice(countries()),
            "capital": lambda: rng.choice(capitals()),
            "city": lambda: rng.choices(cities()[0], cum_weights=cities()[1])[0],
            "wnname": lambda: rng.choices(wordnet_names()[0], cum_weights=wordnet_names()[1])[0],
            "word": lambda: word_sampler(rng),
            "sequence": lambda: " ".join(word_sampler(rng) for _ in range(rng.randint(2, 6))),
            "person": lambda: self.slot(rng.choice(_PERSONS)),
            "placeword": lambda: self.slot(rng.choice(_PLACES)),
            "place": lambda: self.slot(rng.choice(_PLACES)),
            "entity": lambda: self.slot(rng.choice(_ENTITIES)),
            "animalkind": lambda: rng.choice(
                (
                    "mammal",
                    "bird",
                    "reptile",
                    "fish",
                    "insect",
                    "amphibian",
                    "crustacean",
                    "rodent",
                    "mollusk",
                    "marsupial",
                )
            ),
            "statement": lambda: self.expand(rng.choice(_templates()["statement"])),
            "q": lambda: self.expand(rng.choice(_templates()["question"])),
            "subq": lambda: self.expand(rng.choice(_templates()["question"])),
            "mcq": lambda: self.expand(
                rng.choice([t for t in _templates()["question"] if t.startswith("Which of these")])
            ),
            "mc": lambda: self.choices(4),
            "mc3": lambda: self.choices(3),
        }

    def utterance(self) -> str:
        kind = self.rng.choices(self.kinds, self.weights)[0]
        if kind == "entity":
            return self.slot("entity")
        if kind == "words":
            return " ".join(word_sampler(self.rng) for _ in range(self.rng.choice((1, 1, 2))))
        if kind == "sequence":
            return " ".join(word_sampler(self.rng) for _ in range(self.rng.randint(3, 7)))
        if kind == "prose":
            return self.rng.choice(prose())
        text = self.expand(self.rng.choice(_templates()[kind])).strip()
        # As people type it, or as a model answers it without a capital or a full stop.
        if self.rng.random() < 0.1:
            text = text.rstrip(".?")
        return text[:1].upper() + text[1:] if self.rng.random() < 0.9 else text

    def expand(self, template: str) -> str:
        while (expanded := _ALTERNATIVES.sub(lambda m: self.rng.choice(m[1].split("|")), template)) != template:
            template = expanded
        return " ".join(_SLOT.sub(self._fill, template).replace(" ?", "?").replace(" .", ".").split())

    def slot(self, name: str) -> str:
        if name in self.built_in:
            return self.built_in[name]()
        return self.rng.choice(_lists()[name])

    def _fill(self, match: re.Match[str]) -> str:
        value = self.slot(match[2])
        if match[1]:
            value = ("an " if value[0].lower() in "aeiou" else "a ") + value
        return value

    def choices(self, count: int) -> str:
        """'A, Paris. B, Rome. ...' in one of the ways that people write options."""
        kind = self.rng.choice(_ENTITIES)
        mark, end = self.rng.choice(
            ((",", "."), (",", ";"), (":", "."), (":", ","), (".", "."), (")", "."), (")", ","))
        )
        parts = [f"{letter}{mark} {self.slot(kind)}{end}" for letter in "ABCD"[:count]]
        return " ".join(parts).rstrip(";,.") + "."

    def digits_or_words(self, number: int) -> str:
        if self.rng.random() < 0.5:
            return f"{number:,}" if number >= 10_000 or (number >= 1000 and self.rng.random() < 0.5) else str(number)
        words = cardinal(number)
        return words.replace("hundred ", "hundred and ", 1) if self.rng.random() < 0.25 else words

    def number(self) -> str:
        rng = self.rng
        roll = rng.random()
        if roll < 0.08:
            return f"{rng.randint(0, 99)}.{rng.randint(1, 99)}"
        if roll < 0.14:
            return self.digits_or_words(rng.randint(1, 99) * 10 ** rng.randint(2, 7))
        return self.digits_or_words(rng.randint(0, 10 ** rng.choice((1, 2, 2, 2, 3, 3, 4, 5))))

    def year(self) -> str:
        rng = self.rng
        year = rng.choice(
            (rng.randint(1000, 2030), rng.randint(1400, 1899), rng.randint(1900, 2026), rng.randint(1900, 1999))
        )
        roll = rng.random()
        if roll < 0.5 or 2000 <= year <= 2009:
            return str(year)
        high, low = divmod(year, 100)
        if low == 0:
            return f"{cardinal(high)} hundred" if year % 1000 else str(year)
        return f"{cardinal(high)} {'oh ' if low < 10 else ''}{cardinal(low)}"

    def ordinal(self, number: int) -> str:
        suffix = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
        return f"{number}{suffix}" if self.rng.random() < 0.3 else ordinal(number)

    def date(self) -> str:
        day, month, year = self.rng.randint(1, 31), self.slot("month"), self.year()
        forms = (
            f"{month} {day}", f"{day} {month}", f"{month} {day}, {year}", f"{day} {month} {year}",
            f"the {self.ordinal(day)} of {month}", f"{month} {self.ordinal(day)}", f"{month} the {self.ordinal(day)}",
            f"the {self.ordinal(day)} of {month} {year}", f"{month} {year}", f"{self.ordinal(day)} of {month}, {year}",
        )  # fmt: skip
        return self.rng.choice(forms)

    def clock(self) -> str:
        hour, minute = self.rng.randint(1, 12), self.rng.randint(10, 59)
        words = cardinal(hour)
        forms = (
            f"{hour}:{minute}", f"half past {words}", f"quarter to {words}", f"a quarter past {words}",
            f"{words} o'clock", f"{cardinal(minute)} minutes past {words}", f"{words} {cardinal(minute)}",
        )  # fmt: skip
        return self.rng.choice(forms)
