"""Prepares an English answer for the readers of numbers and dates: mathematical signs become words.

The normaliser drops signs that a reader of numbers needs ("16 - 7 = 9", "2-3"), so they are written out first.
"""

from __future__ import annotations

import re

from omnigap_orchestrator.scoring.reading.markup import plain_text

# An operator that stands between two numbers; a hyphen without spaces is one only in an equation.
_LEFT, _RIGHT = r"(?<=[\d)%])", r"(?=[($€£-]?\s?\d)"
_OPERATORS = (
    (rf"{_LEFT}\s+[-−–]\s+{_RIGHT}", " minus "),
    (rf"{_LEFT}\s*[*×✕⋅·]\s*(?!10\s*\^){_RIGHT}", " times "),
    (rf"{_LEFT}\s*x\s*(?!10\s*\^){_RIGHT}", " times "),
    (rf"{_LEFT}\s*÷\s*{_RIGHT}", " divided by "),
    (rf"{_LEFT}\s+/\s+{_RIGHT}", " divided by "),
    (rf"{_LEFT}\s*\+\s*{_RIGHT}", " plus "),
    (r"\s*(?:=|≈|≅|→|=>|->)\s*", " equals "),
)
_IN_EQUATION = re.compile(rf"{_LEFT}[-−–]{_RIGHT}")
_SLASH_IN_EQUATION = re.compile(r"(?<=\d)/(?=\d)")
# "2-3" and "2 – 3" are ranges; a code, a date or a phone number has more hyphens or letters.
_RANGE = re.compile(
    r"(?<![\w.,/–-])(?P<low>[$€£]?\d[\d,]*(?:\.\d+)?%?)(?:-|\s?[–—~]\s?)(?P<high>[$€£]?\d[\d,]*(?:\.\d+)?)(?![\w/–-]*\d)(?!-\w)"
)
# A dash that cannot be a range or a bullet is a minus: "– 3" as the whole answer, "= –3".
_MINUS = re.compile(r"(?:(?<=equals )|(?<=is )|^\s*)[–−]\s?(?=\d)")
_MINUS_ATTACHED = re.compile(r"(?<![\w.)–])[–−](?=\d)")
# "€12,50": two digits after a comma are cents.
_CENTS = re.compile(r"(?<=[$€£])(\s?\d+),(\d\d)(?![\d,])|(?<![\d.,])(\d+),(\d\d)(?=\s?[$€£])")
# 3 500 000. One group alone may be two numbers, so "3 500" is read only where nothing else stands.
_GROUPS = re.compile(r"(?<![\w.,])\d{1,3}(?: \d{3}){2,}(?![\d,]*\d)(?! \d)")
_ONE_GROUP = re.compile(r"\s*(-?\d{1,3}) (\d{3})(?:\s+[A-Za-z]+)?[.!]?\s*")
_ITEM = re.compile(r"^[ \t]*(?:[-*•][ \t]+(?=\S)|\(?(\d{1,2})[.)][ \t]+(?=\S)|\(?[a-z]\)[ \t]+)", re.MULTILINE)
_STEP = re.compile(r"\b(?:step|part|case|stage)\s+(?:\d{1,2}|[a-z]+)\s*[:.)-]", re.IGNORECASE)

_PRONOUNS = (
    # "no one" is no number, and "the one that" or "this one" is none either.
    (r"\bno[ -]one\b", "nobody"),
    (r"\b(?:some|any|every|each|this|that|which|another|other|right|correct|wrong|last|next)[ -]ones?\b", "it"),
    (r"\bone another\b", "each other"),
    (r"\bone(?= (?:can|could|should|must|may|might|would|who|that|which|needs|gets|has to|is able)\b)", "it"),
    (r"\bat one (?:time|point)\b", "formerly"),
    (r"\bone day,", "then,"),
    (r"\b(?:a|one|the) single\b|\bonly a(?= \w)|\bjust a(?= \w)", "one"),
    (r"\bjust the one\b", "one"),
    (r"\b(?:an?|one) ([a-z]+) and a (half|quarter)\b", r"one and a \2 \1"),
    (r"\b(\w+) ([a-z]+s) and a (half|quarter)\b", r"\1 and a \3 \2"),
    # "a third" is a part, unless a noun follows ("a third attempt").
    (r"\ba (third|fourth|fifth|sixth|seventh|eighth|ninth|tenth)(?=\s*(?:of\b|[.,;!?)]|$))", r"one \1"),
)


# "The sum of 4 and 5" is arithmetic with its operator in front.
_PREFIXED = tuple(
    (re.compile(rf"\b{name} (?:of|between) ([-\w.%$]+) and ([-\w.%$]+)", re.IGNORECASE), rf"\1 {operator} \2")
    for name, operator in (("sum", "plus"), ("product", "times"), ("difference", "minus"), ("quotient", "divided by"))
)


