"""Writes digits and signs as words, for voices that know letters alone: what they do not know, they leave out silently.

"What is 12 + 7?" would be read as "what is" by a voice whose alphabet has no digits.
"""

from __future__ import annotations

import re
from decimal import Decimal

_ENGLISH_SIGNS = {
    "+": "plus",
    "−": "minus",
    "×": "times",
    "÷": "divided by",
    "=": "equals",
    "%": "percent",
    "&": "and",
    "°": "degrees",
    "€": "euros",
    "£": "pounds",
    "$": "dollars",
    "<": "less than",
    ">": "greater than",
    "@": "at",
    "#": "number",
}
_NUMBER = re.compile(
    r"(?P<sign>(?<![\w.)])[-−])?(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?P<ordinal>st|nd|rd|th)?"
)
_MONEY = re.compile(r"([$€£])\s?(\d[\d,]*(?:\.\d+)?)")
_BETWEEN_NUMBERS = {r"-": "minus", r"\*": "times", r"/": "over"}
_ARITHMETIC = re.compile(r"[+×÷=*]")
_NO_SPACE_BEFORE = re.compile(r"\s+(?=[,.;:?!)\-])")
_NO_SPACE_AFTER = re.compile(r"(?<=[(\-])\s+")

# Four digits by themselves are read as a year is; in sums they are numbers.
_YEARS = range(1100, 2100)
_CLOCK = re.compile(r"\b(\d{1,2}):(\d{2})\b")


def spelled_out(text: str, language: str) -> str:
    """The text with its numbers in words of the language, and in English its signs too.

    Args:
        language: a BCP-47 tag.

    Raises:
        LookupError: for a language whose numbers num2words does not know, where the text holds digits.
    """
    english = language.split("-")[0].lower() == "en"
    if english:
        text = _CLOCK.sub(_clock, text)
        text = _MONEY.sub(r"\2 \1", text)
        for sign, word in _BETWEEN_NUMBERS.items():
            text = re.sub(rf"(?<=\d)\s*{sign}\s*(?=\d)" if sign != "-" else r"(?<=\d)\s+-\s+(?=\d)", f" {word} ", text)
    years = english and not _ARITHMETIC.search(text)
    text = _NUMBER.sub(lambda found: _words(found, language, years), text)
    if english:
        for sign, word in _ENGLISH_SIGNS.items():
            text = text.replace(sign, f" {word} ")
    return _NO_SPACE_BEFORE.sub("", _NO_SPACE_AFTER.sub("", re.sub(r"\s+", " ", text))).strip()


def _clock(found: re.Match[str]) -> str:
    """Of a time of day: "12:00" as twelve o'clock, "9:05" as nine oh five."""
    hours, minutes = found.groups()
    if minutes == "00":
        return f"{hours} o'clock"
    return f"{hours} oh {minutes[1]}" if minutes[0] == "0" else f"{hours} {minutes}"


def _words(found: re.Match[str], language: str, years: bool) -> str:
    number = found["number"]
    value = Decimal(number.replace(",", ""))
    kind = "ordinal" if found["ordinal"] else "cardinal"
    if years and number.isdigit() and value in _YEARS and not (found["sign"] or found["ordinal"]):
        kind = "year"
    if found["sign"]:
        value = -value
    whole = value == value.to_integral_value() and "." not in number
    return f" {_spelled(int(value) if whole else value, language.replace('-', '_'), kind)} "


def _spelled(value: int | Decimal, language: str, kind: str) -> str:
    from num2words import num2words

    try:
        return str(num2words(value, lang=language, to=kind))
    except NotImplementedError as error:
        raise LookupError(f"numbers cannot be written as words in {language!r}: write them out in the items") from error
