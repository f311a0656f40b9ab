"""Normalises Korean, and finds nouns in it regardless of the following particle or copula.

Numerals become digits only where they cannot be another word: 이십일 -> 21, 세 개 -> 3개, but 만일 (if) is kept.
"""

from __future__ import annotations

import re
import unicodedata

from omnigap_orchestrator.scoring.normalise.numbers import listed

_MAX_PASSES = 6


def normalise_korean(text: str) -> str:
    """Lower-case composed syllables, single spaces, no punctuation, numbers in digits with their counter (3개).

    Particles are kept, because nouns such as 고양이 (cat) end like a particle; `find_noun` ignores them instead. The
    function is idempotent.
    """
    # A pass can create a new numeral, so passes repeat until nothing changes; the limit guards against a cycle.
    for _ in range(_MAX_PASSES):
        before, text = text, _once(text)
        if text == before:
            break
    return text


_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_ISO = re.compile(r"(?<!\d)(\d{4})[-./] ?(\d{1,2})[-./] ?(\d{1,2})(?!\d)\.?")
_KEPT = re.compile(r"(?<=\d)\.(?=\d)|(?<!\S)-(?=\d)")
_LEADING_ZEROS = re.compile(r"(?<![\d.])0+(?=\d)")
_TRAILING_ZEROS = re.compile(r"(\.\d*[1-9])0+(?!\d)|\.0+(?!\d)")

_SYMBOLS = {
    "%": "퍼센트",
    "₩": "원",
    "$": "달러",
    "℃": "도",
    "°c": "도",
    "°": "도",
    "km": "킬로미터",
    "kg": "킬로그램",
    "cm": "센티미터",
    "mm": "밀리미터",
    "m": "미터",
    "g": "그램",
    "l": "리터",
    "프로": "퍼센트",
}
_UNIT = re.compile(rf"(?<=\d) ?({'|'.join(re.escape(s) for s in sorted(_SYMBOLS, key=len, reverse=True))})(?![a-z])")
_MONEY = re.compile(r"([₩$]) ?(\d+(?:\.\d+)?)")
_MINUS = re.compile(r"(?<!\S)(?:마이너스|영하) ?(?=\d)")


def _once(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).lower().replace("−", "-")
    text = _THOUSANDS.sub("", text)
    text = _ISO.sub(_date, text)
    text = _MONEY.sub(lambda match: f"{match[2]}{_SYMBOLS[match[1]]}", text)
    text = _UNIT.sub(lambda match: _SYMBOLS[match[1]], text)
    # Decimal points and minus signs are protected by \0 and \1 while punctuation is removed.
    text = _KEPT.sub(lambda match: "\0" if match[0] == "." else "\1", text)
    text = "".join(c if unicodedata.category(c)[0] in "LNM" or c in "\0\1" else " " for c in text)
    text = " ".join(text.replace("\0", ".").replace("\1", "-").split())
    text = convert(text)
    text = _MINUS.sub("-", text)
    return _TRAILING_ZEROS.sub(r"\1", _LEADING_ZEROS.sub("", text))


def _date(match: re.Match[str]) -> str:
    year, month, day = (int(part) for part in match.groups())
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match[0]
    return f"{year}년 {month}월 {day}일"


# Sino-Korean numerals. They count years, money and units; native numerals count things and hours.
_SINO = {"영": 0, "공": 0, "일": 1, "이": 2, "삼": 3, "사": 4, "오": 5, "육": 6, "륙": 6, "칠": 7, "팔": 8, "구": 9}
_TENS = {"십": 10, "백": 100, "천": 1000}
_MYRIADS = {"만": 10**4, "억": 10**8, "조": 10**12}

_NATIVE_UNITS = {
    "하나": 1, "한": 1, "둘": 2, "두": 2, "셋": 3, "세": 3, "석": 3, "넷": 4, "네": 4, "다섯": 5,
    "여섯": 6, "일곱": 7, "여덟": 8, "아홉": 9,
}  # fmt: skip
_NATIVE_TENS = {"열": 10, "스물": 20, "스무": 20, "서른": 30, "마흔": 40, "쉰": 50, "예순": 60, "일흔": 70, "여든": 80}
_NATIVE_TENS |= {"아흔": 90}

_NATIVE = {
    **_NATIVE_UNITS,
    **_NATIVE_TENS,
    **{ten + unit: a + b for ten, a in _NATIVE_TENS.items() for unit, b in _NATIVE_UNITS.items()},
}

_COUNTED_ONLY = frozenset(("한", "두", "세", "석", "네", "열", "쉰"))
"""Native numerals that are also other words; they count as numerals only before a counter."""

