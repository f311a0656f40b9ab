"""Converts Korean numerals to digits where they cannot be another word: 이십일 -> 21, 세 개 -> 3개, but not 만일."""

from __future__ import annotations

import re

from omnigap_orchestrator.scoring.normalise.myriads import KOREAN
from omnigap_orchestrator.scoring.normalise.numbers import listed

# Sino-Korean numerals count years, money and units; native numerals count things and hours.
_NATIVE_UNITS = {
    "하나": 1, "한": 1, "둘": 2, "두": 2, "셋": 3, "세": 3, "석": 3, "넷": 4, "네": 4, "넉": 4, "다섯": 5,
    "여섯": 6, "일곱": 7, "여덟": 8, "아홉": 9,
}  # fmt: skip
_NATIVE_TENS = {"열": 10, "스물": 20, "스무": 20, "서른": 30, "마흔": 40, "쉰": 50, "예순": 60, "일흔": 70, "여든": 80}
_NATIVE_TENS |= {"아흔": 90}

# Both may be written apart: 서른 한 살.
_NATIVE = {
    **_NATIVE_UNITS,
    **_NATIVE_TENS,
    **{
        ten + gap + unit: a + b
        for ten, a in _NATIVE_TENS.items()
        for unit, b in _NATIVE_UNITS.items()
        for gap in ("", " ")
    },
}

_COUNTED_ONLY = frozenset(("한", "두", "세", "석", "네", "넉", "열", "쉰"))
"""Native numerals that are also other words; they count as numerals only before a counter."""

# Longest first, since a shorter counter can begin a longer one: 시 (hour), 시간 (hours).
COUNTERS = sorted(
    listed(
        "개월 개 명 살 세기 세 마리 시간 시 분 초 권 번째 번 가지 달 잔 병 대 자루 송이 장",
        "사람 쪽 줄 년 월 일 원 도 퍼센트 층 위 회",
        "주일 주 배 점 등 인 미터 킬로미터 센티미터 밀리미터 킬로그램 그램 리터 킬로",
        "학년 호 달러 유로 엔 글자 쌍 켤레 그루 다리 가닥",
        "톤 평 인분 척 벌 포기 봉지 상자 박스 조각 페이지 포인트 개국 곳 군데 단계 칸 방울 바퀴 곡 건 끼",
        "칼로리 인치 마일 제곱미터 제곱킬로미터 헥타르 위안 볼트 와트",
    ),
    key=len,
    reverse=True,
)
_COUNTER = "|".join(COUNTERS)
_RUN = f"[{KOREAN.characters}]"
_DIGIT = f"[{''.join(KOREAN.digits)}]"
_UNIT = f"[{''.join((*KOREAN.tens, *KOREAN.myriads))}]"
_NATIVE_RUN = "|".join(sorted(_NATIVE, key=len, reverse=True))

# What may follow a counter or a bare numeral in its eojeol (space-delimited unit). Only the short endings that decide
# between a numeral and another word; `korean_nouns` has the full list.
_TAIL = (
    r"(?:은|는|이|가|을|를|의|에|에서|에는|로|으로|와|과|도|만|부터|까지|보다|정도|쯤|쯤이에요|이나|나|씩|째|마다|당|"
    r"입니다|이에요|예요|에요|이다|다|이며|이고|고|인|인데|이야|야|이죠|죠|이요|요|이었습니다|였습니다|이었다|였다|임|일)?(?!\S)"
)

# Counters before which a single Sino-Korean digit is a numeral. Before the others it is often part of a word:
# 사회 (society), 이번 (this time).
_SURE_COUNTERS = "|".join(
    listed(
        "개월 세기 시간 번째 년 월 퍼센트 주일 학년 미터 킬로미터 센티미터 킬로그램 그램 달러 유로 글자",
        "위안 칼로리 페이지",
    )
)
# Counters that may follow 백, 천 or 만 without a space. Others make other words: 천장 (ceiling), 만점 (full marks).
_AFTER_UNIT = "|".join(listed("원 명 개 살 년 배 번 권 마리 사람 가지 그루 송이 톤"))

# Approximate counts: 두세 개 is "two or three".
APPROXIMATE = r"(?:한두|두세|두서너|서너|너댓|너덧|네댓|네다섯|대여섯|예닐곱|일고여덟|여덟아홉)"
_COUNTED_NATIVE = re.compile(rf"(?<!\S)(?!{APPROXIMATE})({_NATIVE_RUN}) ?(?=(?:{_COUNTER}))")
_PLAIN_NATIVE = "|".join(n for n in sorted(_NATIVE, key=len, reverse=True) if n.split(" ")[-1] not in _COUNTED_ONLY)
_BARE_NATIVE = re.compile(rf"(?<!\S)({_PLAIN_NATIVE})(?!님)")
# 백스물다섯 명 (125): a Sino-Korean hundred before a native numeral.
_HUNDRED_NATIVE = re.compile(rf"(?<!\S)({_RUN}*[백천만]) ?({_NATIVE_RUN}) ?(?=(?:{_COUNTER})(?:{_TAIL}))")

