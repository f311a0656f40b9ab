"""One normaliser for gold answers, own text and transcripts, chosen by language; versioned, since it changes scores."""

from __future__ import annotations

from functools import lru_cache

from omnigap_orchestrator.scoring.normalise.english import normalise_english
from omnigap_orchestrator.scoring.normalise.korean import normalise_korean
from omnigap_orchestrator.scoring.normalise.unspaced import normalise_unspaced

NORMALISER_VERSION = "1"
"""Raised whenever any text could come out otherwise, or any metric, letter or refusal rule judge otherwise; part of
every score key."""

_MONTH_FIRST = frozenset(("en", "en-us", "en-ca", "en-ph"))


@lru_cache(maxsize=1 << 16)
def normalise(text: str, language: str = "en") -> str:
    """The canonical form of a text: words separated by single spaces.

    Args:
        language: a BCP 47 tag. English and Korean have their own rules (a region says how 4/7/1969 is read); any
            other language gets `unspaced`, in which each character of a script without spaces is a word.

    Normalising twice gives what normalising once gives.
    """
    tag = language.lower().replace("_", "-")
    primary = tag.partition("-")[0]
    if primary == "en":
        return normalise_english(text, day_first=tag not in _MONTH_FIRST)
    if primary == "ko":
        return normalise_korean(text)
    return normalise_unspaced(text)


def units(text: str, language: str = "en") -> list[str]:
    """What error rates and F1 of a normalised text count: words; in Korean, whose spacing varies, syllables."""
    if language.partition("-")[0].lower() == "ko":
        return list(text.replace(" ", ""))
    return text.split()


__all__ = ["NORMALISER_VERSION", "normalise", "units"]
