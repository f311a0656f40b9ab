"""Converts English number words to digits: cardinals, spoken years, decimals, ordinals, decades, fractions, signs."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

from omnigap_orchestrator.scoring.normalise.digits import REPEATS, read_digits
from omnigap_orchestrator.scoring.normalise.powers import decimal

BREAK = ","
"""Token in place of punctuation, so that "one, two" is not read as one number. Removed from the result."""


def listed(*lines: str) -> list[str]:
    """Splits the lines into words: a compact way to write word lists."""
    return " ".join(lines).split()


_DIGITS = listed("zero one two three four five six seven eight nine")
_TEENS = listed("ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen")
_TENS = listed("twenty thirty forty fifty sixty seventy eighty ninety")

_ORDINALS = listed(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth ",
    "fifteenth sixteenth seventeenth eighteenth nineteenth",
)
UNITS = {word: n for n, word in enumerate(_DIGITS)} | {"nought": 0}
TEENS = {word: n for n, word in enumerate(_TEENS, 10)}
TENS = {word: 10 * n for n, word in enumerate(_TENS, 2)} | {"fourty": 40}
ORDINAL_UNITS = {word: n for n, word in enumerate(_ORDINALS, 1)}
ORDINAL_TENS = {word[:-1] + "ieth": value for word, value in TENS.items()}
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
ORDINAL_SCALES = {f"{word}th": value for word, value in SCALES.items()}
DECADES = {word[:-1] + "ies": value for word, value in TENS.items()}
ZEROS = frozenset(("oh", "o"))
_POWERS = {"hundred": 100, "dozen": 12, **SCALES}
_ORDINAL_POWERS = {"hundredth": 100, **ORDINAL_SCALES}

_SINGULAR_PARTS = {word: n for word, n in ORDINAL_UNITS.items() if n > 2} | {"half": 2, "quarter": 4}
"""Denominators after "one". "Second" is left out: "one second" is a time."""

_PARTS = (
    {f"{word}s": n for word, n in _SINGULAR_PARTS.items()}
    | {f"{word}s": n for word, n in (ORDINAL_TENS | _ORDINAL_POWERS).items()}
    | {"halves": 2}
)

STARTS = (
    frozenset(UNITS)
    | frozenset(TEENS)
    | frozenset(TENS)
    | frozenset(ORDINAL_UNITS)
    | frozenset(ORDINAL_TENS)
    | frozenset(_POWERS)
    | frozenset(_ORDINAL_POWERS)
    | frozenset(DECADES)
    | frozenset(("half", "quarter", "point", "minus", "negative"))
    | REPEATS
)
"""Words that can begin a number. Text without them and without digits needs no conversion."""
_OPENERS = STARTS | {"a", "an"}


def convert(tokens: list[str]) -> list[str]:
    """Rewrites every number in the tokens. Adjacent numbers are not joined: "one two three" -> 1 2 3."""
    result: list[str] = []
    i = 0
    while i < len(tokens):
        word = tokens[i]
        # "minus" after a number is subtraction: 7 minus 5 is not "7 -5".
        if word in ("minus", "negative") and not (result and is_number(result[-1])):
            number = parse(tokens, i + 1)
            if number is not None and is_number(number.token) and number.token != "0" and number.token[0] != "-":
                result.append("-" + number.token)
                i = number.end
                continue
        if (word in UNITS or word in ZEROS or word in REPEATS) and (read := read_digits(tokens, i)) is not None:
            result += read[0]
            i = read[1]
            continue
        if word == "a" and _at(tokens, i + 1) == "second" and _is_time(tokens, i + 2, result):
            # "metres a second" is left to the units.
            result += ["a", "second"] if _follows_unit(result) else ["1", "second"]
            i += 2
            continue
        # "oh" and "o" are zeros only next to other digits: "five oh two", "oh seven".
        if word in ZEROS and (_is_digit(result[-1:]) or _at(tokens, i + 1) in UNITS):
            result.append("0")
            i += 1
            continue
        if word == "second" and result and (is_number(result[-1]) or result[-1] in ("per", "split")):
            result.append(word)  # "5 seconds", "per second": a time, not 2nd
            i += 1
            continue
        number = parse(tokens, i) if word in _OPENERS or (is_number(word) and _goes_on(tokens, i + 1)) else None
        if number is None:
            result.append(word)
            i += 1
        else:
            result.append(number.token)
            i = number.end
    return _world_wars(result)


# Words that follow "a second" as a time; before a noun it is an ordinal ("a second time").
_AFTER_TIME = frozenset(
    ("", BREAK, *listed("or and to later ago please for of on in at before after longer more when"))
)


def _is_time(tokens: list[str], i: int, before: list[str]) -> bool:
    return _at(tokens, i) in _AFTER_TIME or _follows_unit(before)


def _follows_unit(before: list[str]) -> bool:
    """Whether the last words are a number and one more word, as in "5 metres (a second)"."""
    return len(before) > 1 and before[-1].isalpha() and is_number(before[-2])


def _goes_on(tokens: list[str], i: int) -> bool:
    """Whether tokens[i] can continue a number in digits. It usually cannot, and `parse` is then skipped."""
    word = _at(tokens, i)
    return word in _POWERS or word in _PARTS or word in _SINGULAR_PARTS or word in ("point", "and") or "/" in word


def _is_digit(last: list[str]) -> bool:
    return bool(last) and len(last[0]) == 1 and last[0].isdigit()


def _world_wars(tokens: list[str]) -> list[str]:
    """ "2nd world war" -> "world war 2": both forms are common."""
    for i in range(len(tokens) - 2):
        if tokens[i] in ("1st", "2nd", "3rd") and tokens[i + 1 : i + 3] == ["world", "war"]:
            return [*tokens[:i], "world", "war", tokens[i][0], *_world_wars(tokens[i + 3 :])]
    return tokens


class Parsed(NamedTuple):
    """A number read from tokens: its canonical token and the index after it."""

    token: str
    end: int


def parse(tokens: list[str], i: int) -> Parsed | None:
    """Reads the longest number that begins at tokens[i], without sign; None if there is none."""
    word = _at(tokens, i)
    if word in DECADES:
        return Parsed(f"{DECADES[word]}s", i + 1)
    lead = _lead(tokens, i)
    if lead is None:
        return _part(tokens, i)
    value, end, is_ordinal, in_words = lead
    if is_ordinal:
        return Parsed(ordinal(int(value)), end)
    decade = _at(tokens, end)
    if in_words and decade in DECADES and 10 <= value <= 20:
        return Parsed(f"{int(value) * 100 + DECADES[decade]}s", end + 1)
    if in_words and decade == "hundreds" and 10 <= value <= 20:
        return Parsed(f"{int(value) * 100}s", end + 1)
    if _at(tokens, end) == "point" and value.denominator == 1:
        digits, after = _decimals(tokens, end + 1)
        if digits:
            value, end = value + Fraction(int(digits), 10 ** len(digits)), after
    elif (part := _denominator(tokens, end, value)) is not None:
        return Parsed(f"{value.numerator}/{part}", end + 1)
    else:
        value, end = _and_part(tokens, end, value)
    # "2.5 million", "two and a half million", "5 hundred", "two dozen"
    while (power := _at(tokens, end)) in _POWERS and value:
        if in_words and not (power == "dozen" or value.denominator != 1):
            break
        value, end = value * _POWERS[power], end + 1
        # What follows a scale belongs to it: "2 thousand and five", "5 thousand two hundred".
        rest = _remainder(tokens, end) or (_whole(tokens, end) if power != "hundred" else None)
        if power != "dozen" and rest is not None and not rest.is_ordinal and rest.value < _POWERS[power]:
            value, end = value + rest.value, rest.end
    text = decimal(value)
    return Parsed(text, end) if text is not None else None


def _lead(tokens: list[str], i: int) -> tuple[Fraction, int, bool, bool] | None:
    """The whole number at i: its value, its end, whether it is an ordinal, and whether it is in words (else digits)."""
    word = _at(tokens, i)
    if is_number(word):
        return Fraction(word), i + 1, False, False
    if word in ("a", "an") and _at(tokens, i + 1) in _POWERS:
        word = _at(tokens, i + 1)
        i += 1
    if word == "half":
        after = i + 2 if _at(tokens, i + 1) == "a" else i + 1
        if _at(tokens, after) in _POWERS:
            return Fraction(_POWERS[tokens[after]], 2), after + 1, False, True
        return None
    if word == "dozen":
        return Fraction(12), i + 1, False, True
    if word == "point" and i == 0 and _decimals(tokens, i + 1)[0]:
        return Fraction(0), i, False, True
    small = _year(tokens, i) or _whole(tokens, i)
    return (Fraction(small.value), small.end, small.is_ordinal, True) if small else None


def _denominator(tokens: list[str], i: int, value: Fraction) -> int | None:
    """The denominator at i, as in "two thirds" and "one fifth"; None if tokens[i] is not a denominator."""
    if value.denominator != 1 or not 0 < value < 100:
        return None
    word = _at(tokens, i)
    if value == 1 and word in _SINGULAR_PARTS:
        return _SINGULAR_PARTS[word]
    return _PARTS.get(word)


def _and_part(tokens: list[str], i: int, value: Fraction) -> tuple[Fraction, int]:
    """Adds the "and a half" of "two and a half", and the 1/2 of "2 1/2"."""
    if value.denominator != 1:
        return value, i
    start = i + 1 if _at(tokens, i) == "and" else i
    part: Fraction | None = None
    end = start
    if start > i and _at(tokens, start) in ("a", "one") and _at(tokens, start + 1) in ("half", "quarter"):
        part, end = Fraction(1, _SINGULAR_PARTS[tokens[start + 1]]), start + 2
    elif start > i and _at(tokens, start) == "three" and _at(tokens, start + 1) == "quarters":
        part, end = Fraction(3, 4), start + 2
    elif "/" in (token := _at(tokens, start)) and token.replace("/", "").isdigit():
        upper, _, lower = token.partition("/")
        if int(lower) > int(upper):
            part, end = Fraction(int(upper), int(lower)), start + 1
    if part is None or decimal(value + part) is None:
        return value, i
    return (value - part if value < 0 else value + part), end


def _part(tokens: list[str], i: int) -> Parsed | None:
    """A fraction without a numerator: "half", "a quarter", "a third of"."""
    word = _at(tokens, i)
    if word == "half":
        return Parsed("1/2", i + 1)
    if word == "a":
        following = _at(tokens, i + 1)
        if following in ("half", "quarter"):
            return Parsed(f"1/{_SINGULAR_PARTS[following]}", i + 2)
        if following in _SINGULAR_PARTS and _at(tokens, i + 2) == "of":
            return Parsed(f"1/{_SINGULAR_PARTS[following]}", i + 2)
    return None


def _decimals(tokens: list[str], i: int) -> tuple[str, int]:
    """Digits after "point", from words ("one four", "oh five", "fourteen") or digits."""
    digits = ""
    while (word := _at(tokens, i)) in UNITS or word in ZEROS or (word.isdigit() and word.isascii()):
        digits += "0" if word in ZEROS else str(UNITS.get(word, word))
        i += 1
    if not digits and (small := _small(tokens, i)) is not None and not small.is_ordinal:
        return str(small.value), small.end
    return digits, i


def _year(tokens: list[str], i: int) -> _Small | None:
    """A year spoken in two halves: nineteen sixty nine, twenty twenty four, nineteen oh five."""
    first = _small(tokens, i)
    if first is None or first.is_ordinal or not 10 <= first.value <= 20 or first.end != i + 1:
        return None
    word = _at(tokens, first.end)
    if first.value >= 16 and re.fullmatch(r"[1-9]\d", word):
        return _Small(first.value * 100 + int(word), first.end + 1)  # nineteen 84
    if word in ZEROS:
        unit = UNITS.get(_at(tokens, first.end + 1), 0)
        return _Small(first.value * 100 + unit, first.end + 2) if unit else None
    second = _small(tokens, first.end)
    if second is None or second.is_ordinal or second.value < 10 or _is_power(_at(tokens, second.end)):
        return None
    third = _small(tokens, second.end)
    if third is not None and not third.is_ordinal and third.value >= 10 and second.end == first.end + 1:
        # In "july twenty nineteen sixty nine" the twenty is the day, and the year begins after it.
        return None
    return _Small(first.value * 100 + second.value, second.end)


def _whole(tokens: list[str], i: int) -> _Small | None:
    """Reads a cardinal or ordinal in words: groups and scales, each scale smaller than the previous one."""
    total, limit, end = 0, 0, i
    while True:
        word = _at(tokens, end)
        if not total and (word in SCALES or word in ORDINAL_SCALES):
            group = _Small(1, end)  # "thousand" without a count is one thousand
        else:
            found = _group(tokens, end) if not limit else _next_group(tokens, end, limit)
            if found is None:
                break
            group = found
        scale = _at(tokens, group.end)
        if not group.is_ordinal and scale in SCALES and (not limit or SCALES[scale] < limit) and group.value:
            limit = SCALES[scale]
            total, end = total + group.value * limit, group.end + 1
            continue
        if not group.is_ordinal and scale in ORDINAL_SCALES and group.value:
            return _Small(total + group.value * ORDINAL_SCALES[scale], group.end + 1, True)
        if limit and (group.value >= limit or scale in SCALES):
            break
        return _Small(total + group.value, group.end, group.is_ordinal)
    return _Small(total, end) if end > i else None


def _next_group(tokens: list[str], i: int, limit: int) -> _Small | None:
    """The group after a scale: "two thousand (and) five", "one thousand two hundred", never "two thousand, five"."""
    if _at(tokens, i) == "and":
        return _remainder(tokens, i)
    if _at(tokens, i) == "hundred":
        return None
    group = _group(tokens, i)
    return group if group is not None and 0 < group.value < max(limit, 1000) else None


def _group(tokens: list[str], i: int) -> _Small | None:
    """Reads 0 to 9999 as hundreds: "five", "five hundred", "nineteen hundred and six"."""
    if _at(tokens, i) == "hundred":
        small = _Small(1, i)
    else:
        found = _small(tokens, i)
        if found is None:
            return None
        small = found
    if small.is_ordinal or not small.value:
        return small
    power = _at(tokens, small.end)
    if power == "hundredth":
        return _Small(small.value * 100, small.end + 1, True)
    if power != "hundred":
        return small
    value, end = small.value * 100, small.end + 1
    # No `_remainder` here: in "five hundred and twenty thousand" the rest is followed by a scale.
    start = end + 1 if _at(tokens, end) == "and" else end
    rest = _small(tokens, start)
    if rest is None or _at(tokens, rest.end) in ("hundred", "hundredth") or not rest.value:
        return _Small(value, end)
    return _Small(value + rest.value, rest.end, rest.is_ordinal)


def _remainder(tokens: list[str], i: int) -> _Small | None:
    """The part after a hundred or a thousand: an optional "and", and a number below 100 that is not a count itself."""
    start = i + 1 if _at(tokens, i) == "and" else i
    small = _small(tokens, start)
    if small is None or _is_power(_at(tokens, small.end)):
        return None
    return small


class _Small(NamedTuple):
    value: int
    end: int
    is_ordinal: bool = False


def _small(tokens: list[str], i: int) -> _Small | None:
    """Reads 0 to 99 in words: "seven", "seventeen", "seventy seven", "seventy seventh"."""
    word = _at(tokens, i)
    if word in TENS:
        following = _at(tokens, i + 1)
        if UNITS.get(following, 0) > 0:
            return _Small(TENS[word] + UNITS[following], i + 2)
        if ORDINAL_UNITS.get(following, 10) < 10:
            return _Small(TENS[word] + ORDINAL_UNITS[following], i + 2, True)
        return _Small(TENS[word], i + 1)
    for table, is_ordinal in ((UNITS, False), (TEENS, False), (ORDINAL_UNITS, True), (ORDINAL_TENS, True)):
        if word in table:
            return _Small(table[word], i + 1, is_ordinal)
    return None


def _is_power(word: str) -> bool:
    return word in _POWERS or word in _ORDINAL_POWERS


def _at(tokens: list[str], i: int) -> str:
    return tokens[i] if 0 <= i < len(tokens) else ""


MAX_DIGITS = 500
"""Longer runs of digits are no numbers: a model that repeats itself must not cost a conversion of a million digits."""
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
"""A canonical number, as a whole token."""


def is_number(token: str) -> bool:
    """Whether a token is a canonical number such as 1969, -5 or 3.14, and not an ordinal or a fraction."""
    return token[-1:].isdigit() and len(token) <= MAX_DIGITS and _NUMBER.fullmatch(token) is not None


def ordinal(value: int) -> str:
    """`21 -> 21st`, `12 -> 12th`."""
    if value % 100 in (11, 12, 13):
        return f"{value}th"
    return f"{value}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(value % 10, 'th') }"
