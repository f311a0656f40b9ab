"""Cuts folded English text into words, numbers and breaks: the list that every later step rewrites."""

from __future__ import annotations

import re

BREAK = ","
"""Stands where punctuation parted two words, so that "one, two" is never read as one number. Gone in the result."""

_SYMBOLS = {
    "%": "percent",
    "&": "and",
    "+": "plus",
    "=": "equals",
    "×": "times",
    "÷": "divided by",
    "#": "number",
    "°": "degree",
    "¢": "cent",
    "$": "$",
    "€": "€",
    "£": "£",
    "¥": "¥",
    "₩": "₩",
}

_TOKEN = re.compile(
    r"""
    (?P<iso>(?<![\w.-])\d{4}-\d{2}-\d{2}(?![\w-]))
  | (?P<slashed>(?<![\w/])\d{1,2}/\d{1,2}/\d{4}(?![\w/]))
  | (?P<hour>(?<![\w:])\d{1,2}):(?P<minute>\d{2})(?![\w:])
  | (?P<fraction>(?<![\w/])\d{1,6}/\d{1,6}(?![\w/]))
  | (?P<sign>(?<![\w.)-])-)?
    (?P<number>(?<!\w)(?:\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|(?<!\.)\.\d+))
    (?:(?P<suffix>[^\W\d_]*)(?!\w))
  | (?P<initial>(?<!\w)[^\W\d_]\.(?!\w\w))
  | (?P<word>\w+)
  | (?P<joint>(?<=\w)-(?=[^\W\d_])|(?<=[^\W\d_])-(?=\w))
  | (?P<symbol>[%&+=×÷#°¢$€£¥₩])
  | (?P<space>\s+)
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)

_ORDINAL_SUFFIXES = frozenset(("st", "nd", "rd", "th"))
_PLAIN = re.compile(r"[a-z ]*")

NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
"""A canonical number, as a whole token."""


def ordinal(value: int) -> str:
    """`21 -> 21st`, `12 -> 12th`."""
    if value % 100 in (11, 12, 13):
        return f"{value}th"
    return f"{value}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(value % 10, 'th') }"


def plain_number(text: str) -> list[str]:
    """The canonical tokens of a number in digits: no separators, no needless zeros; 007 is read digit by digit."""
    digits = text.replace(",", "")
    if "." in digits:
        whole, part = digits.split(".")
        part = part.rstrip("0")
        whole = whole.lstrip("0") or "0"
        return [f"{whole}.{part}" if part else whole]
    if len(digits) > 1 and digits[0] == "0":
        return list(digits)
    return [digits]


def _clock(hour: str, minute: str) -> list[str]:
    """A time as it is spoken: 9:15 -> 9 15, 10:15 -> 1015 (as "ten fifteen" becomes), 5:00 -> 5 oclock."""
    hour = hour.lstrip("0") or "0"
    if minute == "00":
        return [hour, "oclock"]
    if 10 <= int(hour) <= 20:
        return [hour + minute]
    return [hour, *plain_number(minute)]


def tokenise(text: str) -> list[str]:
    """Tokens of folded text (lower case, no apostrophes), with `BREAK` where punctuation stood between words.

    Dates in digits come out as `iso:Y-M-D` or `slash:A/B/Y`, for the step that reads dates.
    """
    if _PLAIN.fullmatch(text):
        return text.split()
    tokens: list[str] = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind == "word":
            tokens.extend(part for part in match[0].split("_") if part)
        elif kind in ("space", "joint"):
            continue
        elif kind == "initial":
            tokens.append(match[0][0])
        elif kind == "suffix":
            tokens.extend(_number_token(match))
        elif kind == "minute":
            tokens.extend(_clock(match["hour"], match["minute"]))
        elif kind == "iso":
            tokens.append(f"iso:{match[0]}")
        elif kind == "slashed":
            tokens.append(f"slash:{match[0]}")
        elif kind == "fraction":
            tokens.append(match[0])
        elif kind == "symbol":
            tokens.extend(_SYMBOLS[match[0]].split())
        elif tokens and tokens[-1] != BREAK:
            tokens.append(BREAK)
    return tokens


def _number_token(match: re.Match[str]) -> list[str]:
    number, suffix = plain_number(match["number"]), match["suffix"]
    if suffix in _ORDINAL_SUFFIXES and len(number) == 1 and number[0].isdigit():
        return [ordinal(int(number[0]))]
    if match["sign"]:
        # A sign makes one number of digits that would else be read one by one: -05 is -5.
        number = ["-" + match["number"].replace(",", "").lstrip("0")] if len(number) > 1 else [f"-{number[0]}"]
        number = ["0"] if number[0] in ("-", "-0") else number
    if not suffix:
        return number
    if suffix == "s" and number[0].isdigit():
        return [f"{number[0]}s"] if len(number) == 1 else [*number, suffix]
    return [*number, suffix]


def is_number(token: str) -> bool:
    """Whether a token is a canonical number such as 1969, -5 or 3.14 (no ordinal, no fraction)."""
    return token[-1:].isdigit() and NUMBER.fullmatch(token) is not None