# Longest first, since a shorter counter can begin a longer one: 시 (hour), 시간 (hours).
COUNTERS = sorted(
    listed(
        "개월 개 명 살 세기 세 마리 시간 시 분 초 권 번째 번 가지 달 잔 병 대 자루 송이 장",
        "사람 쪽 줄 년 월 일 원 도 퍼센트 층 위 회",
        "주일 주 배 점 등 인 미터 킬로미터 센티미터 밀리미터 킬로그램 그램 리터 킬로",
        "학년 호 달러 유로 엔 글자 쌍 켤레 그루 다리 가닥",
    ),
    key=len,
    reverse=True,
)
_COUNTER = "|".join(COUNTERS)
_SINO_RUN = f"[{''.join((*_SINO, *_TENS, *_MYRIADS))}]"
_NATIVE_RUN = "|".join(sorted(_NATIVE, key=len, reverse=True))

# Counters before which a single Sino-Korean digit is a numeral. Before the others it is often part of a word:
# 사회 (society), 이번 (this time).
_SURE_COUNTERS = "|".join(
    listed("개월 세기 시간 번째 년 월 퍼센트 주일 학년 미터 킬로미터 센티미터 킬로그램 그램 달러 유로 글자")
)
_COUNTED_NATIVE = re.compile(rf"(?<!\S)({_NATIVE_RUN}) ?(?=(?:{_COUNTER}))")
_PLAIN_NATIVE = "|".join(n for n in sorted(_NATIVE, key=len, reverse=True) if n not in _COUNTED_ONLY)
_BARE_NATIVE = re.compile(rf"(?<!\S)({_PLAIN_NATIVE})")

# 일 (day) is left out: 이십일 is 21, and the 20th day only after a month.
_COUNTED_SINO = re.compile(rf"(?<!\S)({_SINO_RUN}{{2,}}) ?(?=(?:{'|'.join(c for c in COUNTERS if c != '일')}))")
_SURE_SINO = re.compile(rf"(?<!\S)({_SINO_RUN}) ?(?=(?:{_SURE_COUNTERS}))")
_DAY_SINO = re.compile(rf"(?<=\d월 )({_SINO_RUN}+) ?(?=일)")
_BARE_SINO = re.compile(rf"(?<!\S)({_SINO_RUN}{{2,}})")
_DECIMAL = re.compile(rf"(?<!\S)({_SINO_RUN}+|\d+) ?점 ?([{''.join(_SINO)}](?: ?[{''.join(_SINO)}])*)")
_MIXED = re.compile(r"\d+(?:\.\d+)?(?:[십백천]?[만억조]|[백천])(?: ?\d+(?:\.\d+)?(?:[십백천]?[만억조]|[백천])?)*")
_MIXED_PART = re.compile(r"(\d+(?:\.\d+)?)([십백천]?)([만억조]?)")
_FIRST = re.compile(r"(?<!\S)(?:첫 ?번째|첫째)")
_ORDINALS = {"둘째": "2번째", "셋째": "3번째", "넷째": "4번째", "다섯째": "5번째"}
_MONTHS = {"유월": "6월", "시월": "10월"}


def convert(text: str) -> str:
    """Converts the numerals of normalised text to digits, and joins a counter to its number (3 개 -> 3개)."""
    # From specific to general: each rule must see its numerals before a more general one consumes them.
    text = _FIRST.sub("1번째", text)
    for word, written in (_ORDINALS | _MONTHS).items():
        text = re.sub(rf"(?<!\S){word}", written, text)
    text = _DECIMAL.sub(_decimal, text)
    text = _COUNTED_NATIVE.sub(lambda match: str(_NATIVE[match[1]]), text)
    text = _COUNTED_SINO.sub(_sino, text)
    text = _SURE_SINO.sub(_sino, text)
    text = _DAY_SINO.sub(_sino, text)
    text = _BARE_SINO.sub(_bare_sino, text)
    text = _BARE_NATIVE.sub(lambda match: str(_NATIVE[match[1]]), text)
    text = _MIXED.sub(_mixed, text)
    return re.sub(rf"(?<=\d) (?=(?:{_COUNTER}))", "", text)


def sino_value(text: str) -> int | None:
    """The value of a well-formed Sino-Korean numeral (천구백육십구 -> 1969); None for anything else."""
    total = section = digit = 0
    last_ten, last_myriad = 10**4, 10**16
    has_digit = False
    for c in text:
        if c in _SINO:
            if has_digit or (_SINO[c] == 0 and len(text) > 1):
                return None
            digit, has_digit = _SINO[c], True
        elif c in _TENS:
            if _TENS[c] >= last_ten:
                return None
            section += (digit if has_digit else 1) * _TENS[c]
            last_ten, digit, has_digit = _TENS[c], 0, False
        elif c in _MYRIADS:
            if _MYRIADS[c] >= last_myriad:
                return None
            section += digit
            total += (section or 1) * _MYRIADS[c]
            last_myriad, last_ten = _MYRIADS[c], 10**4
            section, digit, has_digit = 0, 0, False
        else:
            return None
    return total + section + digit if text else None


