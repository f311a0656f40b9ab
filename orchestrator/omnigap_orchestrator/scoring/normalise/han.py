"""Normalises Chinese and Japanese, so that numbers and dates get the form of English text.

二十一 -> 21, 三千五百万 -> 35000000, 3.5万 -> 35000, 1990年10月3日 -> october 3 1990, 昭和20年 -> 1945年. A numeral
becomes digits only where it cannot be part of another word: 三个, 第三, 三十, but not 三明治 (sandwich) or 一起.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

from omnigap_orchestrator.scoring.normalise.myriads import CHINESE, JAPANESE, Numerals
from omnigap_orchestrator.scoring.normalise.numbers import listed
from omnigap_orchestrator.scoring.normalise.quantities import MONTHS

LANGUAGES = ("zh", "ja")

COUNTERS = {
    "zh": listed(
        "个 個 人 名 位 本 枚 匹 头 台 册 岁 歲 年 月 日 号 天 周 点 點 分钟 秒 回 次 度 元 块 角 米 公里 公斤 克 斤",
        "升 厘米 千米 只 隻 条 张 把 辆 座 间 棵 朵 件 杯 瓶 碗 层 楼 倍 页 章 句 字 篇 首 步 世纪 组 票 种 颗 滴 代",
        "行 列 家 口 段 场 级 小时 美元 欧元 英镑 日元 摄氏度 种 项 支 片 双 对 套 根 门 艘 架 幅 题 期",
    ),
    "ja": listed(
        "個 箇 ヶ月 か月 カ月 人 名 本 枚 匹 頭 台 冊 歳 才 年 月 日 週間 時間 時 分 秒 回 度 円 メートル",
        "キロ グラム リットル センチ ドル ユーロ パーセント 杯 羽 番目 番 つ 割 世紀 階 倍 ページ 章",
        "句 字 歩 組 票 種類 滴 代 行 列 軒 点 級 皿 着 足 号 曲 件 社 校 か国 ヶ国 カ国 ポンド ミリ ヘルツ 平方",
    ),
}
"""Counters: a numeral of one character before one of them is a number."""

_WORDS = {
    "zh": r"万一|千万(?=别|要|不)|(?<![一二两三四五六七八九])十分(?!钟|之|[0-9一二两三四五])|一一(?!月|日|年)|"
    r"万万(?=没|不)|一点(?=也|都|点|不)|一个(?=个)|"
    r"一次次|一天天|一年到头|一度|千千万万|三三两两|一家(?=人)|一对一|九一八|五四运动|百度|万有|万里|百科|一行人|四人帮|三国|七夕",
    "ja": r"万一|一番(?=[^目])|一人一人|一度(?=に|も)|一日中|一時(?=[^間0-9]|$)|一行|"
    r"万葉|百科|八百屋|千葉|三重|四国|九州|五輪|一部|一年中|八百万",
}
"""Words that look like a numeral with its counter."""

# Native numerals of Japanese, with つ or as counts of people.
_KANA = {
    "ひとつ": 1, "ふたつ": 2, "みっつ": 3, "よっつ": 4, "いつつ": 5,
    "むっつ": 6, "ななつ": 7, "やっつ": 8, "ここのつ": 9,
    "ひとり": 1, "ふたり": 2,
}  # fmt: skip
_ERAS = {"明治": 1867, "大正": 1911, "昭和": 1925, "平成": 1988, "令和": 2018}


@dataclass(frozen=True)
class _Rules:
    numerals: Numerals
    words: re.Pattern[str]
    kana: re.Pattern[str] | None
    fraction: re.Pattern[str]
    decimal: re.Pattern[str]
    run: re.Pattern[str]
    negative: re.Pattern[str]
    signed: re.Pattern[str]
    percent: re.Pattern[str]
    counter: re.Pattern[str]


@cache
def _rules(primary: str) -> _Rules:
    numerals = CHINESE if primary == "zh" else JAPANESE
    digits, all_ = "".join(numerals.digits), numerals.characters
    number = rf"(?:[{all_}]+|\d+(?:\.\d+)?)"
    return _Rules(
        numerals,
        re.compile(rf"(?<![{all_}\d])(?:{_WORDS[primary]})(?![{all_}])"),
        re.compile(rf"(?:{'|'.join(_KANA)})(?=(?:です|でした|だ|の|あり|い(?:る|ます)|と|$|[。、.,!?\s]))")
        if primary == "ja"
        else None,
        re.compile(rf"({number})分之({number})" if primary == "zh" else rf"({number})分の({number})"),
        re.compile(rf"(?<![{all_}\d.])([{all_}]+|\d+)[点點・]([{digits}]+)(?![{all_}])"),
        re.compile(
            rf"(?P<ordinal>第)?(?P<run>(?:\d+(?:\.\d+)?(?=[{all_}]))?[{all_}](?:[{all_}]|(?<=[{all_}])\d+(?:\.\d+)?)*)"
        ),
        re.compile(r"(?:负|負|零下|マイナス|氷点下)\s?(?=\d)"),
        re.compile(r"(?:负|負|零下|マイナス|氷点下)\s?$"),
        re.compile(r"(?<=\d)\s?(?:%|パーセント|百分点)"),
        # Between the ends of a range too: 四到五个.
        re.compile(rf"(?:到|至|から|か|或)(?=[{all_}\d])|{'|'.join(sorted(COUNTERS[primary], key=len, reverse=True))}"),
    )


def normalise_han(text: str, primary: str) -> str:
    """Digits, Latin words and runs of katakana, and each other character as a word; single spaces between them.

    Katakana stay together, because a name such as パリ must not be found inside パリス. Han has no such mark of a
    word's end: `reading.han` decides there. The function is idempotent.

    Args:
        primary: "zh" or "ja".
    """
    for _ in range(8):
        before, text = text, _once(text, primary)
        if text == before:
            break
    return text


_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_WIDE = "぀-ヿ㐀-䶿一-鿿豈-﫿"
# Two runs of katakana stay apart.
_GAP = re.compile(rf"(?<=[{_WIDE}\d%])(?<![ァ-ヿ])\s+(?=[{_WIDE}])|(?<=[{_WIDE}])\s+(?=[぀-ゟ㐀-䶿一-鿿豈-﫿\d])")
_TRIMMED = re.compile(r"(?<![\d.])(\d+\.\d*?)0+(?!\d)")
_ERA = re.compile(rf"({'|'.join(_ERAS)})(\d{{1,2}}|元)年")
_DATE = re.compile(
    r"(?<!\d)(?:(?P<year>[1-9]\d{2,3})年)?(?P<month>\d{1,2})月(?:(?P<day>\d{1,2})(?:日|号|號))?(?![間间份])"
)
_ISO = re.compile(r"(?<![\w.-])(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?![\d-])")
_KEPT = re.compile(r"(?<=\d)\.(?=\d)|(?<=\d)/(?=\d)|(?<![\w)])-(?=\d)")
_SINGLE = re.compile(r"([぀-ゟ㐀-䶿一-鿿豈-﫿])")


def _once(text: str, primary: str) -> str:
    rules = _rules(primary)
    # These three mark the characters that are kept below.
    text = (
        unicodedata.normalize("NFKC", text.translate({0: " ", 1: " ", 2: " "}))
        .lower()
        .replace("−", "-")
        .replace("ヶ月", "か月")
    )
    # Spaces between characters are those of the normalised form, or of a transcript that writes words apart.
    text = _GAP.sub("", text)
    text = _THOUSANDS.sub("", text)
    text = _numerals(text, rules)
    text = _ERA.sub(lambda match: f"{_ERAS[match[1]] + (1 if match[2] == '元' else int(match[2]))}年", text)
    text = _ISO.sub(lambda match: _date(match[1], match[3], match[4]) or match[0], text)
    text = _DATE.sub(lambda match: _date(match["year"], match["month"], match["day"]) or match[0], text)
    text = rules.negative.sub("-", text)
    text = rules.percent.sub(" percent ", text)
    text = _TRIMMED.sub(lambda match: match[1].rstrip("."), text)
    text = _KEPT.sub(lambda match: {".": "\0", "/": "\1", "-": "\2"}[match[0]], text)
    text = "".join(c if unicodedata.category(c)[0] in "LNM" or c in "\0\1\2" else " " for c in text)
    text = _SINGLE.sub(r" \1 ", text.translate({0: ".", 1: "/", 2: "-"}))
    # A number or a Latin word next to katakana: 21メートル, cdプレーヤー.
    text = re.sub(r"(?<=[^\W\u30a0-\u30ff])(?=[\u30a1-\u30ff])|(?<=[\u30a1-\u30ff])(?=[^\W\u30a0-\u30ff])", " ", text)
    text = re.sub(r"(?<=\d)(?=[a-z])", " ", text)
    return " ".join(text.split())


def _numerals(text: str, rules: _Rules) -> str:
    """Numerals in digits. Words that hold numeral characters are skipped."""
    kept = [match.span() for match in rules.words.finditer(text)]
    free = [(b, a) for (_, b), (a, _) in zip([(0, 0), *kept], [*kept, (len(text), 0)], strict=True)]
    parts: list[str] = []
    for i, (start, end) in enumerate(free):
        parts.append(_free_numerals(text[start:end], text[end : end + 3], rules))
        if i < len(kept):
            parts.append(text[slice(*kept[i])])
    return "".join(parts)


def _free_numerals(text: str, after: str, rules: _Rules) -> str:
    numerals = rules.numerals
    if rules.kana is not None:
        text = rules.kana.sub(lambda match: f"{_KANA[match[0]]}", text)
    if not any(c in numerals.characters or c == "分" for c in text):
        return text

    def number(written: str) -> str | None:
        if written.replace(".", "").isdecimal():
            return written
        value = numerals.value(written)
        return str(value) if value is not None else None

    def fraction(match: re.Match[str]) -> str:
        below, above = number(match[1]), number(match[2])
        if below is None or above is None:
            return match[0]
        return f"{above}%" if below == "100" else f"{above}/{below}"

    def decimal(match: re.Match[str]) -> str:
        whole, part = number(match[1]), numerals.spelled_digits(match[2])
        return f"{whole}.{part}" if whole is not None and part is not None else match[0]

    text = rules.fraction.sub(fraction, text)
    text = rules.decimal.sub(decimal, text)
    return rules.run.sub(lambda match: _run(match, text + after, rules), text)


def _run(match: re.Match[str], text: str, rules: _Rules) -> str:
    run, numerals = match["run"], rules.numerals
    after, before = text[match.end() :], text[: match.start()]
    ordinal = match["ordinal"] or ""
    bare = not after.strip(" 。.!！?？、,，です") and not before.strip()
    units = sum(c in numerals.tens or c in numerals.myriads for c in run)
    digits = numerals.spelled_digits(run)
    if digits is not None and len(run) > 1:
        # Two digits are an approximate count (七八个, seven or eight), unless they are a year: 四五年.
        is_year = after.startswith("年") and len(run) in (2, 4)
        return ordinal + (digits if len(run) > 2 or is_year else run)
    value = numerals.value(run)
    if value is None:
        return match[0]
    certain = len(run) > 1 and units > 0 and (run[0] not in "千百万" or len(run) > 2 or bare)
    if certain or ordinal or bare or rules.signed.search(before) or rules.counter.match(after):
        return f"{ordinal}{value}"
    return match[0]


def _date(year: str | None, month: str, day: str | None) -> str | None:
    if not 1 <= int(month) <= 12 or (day is not None and not 1 <= int(day) <= 31):
        return None
    parts = (MONTHS[int(month) - 1], day and str(int(day)), year)
    return f" {' '.join(part for part in parts if part)} "