def plain(text: str, *, is_code: bool = False) -> str:
    """The text with LaTeX, operators, ranges and negative signs as words, and without the numbers of list items.

    Args:
        is_code: whether hyphens join digits (555-0123) and are no ranges.
    """
    text = plain_text(text)
    text = _without_items(text)
    text = _CENTS.sub(lambda match: f"{match[1] or match[3]}.{match[2] or match[4]}", text)
    text = _GROUPS.sub(lambda match: match[0].replace(" ", ""), text)
    if match := _ONE_GROUP.fullmatch(text):
        text = text.replace(f"{match[1]} {match[2]}", match[1] + match[2])
    for prefixed, replacement in _PREFIXED:
        text = prefixed.sub(replacement, text)
    lines = [line if is_code else _line(line) for line in re.split(r"(\n)", text)]
    text = "".join(lines)
    for pattern, replacement in _PRONOUNS:
        text = re.sub(pattern, replacement, text, flags=re.IGNORECASE)
    return text


def _without_items(text: str) -> str:
    """The text without bullets and list numbers. "24. Because ..." alone is an answer: a list has the next number."""
    numbers = {int(match[1]) for match in _ITEM.finditer(text) if match[1]}

    def mark(match: re.Match[str]) -> str:
        return match[0] if match[1] and not {int(match[1]) - 1, int(match[1]) + 1} & numbers else ""

    # "- 3" is minus three where it is the whole answer.
    return _STEP.sub(" ", _ITEM.sub(mark, text) if "\n" in text.strip() else text)


def _line(line: str) -> str:
    if not any(c.isdigit() for c in line):
        return line
    if re.search(r"[=≈]", line):
        line = _IN_EQUATION.sub(" minus ", line)
        # 16/2 = 8 is a division, 1/5 + 2/5 = 3/5 adds fractions.
        if not re.search(r"\d/\d", re.split(r"[=≈]", line)[-1]):
            line = _SLASH_IN_EQUATION.sub(" divided by ", line)
    # An en dash with spaces is a range unless the line is an equation.
    elif "–" in line:
        line = _RANGE.sub(lambda match: f"{match['low']} to {match['high']}", line)
    for pattern, replacement in _OPERATORS:
        line = re.sub(pattern, replacement, line)
    line = _RANGE.sub(lambda match: f"{match['low']} to {match['high']}", line)
    return _MINUS_ATTACHED.sub("-", _MINUS.sub("-", line))


# The comma of "July 20, 1969", which separates no clauses, also where the year is in words.
_DATE_COMMA = re.compile(
    r"\b((?:Jan|Feb|Mar|Apr|May|June?|July?|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?(?: (?:the )?[\w-]+(?: \w+)?)?),"
    r"\s+(?=[1-9]\d{2,3}\b|(?:one|two|ten|eleven|\w+teen|twelve|twenty)\b)",
    re.IGNORECASE,
)
_MONTHS = "January February March April May June July August September October November December".split()  # noqa: SIM905
_DAY_MONTH = re.compile(r"(?<![\w./-])(?P<first>\d{1,2})(?P<mark>[/.])(?P<second>\d{1,2})\.?(?![\w/]|[.-]\d)")
_DAY_MONTH_YEAR = re.compile(r"(?<![\w./-])(\d{1,2})[.-](\d{1,2})[.-](\d{4})(?![\w/]|[.-]\d)")
_YEARS = re.compile(r"(?<![\w/-])([1-9]\d{2,3})\s?[-–—]\s?([1-9]\d{3}|\d{2})(?![\w-])")


def plain_dates(text: str, *, day_first: bool) -> str:
    """The text with numeric dates in words: 25/12 -> December 25, 20.7.1969 -> July 20, 1969, 1939-45 -> 1939 to 1945.

    Args:
        day_first: whether 4/7 is 4 July (else April 7). With points, the day always comes first.
    """
    text = re.sub(r"[*_]{2,}|`", "", text)
    text = _without_items(text)
    text = _DATE_COMMA.sub(r"\1 ", text)
    text = _DAY_MONTH_YEAR.sub(lambda match: _named(match[0], match[1], match[2], match[3], day_first=True), text)
    text = _DAY_MONTH.sub(
        lambda match: _named(
            match[0], match["first"], match["second"], "", day_first=day_first or match["mark"] == "."
        ),
        text,
    )
    return _YEARS.sub(lambda match: f"{match[1]} to {match[1][: -len(match[2])] + match[2]}", text)


def _named(whole: str, first: str, second: str, year: str, *, day_first: bool) -> str:
    day, month = (int(first), int(second)) if day_first else (int(second), int(first))
    if month > 12:
        day, month = month, day
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return whole
    return f"{_MONTHS[month - 1]} {day}" + (f", {year}" if year else "")
