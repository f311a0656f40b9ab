"""Numerals that count in myriads, in Korean, Chinese and Japanese: 삼백오십만, 三百五十万, 3백5십만, 3.5万."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property


@dataclass(frozen=True)
class Numerals:
    """The characters of a writing system for numbers.

    Attributes:
        digits: character -> 0 to 9.
        tens: character -> 10, 100 or 1000.
        myriads: character -> a power of 10,000.
        zero_inside: whether a zero may stand for skipped places (一百零五 is 105), as in Chinese.
        elliptic: whether a last digit without its unit counts the next lower place (两万五 is 25,000), as in Chinese.
    """

    digits: Mapping[str, int]
    tens: Mapping[str, int]
    myriads: Mapping[str, int]
    zero_inside: bool = False
    elliptic: bool = False

    @cached_property
    def characters(self) -> str:
        """All characters of a numeral, for a regular expression's character class."""
        return "".join((*self.digits, *self.tens, *self.myriads))

    @cached_property
    def _part(self) -> re.Pattern[str]:
        return re.compile(rf"\d+(?:\.\d+)?|[{self.characters}]|(?P<other>\S)")

    def value(self, text: str) -> int | None:
        """The value of a well-formed numeral, whose digits may be Arabic (3백5십만, 3.5万); None for any other text.

        A run of digits without a unit is no numeral here: see `spelled_digits`.
        """
        total, section = Fraction(0), Fraction(0)
        digit: Fraction | None = None
        last_ten, last_myriad = 10**4, 10**20
        lowest = 0
        after_zero = False
        for match in self._part.finditer(text):
            part = match[0]
            if match["other"] is not None:
                return None
            if part in self.tens:
                unit = self.tens[part]
                if unit >= last_ten:
                    return None
                section += (1 if digit is None else digit) * unit
                last_ten, lowest, digit, after_zero = unit, unit, None, False
            elif part in self.myriads:
                unit = self.myriads[part]
                if unit >= last_myriad:
                    return None
                section += digit or 0
                total += (section or 1) * unit
                last_myriad, last_ten, lowest, after_zero = unit, 10**4, unit, False
                section, digit = Fraction(0), None
            elif digit is not None:
                return None
            else:
                number = Fraction(part) if part[0].isdecimal() else Fraction(self.digits[part])
                if number == 0 and part in self.digits and lowest:
                    if not self.zero_inside or after_zero:
                        return None
                    after_zero = True
                elif number >= 10 and lowest and number >= lowest:
                    return None
                else:
                    digit = number
        if after_zero and digit is None:
            return None
        if digit is not None and self.elliptic and lowest > 10 and not after_zero and 0 < digit < 10:
            digit *= lowest // 10
        result = total + section + (digit or 0)
        return int(result) if text.strip() and result.denominator == 1 else None

    def spelled_digits(self, text: str) -> str | None:
        """Digits that are read out one by one (일구사오 -> 1945); None if another character is among them."""
        if not text or any(c not in self.digits for c in text):
            return None
        return "".join(str(self.digits[c]) for c in text)


KOREAN = Numerals(
    digits={"영": 0, "공": 0, "일": 1, "이": 2, "삼": 3, "사": 4, "오": 5, "육": 6, "륙": 6, "칠": 7, "팔": 8, "구": 9},
    tens={"십": 10, "백": 100, "천": 1000},
    myriads={"만": 10**4, "억": 10**8, "조": 10**12},
)

_HAN_DIGITS = {
    c: n
    for n, same in enumerate(("〇零", "一壹", "二贰貳弐", "三叁參参", "四肆", "五伍", "六陆陸", "七柒", "八捌", "九玖"))
    for c in same
}
_HAN_TENS = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1000, "仟": 1000}

CHINESE = Numerals(
    digits=_HAN_DIGITS | {"两": 2, "兩": 2},
    tens=_HAN_TENS,
    myriads={"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8, "兆": 10**12},
    zero_inside=True,
    elliptic=True,
)
JAPANESE = Numerals(
    digits=_HAN_DIGITS,
    tens=_HAN_TENS,
    myriads={"万": 10**4, "萬": 10**4, "億": 10**8, "兆": 10**12},
)
