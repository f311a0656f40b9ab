"""Fits a text to the letters that a voice knows, and refuses what it would leave out without a word."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason

# Typographic marks that plain ones stand for.
_PLAIN = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": ".", "\u00a0": " "})


def fitted(text: str, known: Callable[[str], bool]) -> str:
    """The text in known characters.

    Accents are dropped from letters that are only known without; punctuation that is not known becomes a space, since
    nobody hears it.

    Raises:
        ContractError: BAD_REQUEST for letters, digits and signs that are not known: the question would be another one.
    """
    found = []
    lost: dict[str, None] = {}
    for character in text:
        for candidate in (character, character.translate(_PLAIN), _without_accent(character)):
            if candidate and all(known(part) for part in candidate):
                found.append(candidate)
                break
        else:
            if is_heard(character):
                lost[character] = None
            found.append(" ")
    if lost:
        shown = " ".join(lost)
        raise ContractError(
            Reason.BAD_REQUEST,
            f"the voice has no letters for {shown} in {text[:80]!r} and would leave them out: write them as words, or"
            " take a voice of the text's language",
        )
    return "".join(found)


def is_heard(character: str) -> bool:
    """Whether a character is read aloud: letters, digits and signs, not punctuation and not spaces."""
    return unicodedata.category(character)[0] in "LNMS" or character in "%&@#"


def _without_accent(character: str) -> str:
    plain = unicodedata.normalize("NFKD", character)
    return "".join(part for part in plain if not unicodedata.combining(part))
