"""Prepares text for voices that know letters only: digits and signs as words, and the voice's own alphabet.

Such voices silently leave out what they do not know: "What is 12 + 7?" would be read as "what is".

A dash between two numbers is read depending on its context, in English:

- "minus" in arithmetic: the text has another arithmetic sign (15-7 = 8), asks for the result ("What is 15-7?"), is
  nothing but the difference ("15-7"), or has spaces around a hyphen (15 - 7);
- "to" elsewhere: ranges (1914-1918, 10-15 km) and results of games (3-1). Two ascending years are always a range;
- not read if it joins more than two numbers (2026-11-22), equal ones (50-50), or one with a leading zero (555-0123).

A space (of any width) before groups of three digits is a thousands separator in every language: 12 000 is twelve
thousand. Where it separates two numbers instead ("page 12 300 words"), the item has to be worded differently.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from decimal import Decimal

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason, primary_language

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
# With separators of thousands and a decimal point, as English writes them.
_DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
# A minus sign belongs to the number unless a word, a number or a bracket precedes it.
_NUMBER = re.compile(rf"(?P<sign>(?<![\w.)])[-−])?(?P<number>{_DIGITS})(?P<ordinal>st|nd|rd|th)?")
_MONEY = re.compile(rf"([$€£])\s?({_DIGITS})")
# Signs that are read only between numbers: "and/or" stays as it is.
_BETWEEN_NUMBERS = {r"\*": "times", r"/": "over"}

# Groups of three digits after a plain, no-break, narrow no-break or thin space; not if digits or a word with a hyphen
# follow ("3 100-metre races").
_THOUSANDS = re.compile(r"(?<![\w.,])[1-9]\d{0,2}(?:[ \u00a0\u202f\u2009]\d{3})+(?![ \u00a0\u202f\u2009]?\d|-?[^\W\d])")

# Numbers joined by hyphens or en dashes; each may have a currency sign.
_DASH = re.compile(r"[^\S\n]*[-–][^\S\n]*")
_DASHED = re.compile(rf"{_DIGITS}(?:{_DASH.pattern}[$€£]?{_DIGITS})+")
_ARITHMETIC = re.compile(r"[+×÷=*]|\d\s*−\s*\d")
_CALCULATION = re.compile(
    r"\b(?:what(?: is|['’]s)|how much is|calculate|compute|evaluate|simplify|solve|work out|subtract):?"
    r"\s+[\d\s.,()–-]*[–-][\d\s.,()–-]*(?:\?|$)",
    re.IGNORECASE,
)
_NO_SPACE_BEFORE = re.compile(r"\s+(?=[,.;:?!)\-])")
_NO_SPACE_AFTER = re.compile(r"(?<=[(\-])\s+")

# Four digits are read as a year ("nineteen sixty-nine"), except in arithmetic.
_YEARS = range(1100, 2100)
_CLOCK = re.compile(r"\b(\d{1,2}):(\d{2})\b")

# Typographic marks and their plain forms, which alphabets are more likely to have.
_PLAIN = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": ".", "\u00a0": " "})


def spell_out(text: str, language: str) -> str:
    """The text with its numbers as words of the language; in English, signs are written as words too.

    Args:
        language: a BCP-47 tag.

    Raises:
        LookupError: the text has digits, and num2words does not support the language.
    """
    english = primary_language(language) == "en"
    # The order matters: thousands before anything that reads numbers, dashes and times while they still have digits,
    # single signs last.
    text = _THOUSANDS.sub(lambda found: re.sub(r"\s", ",", found[0]), text)
    arithmetic = bool(_ARITHMETIC.search(text) or _CALCULATION.search(text) or _is_difference(text))
    if english:
        text = _DASHED.sub(lambda found: _read_dashes(found[0], arithmetic), text)
        text = _CLOCK.sub(_read_time, text)
        # The currency is read after the amount.
        text = _MONEY.sub(r"\2 \1", text)
        for sign, word in _BETWEEN_NUMBERS.items():
            text = re.sub(rf"(?<=\d)\s*{sign}\s*(?=\d)", f" {word} ", text)
    years = english and not arithmetic
    text = _NUMBER.sub(lambda found: _read_number(found, language, years), text)
    if english:
        for sign, word in _ENGLISH_SIGNS.items():
            text = text.replace(sign, f" {word} ")
    return _NO_SPACE_BEFORE.sub("", _NO_SPACE_AFTER.sub("", re.sub(r"\s+", " ", text))).strip()


def _is_difference(text: str) -> bool:
    """True if the text is nothing but two numbers with a dash, the second one smaller."""
    numbers = _DASH.split(text.strip().rstrip("?. "))
    return len(numbers) == 2 and all(map(_is_number, numbers)) and _value(numbers[0]) > _value(numbers[1])


def _read_dashes(text: str, arithmetic: bool) -> str:
    """Replaces the dashes between numbers by the words that are read for them; see the module's docstring."""
    numbers = [number.lstrip("$€£") for number in _DASH.split(text)]
    two = len(numbers) == 2
    # Before arithmetic: "What is the war of 1914-1918?" looks like a calculation.
    if two and all(map(_is_year, numbers)) and _value(numbers[0]) < _value(numbers[1]):
        return _DASH.sub(" to ", text)
    if arithmetic:
        return _DASH.sub(" minus ", text)
    # A hyphen with spaces is a minus; an en dash with spaces is a range.
    text = re.sub(r"\s+-\s+", " minus ", text)
    read = two and _value(numbers[0]) != _value(numbers[1]) and not any(_leads_with_zero(number) for number in numbers)
    return _DASH.sub(" to ", text) if read else text


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(_DIGITS, text))