# 일 (day) is left out: 이십일 is 21, and the 20th day only after a month.
_COUNTED_SINO = re.compile(rf"(?<!\S)({_RUN}{{2,}}) ?(?=(?:{'|'.join(c for c in COUNTERS if c != '일')}))")
_SURE_SINO = re.compile(rf"(?<!\S)({_RUN}) ?(?=(?:{_SURE_COUNTERS}))")
_DEGREES = r"도(?:에|에서|입니다|이다|예요|이에요|가|쯤|정도)?(?!\S)"
_COUNTED_UNIT = re.compile(
    rf"(?<!\S)([십백천만억])(?:(?= (?:{_COUNTER}){_TAIL})|(?=(?:{_AFTER_UNIT}){_TAIL})|(?<=[십백천])(?={_DEGREES}))"
)
# 오 도, 영 개: a digit apart from its counter. 이 is "this", 공 the ball.
_APART_COUNTED = re.compile(rf"(?<!\S)([영일삼사오육칠팔구])(?= (?:{_COUNTER}){_TAIL})|(?<=영하 )({_DIGIT})(?= ?도)")
_FRACTION = re.compile(rf"(?<!\S)(\d+|{_RUN}+) ?분의 ?(\d+|{_RUN}+?)(?={_TAIL})")
_DAY_SINO = re.compile(rf"(?<=\d월)( ?)({_RUN}+) ?(?=일)")
_BARE_SINO = re.compile(rf"(?<!\S)({_RUN}{{2,}})")
_SPACED_SINO = re.compile(
    rf"(?<!\S)({_RUN}*{_UNIT}(?: {_RUN}+)+)(?=( ?(?:{'|'.join(c for c in COUNTERS if c != '일')}))|{_TAIL})"
)
_DECIMAL = re.compile(rf"(?<!\S)({_RUN}+|\d+) ?점 ?({_DIGIT}(?: ?{_DIGIT})*)")
# Digits read out one by one: 일구사오 년, 공 일 공, 공일공.
_YEAR_DIGITS = re.compile(rf"(?<!\S)({_DIGIT}{{4}}) ?(?=년)")
_APART_DIGITS = re.compile(rf"(?<!\S)({_DIGIT}(?: {_DIGIT}){{2,}})(?={_TAIL})")
_DIGITS = re.compile(rf"(?<!\S)({_DIGIT}{{3,}})(?={_TAIL})")
# "One by one" and Saigon.
_NOT_DIGITS = ("일일이", "사이공")
# 3백5십만, 3만 5천, 1억 2000만.
_MIXED = re.compile(
    rf"(?<![\w.])\d+(?:\.\d+)?(?!조각){_UNIT}"
    rf"(?:\d+(?:\.\d+)?|{_UNIT}|{_DIGIT}(?={_UNIT})| (?=\d+(?:\.\d+)?{_UNIT}))*(?: \d+(?!\S))?"
)
# 1945년팔월십오일: the parts of a date are set apart.
_AFTER_YEAR = r"(?:(?<=\d년)|(?<=[일이삼사오육칠팔구영공]년)|(?<=[십백천]년))"
_GLUED_DATE = re.compile(
    rf"{_AFTER_YEAR}(?=(?:{_RUN}{{1,2}}|\d{{1,2}}) ?월)|(?<=월)(?=(?:{_RUN}{{1,3}}|\d{{1,2}}) ?일)"
)
_FIRST = re.compile(r"(?<!\S)(?:첫 ?번째|첫째)")
_ORDINALS = {"둘째": "2번째", "셋째": "3번째", "넷째": "4번째", "다섯째": "5번째"}
_MONTHS = {"유월": "6월", "시월": "10월"}
_WORD_MONTH = re.compile(rf"(?<!\S)({'|'.join(_MONTHS)}|{'|'.join(_ORDINALS)})")
# The numeral ends before a copula that begins with 이 or 일: 삼십이에요 is "it is 30", 삼십일 거예요 "it will be 30".
_COPULA_I = re.compile(r"에요|다(?!\S)|야|고(?!\S)|며|지요?(?!\S)|죠|네요|니까|라고|라(?!\S)|었")
_COPULA_IL = re.compile(r" (?:거|것|겁|수|듯)|지도|까")


