"""The forms of a gold answer that count: normalised texts, and letters of choices."""

from __future__ import annotations

import re
import string
from functools import lru_cache
from typing import TYPE_CHECKING

from omnigap.vocabulary import primary_language
from omnigap_orchestrator.scoring.normalise import normalise
from omnigap_orchestrator.scoring.normalise.numbers import ordinal

if TYPE_CHECKING:
    from omnigap_orchestrator.items.item import Item

# "Henry VIII", "Rocky II": a capitalised word and a Roman numeral.
_ROMAN_END = re.compile(r"\b[A-Z][a-z]+ (I|V|X|[IVX]{2,5})\b")
# A number after a name in normalised text, cardinal or ordinal: "henry 8", "henry 8th".
_REGNAL = re.compile(r"(?<=[a-z] )(\d{1,2})(st|nd|rd|th)?\b")
# Single letters are numerals only at the end of a gold answer ("Elizabeth I"): in free text "I" is a pronoun.
_SINGLE = {"I": "1", "V": "5", "X": "10"}


@lru_cache(maxsize=1 << 15)
def gold_forms(answers: tuple[str, ...], language: str) -> tuple[str, ...]:
    """All normalised forms that count as a gold answer, without duplicates, in the order of `answers`.

    "Henry VIII" is spoken "Henry the eighth", but "Rocky II" is spoken "Rocky two". A gold answer that ends in a Roman
    numeral, or has an ordinal after a name, therefore counts with both the cardinal and the ordinal.
    """
    forms: dict[str, None] = {}
    for answer in answers:
        form = normalise(answer, language)
        forms.setdefault(form)
        if primary_language(language) != "en":
            continue
        roman = _ROMAN_END.search(answer)
        if roman is None and not re.search(r"[A-Z][a-z]+ the \w+", answer):
            continue
        if roman is not None and roman[1] in _SINGLE and answer.endswith(f" {roman[1]}"):
            form = f"{form.rpartition(' ')[0]} {_SINGLE[roman[1]]}"
            forms.setdefault(form)
        forms.setdefault(_REGNAL.sub(lambda match: match[1] if match[2] else ordinal(int(match[1])), form))
    return tuple(form for form in forms if form)


def gold_letters(item: Item) -> set[str]:
    """The correct letters, also if a gold answer is the text of a choice."""
    allowed = string.ascii_uppercase[: len(item.choices)] or string.ascii_uppercase
    letters = set()
    for gold in item.answers:
        written = gold.strip().upper()
        if len(written) == 1 and written in allowed:
            letters.add(written)
        elif gold in item.choices:
            # Also a text of one character: the choice "y" of two.
            letters.add(string.ascii_uppercase[item.choices.index(gold)])
    return letters
