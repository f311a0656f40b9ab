"""Written English to the words that espeak-ng (en-us) says: lower case, spelled-out numbers, no punctuation."""

from __future__ import annotations

import re
import unicodedata

from num2words import num2words

__all__ = ["cardinal", "ordinal", "verbalise"]

_TITLES = {"dr.": "doctor", "mr.": "mister", "mrs.": "missus", "st.": "saint", "vs.": "versus", "dr": "doctor"}
_SIGNS = {
    "%": " percent",
    "°c": " degrees celsius",
    "°f": " degrees fahrenheit",
    "°": " degrees",
    "&": " and ",
    "+": " plus ",
}
_ROMAN = re.compile(r"\b(?=[IVX]{2,})(X{0,3})(IX|IV|V?I{0,3})\b")
_NUMBER = re.compile(r"(?<![\w.])(-?)(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?(st|nd|rd|th|s)?(?!\w)")
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10}


def cardinal(number: int) -> str:
    """As espeak-ng reads digits: no 'and', and only 1900 to 1999 are read in hundreds."""
    if 1900 <= number <= 1999:
        rest = number - 1900
        return "nineteen hundred" + (f" {cardinal(rest)}" if rest else "")
    return _plain(num2words(number))


def ordinal(number: int) -> str:
    """21 -> 'twenty first'."""
    return _plain(num2words(number, to="ordinal"))


def verbalise(text: str) -> str:
    """The words of `text` as spoken, separated by single spaces; apostrophes inside words stay."""
    text = unicodedata.normalize("NFKD", text)
    text = "".join(c for c in text if not unicodedata.combining(c)).replace("’", "'")
    text = _ROMAN.sub(lambda match: f" roman {cardinal(_roman_value(match[0]))} ", text)
    text = text.lower()
    for sign, words in _SIGNS.items():
        text = text.replace(sign, words)
    text = re.sub(r"\b(\d{1,2}):(\d\d)\b", r"\1 \2", text)
    text = " ".join(_TITLES.get(word, word) for word in text.split())
    text = _NUMBER.sub(_number_words, text)
    text = re.sub(r"[^a-z' ]+", " ", text)
    text = re.sub(r"(?<![a-z])'|'(?![a-z])", " ", text)
    return " ".join(text.split())


def _plain(words: str) -> str:
    return " ".join(word for word in re.split(r"[\s,-]+", words) if word and word != "and")


def _roman_value(numeral: str) -> int:
    values = [_ROMAN_VALUES[letter] for letter in numeral]
    return sum(-value if value < after else value for value, after in zip(values, [*values[1:], 0], strict=True))


def _number_words(match: re.Match[str]) -> str:
    sign, whole, decimals, suffix = match.groups()
    digits = whole.replace(",", "")
    if len(digits) > 12:
        return " ".join(cardinal(int(digit)) for digit in digits)
    words = ordinal(int(digits)) if suffix in {"st", "nd", "rd", "th"} else cardinal(int(digits))
    if suffix == "s":
        words += " s"
    if decimals:
        words += " point " + " ".join(cardinal(int(digit)) for digit in decimals[1:])
    return f" minus {words} " if sign else f" {words} "
