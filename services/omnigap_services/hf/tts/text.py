"""Writes digits and signs as words, for voices that know letters alone: what they do not know, they leave out silently.

"What is 12 + 7?" would be read as "what is" by a voice whose alphabet has no digits.

A dash between two numbers is read by what stands around it, in English:

- "minus" in a sum: where the text has another sign of arithmetic (15-7 = 8), asks for the result ("What is 15-7?"), is
  nothing but the difference ("15-7"), or has spaces around a hyphen (15 - 7);
- "to" elsewhere: spans (1914-1918, 10-15 km) and results of games (3-1). Two years that follow each other are a span
  wherever they stand;
- not at all where it joins more than two numbers (2026-11-22), equal ones (50-50), or one that begins with 0
  (555-0123).

A space before each three digits, thin or not, is a separator of thousands in every language: 12 000 is twelve thousand.
Where that joins two numbers ("page 12 300 words"), write the items otherwise."""

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
_DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
_NUMBER = re.compile(rf"(?P<sign>(?<![\w.)])[-−])?(?P<number>{_DIGITS})(?P<ordinal>st|nd|rd|th)?")
_MONEY = re.compile(rf"([$€£])\s?({_DIGITS})")
_BETWEEN_NUMBERS = {r"\*": "times", r"/": "over"}

# Spaces of all widths that separate thousands: plain, no-break, narrow no-break, thin.
_THOUSANDS = re.compile(r"(?<![\w.,])[1-9]\d{0,2}(?:[ \u00a0\u202f\u2009]\d{3})+(?![ \u00a0\u202f\u2009]?\d|-?[^\W\d])")

# Numbers with hyphens or en dashes between them; a currency sign may stand before each.
_DASH = re.compile(r"[^\S\n]*[-–][^\S\n]*")
_DASHED = re.compile(rf"{_DIGITS}(?:{_DASH.pattern}[$€£]?{_DIGITS})+")
_ARITHMETIC = re.compile(r"[+×÷=*]|\d\s*−\s*\d")
_ASKED = re.compile(
    r"\b(?:what(?: is|['’]s)|how much is|calculate|compute|evaluate|simplify|solve|work out|subtract):?"
    r"\s+[\d\s.,()–-]*[–-][\d\s.,()–-]*(?:\?|$)",
    re.IGNORECASE,
)
_NO_SPACE_BEFORE = re.compile(r"\s+(?=[,.;:?!)\-])")
_NO_SPACE_AFTER = re.compile(r"(?<=[(\-])\s+")

# Four digits by themselves are read as a year is; in sums they are numbers.
_YEARS = range(1100, 2100)
_CLOCK = re.compile(r"\b(\d{1,2}):(\d{2})\b")


def spell_out(text: str, language: str) -> str:
    """The text with its numbers in words of the language, and in English its signs too.

    Args:
        language: a BCP-47 tag.

    Raises:
        LookupError: for a language whose numbers num2words does not know, where the text holds digits.
    """
    english = primary_language(language) == "en"
    text = _THOUSANDS.sub(lambda found: re.sub(r"\s", ",", found[0]), text)
    in_a_sum = bool(_ARITHMETIC.search(text) or _ASKED.search(text) or _is_a_difference(text))
    if english:
        text = _DASHED.sub(lambda found: _dashed(found[0], in_a_sum), text)
        text = _CLOCK.sub(_clock, text)
        text = _MONEY.sub(r"\2 \1", text)
        for sign, word in _BETWEEN_NUMBERS.items():
            text = re.sub(rf"(?<=\d)\s*{sign}\s*(?=\d)", f" {word} ", text)
    years = english and not in_a_sum
    text = _NUMBER.sub(lambda found: _words(found, language, years), text)
    if english:
        for sign, word in _ENGLISH_SIGNS.items():
            text = text.replace(sign, f" {word} ")
    return _NO_SPACE_BEFORE.sub("", _NO_SPACE_AFTER.sub("", re.sub(r"\s+", " ", text))).strip()


def _is_a_difference(text: str) -> bool:
    """Whether a text is two numbers and a dash alone, the second the smaller one."""
    numbers = _DASH.split(text.strip().rstrip("?. "))
    return len(numbers) == 2 and all(map(_is_number, numbers)) and _value(numbers[0]) > _value(numbers[1])


def _dashed(text: str, in_a_sum: bool) -> str:
    """Numbers with dashes between them, with words in place of the dashes that are read."""
    numbers = [number.lstrip("$€£") for number in _DASH.split(text)]
    two = len(numbers) == 2
    if two and all(map(_is_year, numbers)) and _value(numbers[0]) < _value(numbers[1]):
        return _DASH.sub(" to ", text)
    if in_a_sum:
        return _DASH.sub(" minus ", text)
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


def _clock(found: re.Match[str]) -> str:
    """Of a time of day: "12:00" as twelve o'clock, "9:05" as nine oh five."""
    hours, minutes = found.groups()
    if minutes == "00":
        return f"{hours} o'clock"
    return f"{hours} oh {minutes[1]}" if minutes[0] == "0" else f"{hours} {minutes}"


def _words(found: re.Match[str], language: str, years: bool) -> str:
    number = found["number"]
    value = _value(number)
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


# Fits a text to the letters that a voice knows, and refuses what it would leave out without a word.

# Typographic marks that plain ones stand for.
_PLAIN = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": ".", "\u00a0": " "})


def fit_to_alphabet(text: str, known: Callable[[str], bool]) -> str:
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
            if is_spoken(character):
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


def is_spoken(character: str) -> bool:
    """Whether a character is read aloud: letters, digits and signs, not punctuation and not spaces."""
    return unicodedata.category(character)[0] in "LNMS" or character in "%&@#"


def _without_accent(character: str) -> str:
    plain = unicodedata.normalize("NFKD", character)
    return "".join(part for part in plain if not unicodedata.combining(part))