def _is_year(number: str) -> bool:
    return number.isdigit() and int(number) in _YEARS


def _leads_with_zero(number: str) -> bool:
    return len(number) > 1 and number[0] == "0" and number[1] != "."


def _value(number: str) -> Decimal:
    return Decimal(number.replace(",", ""))


def _read_time(found: re.Match[str]) -> str:
    """A time of day with its digits: "12:00" as 12 o'clock, "9:05" as 9 oh 5."""
    hours, minutes = found.groups()
    if minutes == "00":
        return f"{hours} o'clock"
    return f"{hours} oh {minutes[1]}" if minutes[0] == "0" else f"{hours} {minutes}"


def _read_number(found: re.Match[str], language: str, years: bool) -> str:
    number = found["number"]
    value = _value(number)
    kind = "ordinal" if found["ordinal"] else "cardinal"
    if years and number.isdigit() and value in _YEARS and not (found["sign"] or found["ordinal"]):
        kind = "year"
    if found["sign"]:
        value = -value
    # A Decimal keeps the digits as they are written.
    whole = value == value.to_integral_value() and "." not in number
    # num2words names its languages with an underscore: en_GB.
    return f" {_in_words(int(value) if whole else value, language.replace('-', '_'), kind)} "


def _in_words(value: int | Decimal, language: str, kind: str) -> str:
    from num2words import num2words

    try:
        return str(num2words(value, lang=language, to=kind))
    except NotImplementedError as error:
        raise LookupError(f"numbers cannot be written as words in {language!r}: write them out in the items") from error


def fit_to_alphabet(text: str, known: Callable[[str], bool]) -> str:
    """The text with known characters only.

    Typographic marks become plain ones, accents are removed from letters that are only known without, and unknown
    punctuation becomes a space, since it is not read aloud.

    Args:
        known: True for characters of the voice's alphabet.

    Raises:
        ContractError: BAD_REQUEST for unknown letters, digits and signs: without them it would be another question.
    """
    found = []
    lost: dict[str, None] = {}
    for character in text:
        for candidate in (character, character.translate(_PLAIN), _without_accent(character)):
            if candidate and all(known(part) for part in candidate):
                found.append(candidate)
                break
        else:
            if _is_spoken(character):
                lost[character] = None
            # A space, so that the words on both sides do not merge.
            found.append(" ")
    if lost:
        shown = " ".join(lost)
        raise ContractError(
            Reason.BAD_REQUEST,
            f"the voice has no letters for {shown} in {text[:80]!r} and would leave them out: write them as words, or"
            " use a voice of the text's language",
        )
    return "".join(found)


def _is_spoken(character: str) -> bool:
    """True for letters, digits, marks and symbols; False for punctuation and spaces."""
    # Unicode counts these four as punctuation, but they are read.
    return unicodedata.category(character)[0] in "LNMS" or character in "%&@#"


def _without_accent(character: str) -> str:
    plain = unicodedata.normalize("NFKD", character)
    return "".join(part for part in plain if not unicodedata.combining(part))