def convert(text: str) -> str:
    """Converts the numerals of normalised text to digits, and joins a counter to its number (3 개 -> 3개)."""
    # From specific to general: each rule must see its numerals before a more general one consumes them.
    text = _GLUED_DATE.sub(" ", text)
    text = _FIRST.sub("1번째", text)
    text = _WORD_MONTH.sub(lambda match: (_ORDINALS | _MONTHS)[match[1]], text)
    text = _DECIMAL.sub(_decimal, text)
    text = _FRACTION.sub(_fraction, text)
    text = _APART_COUNTED.sub(lambda match: str(KOREAN.digits[match[0]]), text)
    text = _YEAR_DIGITS.sub(lambda match: KOREAN.spelled_digits(match[1]) or match[0], text)
    text = _APART_DIGITS.sub(_apart, text)
    text = _DIGITS.sub(_one_by_one, text)
    text = _HUNDRED_NATIVE.sub(_hundred_native, text)
    text = _COUNTED_NATIVE.sub(lambda match: str(_NATIVE[match[1]]), text)
    text = _SPACED_SINO.sub(_spaced, text)
    text = _COUNTED_SINO.sub(_sino, text)
    text = _SURE_SINO.sub(_sino, text)
    text = _COUNTED_UNIT.sub(_sino, text)
    text = _DAY_SINO.sub(_day, text)
    text = _BARE_SINO.sub(_bare_sino, text)
    text = _BARE_NATIVE.sub(lambda match: str(_NATIVE[match[1]]), text)
    text = _MIXED.sub(_mixed, text)
    return re.sub(rf"(?<=\d) (?=(?:{_COUNTER}))", "", text)


def sino_value(text: str) -> int | None:
    """The value of a well-formed Sino-Korean numeral (천구백육십구 -> 1969); None for anything else."""
    return KOREAN.value(text) if text and all(c in KOREAN.characters for c in text) else None


def _sino(match: re.Match[str]) -> str:
    return _before_copula(match, at_least=1)


def _bare_sino(match: re.Match[str]) -> str:
    """Two syllables are certain to be a number only with a ten: 만일 is "if", 천사 "angel", 오만 "Oman"."""
    word = match[1]
    return _before_copula(match, at_least=2) if len(word) > 2 or "십" in word else match[0]


def _before_copula(match: re.Match[str], at_least: int) -> str:
    """The numeral in digits; its last syllable is left if it begins the copula or is a particle."""
    word, rest = match[1], match.string[match.end() :]
    kept = word[:-1]
    copula = {"이": _COPULA_I, "일": _COPULA_IL}.get(word[-1])
    if len(kept) >= at_least and copula is not None and copula.match(rest) and (value := sino_value(kept)) is not None:
        return f"{value}{word[-1]}"
    value = sino_value(word)
    if value is None and len(kept) >= at_least and word[-1] in "이만" and (value := sino_value(kept)) is not None:
        return f"{value}{word[-1]}"
    return match[0] if value is None else str(value)


def _one_by_one(match: re.Match[str]) -> str:
    word, rest = match[1], match.string[match.end() :]
    if word.startswith(_NOT_DIGITS):
        return match[0]
    if word[-1] == "이" and len(word) > 3 and _COPULA_I.match(rest):
        return f"{KOREAN.spelled_digits(word[:-1])}이"
    return KOREAN.spelled_digits(word) or match[0]


def _apart(match: re.Match[str]) -> str:
    """이 일 (this work) and 이 이 (these two) are words."""
    word = match[1].replace(" ", "")
    return match[0] if set(word) <= set("이일") else KOREAN.spelled_digits(word) or match[0]


def _hundred_native(match: re.Match[str]) -> str:
    hundreds, units = sino_value(match[1]), _NATIVE[match[2]]
    return match[0] if hundreds is None else str(hundreds + units)


def _spaced(match: re.Match[str]) -> str:
    parts = match[1].split(" ")
    value = sino_value("".join(parts))
    certain = match[2] is not None or all(any(c in _UNIT for c in part) for part in parts)
    return str(value) if value is not None and certain else match[0]


def _day(match: re.Match[str]) -> str:
    value = sino_value(match[2])
    return match[0] if value is None else f" {value}"


def _decimal(match: re.Match[str]) -> str:
    whole = match[1] if match[1].isdigit() else sino_value(match[1])
    digits = KOREAN.spelled_digits(match[2].replace(" ", ""))
    return match[0] if whole is None else f"{whole}.{digits}"


def _fraction(match: re.Match[str]) -> str:
    below, above = (int(part) if part.isdecimal() else sino_value(part) for part in match.groups())
    return match[0] if below is None or above is None else f"{above}/{below}"


def _mixed(match: re.Match[str]) -> str:
    value = KOREAN.value(match[0].replace(" ", ""))
    return match[0] if value is None else str(value)


def whole_number(text: str) -> str | None:
    """The digits of a text that is exactly one numeral (삼 -> 3, 하나 -> 1); None for any other text."""
    value = _NATIVE.get(text, sino_value(text))
    return None if value is None else str(value)
