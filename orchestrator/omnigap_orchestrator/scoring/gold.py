"""The normalised forms of an item's gold answers, with the spoken form of a regnal number beside the written one."""

from __future__ import annotations

import re
from functools import lru_cache

from omnigap_orchestrator.scoring.normalise import normalise
from omnigap_orchestrator.scoring.normalise.tokens import ordinal

_ROMAN_END = re.compile(r"\b[A-Z][a-z]+ (I|V|X|[IVX]{2,5})\b")
_REGNAL = re.compile(r"(?<=[a-z] )(\d{1,2})(st|nd|rd|th)?\b")
_SINGLE = {"I": "1", "V": "5", "X": "10"}


@lru_cache(maxsize=1 << 15)
def gold_forms(answers: tuple[str, ...], language: str) -> tuple[str, ...]:
    """Every normalised form that counts as the gold answer, without repeats, in the order of the answers.

    "Henry VIII" is said "Henry the eighth" and "Rocky II" is said "Rocky two": a gold with a number behind a name
    written in Roman or ordinal form counts in both.
    """
    forms: dict[str, None] = {}
    for answer in answers:
        form = normalise(answer, language)
        forms.setdefault(form)
        if language.partition("-")[0].lower() != "en":
            continue
        roman = _ROMAN_END.search(answer)
        if roman is None and not re.search(r"[A-Z][a-z]+ the \w+", answer):
            continue
        if roman is not None and roman[1] in _SINGLE and answer.endswith(f" {roman[1]}"):
            form = f"{form.rpartition(' ')[0]} {_SINGLE[roman[1]]}"
            forms.setdefault(form)
        forms.setdefault(_REGNAL.sub(lambda match: match[1] if match[2] else ordinal(int(match[1])), form))
    return tuple(form for form in forms if form)