def _sino(match: re.Match[str]) -> str:
    value = sino_value(match[1])
    return match[0] if value is None else str(value)


def _bare_sino(match: re.Match[str]) -> str:
    """Two syllables are certain to be a number only with a ten: 만일 is "if", 천사 "angel", 오만 "Oman"."""
    word = match[1]
    return _sino(match) if len(word) > 2 or "십" in word else match[0]


def _decimal(match: re.Match[str]) -> str:
    whole = match[1] if match[1].isdigit() else sino_value(match[1])
    if whole is None:
        return match[0]
    return f"{whole}." + "".join(str(_SINO[c]) for c in match[2] if c != " ")


def _mixed(match: re.Match[str]) -> str:
    """3만 5천 -> 35000, 1억 2000만 -> 120000000."""
    total = 0.0
    for number, ten, myriad in _MIXED_PART.findall(match[0]):
        total += float(number) * _TENS.get(ten, 1) * _MYRIADS.get(myriad, 1)
    return str(int(total)) if total == int(total) else match[0]


def whole_number(text: str) -> str | None:
    """The digits of a text that is exactly one numeral (삼 -> 3, 하나 -> 1); None for any other text."""
    value = _NATIVE.get(text, sino_value(text))
    return None if value is None else str(value)


PARTICLES = listed(
    "으로서 으로써 에서는 에게서 한테서 이라도 이든지 까지 부터 보다 처럼 같이 마다 조차 마저 밖에 에서",
    "에게 한테 께서 으로",
    "로서 로써 하고 이랑 이나 라도 든지 에는 에도 은 는 이 가 을 를 의 에 로 와 과 랑 나 도 만 께 및",
)

COPULAS = listed(
    "이었습니다 였습니다 이랍니다 이라고 입니다 입니까 이에요 이예요 이지요 이네요 이었다 였다 랍니다",
    "예요 에요 이죠 지요",
    "네요 이다 이야 인데 이며 이고 라고 죠 야 요 인 임 다",
)

_ENDING = (
    rf"(?:{'|'.join(sorted(PARTICLES, key=len, reverse=True))}){{0,2}}"
    rf"(?:{'|'.join(sorted(COPULAS, key=len, reverse=True))})?"
)

ENDING = re.compile(_ENDING)
"""What may follow a noun in the same eojeol (space-delimited unit): up to two particles and a copula."""
_LONG_COPULAS = "|".join(sorted((c for c in COPULAS if len(c) > 1), key=len, reverse=True))
_COPULA_END = re.compile(rf"(?<=\S)(?:{_LONG_COPULAS})$")


def strip_copula(text: str) -> str:
    """A normalised answer without spaces and without a final copula, as exact match compares it."""
    return _COPULA_END.sub("", text).replace(" ", "") or text.replace(" ", "")


def split_numbers(text: str) -> str:
    """A normalised answer in which numbers are separate words (3개입니다 -> 3 개입니다).

    A single numeral becomes digits if it is the whole answer, or if the final copula follows it: 삼입니다 -> 3.
    Elsewhere such a syllable is usually another word.
    """
    stem = _COPULA_END.sub("", text)
    before, _, last = stem.rpartition(" ")
    number = whole_number(last) if stem != text or not before else None
    if number is not None:
        text = f"{before} {number}".strip()
    return " ".join(re.sub(r"(?<=\d)(?=[^\d.\s])", " ", text).split())


def find_noun(text: str, noun: str) -> list[tuple[int, int]]:
    """Character spans at which a noun occurs in normalised text, with any spacing inside it.

    The noun must begin an eojeol, and only particles or a copula may follow it there. A noun of three or more syllables
    may also occur inside an eojeol, since it is unlikely to be part of another word by chance.
    """
    wanted = noun.replace(" ", "")
    if not wanted:
        return []
    places = [i for i, c in enumerate(text) if c != " "]
    joined = text.replace(" ", "")
    spans: list[tuple[int, int]] = []
    at = joined.find(wanted)
    while at >= 0:
        start, last = places[at], places[at + len(wanted) - 1]
        begins = start == 0 or text[start - 1] == " " or (len(wanted) > 2 and not wanted[0].isdigit())
        rest = text[last + 1 :].partition(" ")[0]
        if begins and (ENDING.fullmatch(rest) or _counts(wanted, rest)):
            spans.append((start, last + 1 + len(rest)))
        at = joined.find(wanted, at + 1)
    return spans


def _counts(wanted: str, rest: str) -> bool:
    """Whether a number is followed by its counter: 1969 is found in 1969년에."""
    if not wanted[-1].isdigit():
        return False
    return any(rest.startswith(c) and ENDING.fullmatch(rest[len(c) :]) for c in COUNTERS)
