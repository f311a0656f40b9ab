"""Finds names and numbers in marked text, at the word boundaries of each language."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache

from omnigap.vocabulary import primary_language
from omnigap_orchestrator.scoring.normalise import han, normalise
from omnigap_orchestrator.scoring.normalise.korean_nouns import noun_mentions
from omnigap_orchestrator.scoring.normalise.korean_numbers import APPROXIMATE, COUNTERS
from omnigap_orchestrator.scoring.normalise.quantities import UNITS
from omnigap_orchestrator.scoring.reading.languages import words
from omnigap_orchestrator.scoring.reading.languages.asserted import Mention
from omnigap_orchestrator.scoring.reading.languages.marked import UNSPACED, WIDE, squeezed
from omnigap_orchestrator.scoring.reading.languages.words import any_of


def find_mentions(text: str, form: str, value: str, language: str) -> list[Mention]:
    """Where marked text names something.

    Args:
        form: the name, normalised.
        value: the value of the mentions.
    """
    primary = primary_language(language)
    if not form:
        return []
    if primary == "ko":
        return [Mention(value, start, end, text[noun:end]) for start, noun, end in noun_mentions(text, form)]
    pattern = _pattern(form, primary)
    found = [Mention(value, match.start(), match.end()) for match in pattern.finditer(text)]
    if primary in UNSPACED:
        found = [mention for mention in found if _is_word(text, mention, primary)]
    return found


@lru_cache(maxsize=1 << 13)
def _pattern(form: str, primary: str) -> re.Pattern[str]:
    if primary in UNSPACED:
        form = squeezed(form)
    # A clause mark may stand inside a name: "St. Petersburg".
    inside = r"(?: \|+)? ".join(re.escape(part) for part in form.split(" "))
    before = rf"(?<![^\s{WIDE}])" if primary in UNSPACED else r"(?<!\S)"
    after = rf"(?![^\s{WIDE}])" if primary in UNSPACED else r"(?!\S)"
    # The edge of a Han or hiragana name may touch anything; see `_is_word`.
    if re.match(f"[{WIDE}]", form):
        before = ""
    if re.search(f"[{WIDE}]$", form):
        after = ""
    return re.compile(before + inside + after)


# What may touch a short Han name: verbs and particles before it, particles and kinds of places after it.
_BEFORE = {
    "zh": "是为爲叫在有的了和与跟及或到于即当选指称做作由被从自去来对向含住说只个条头匹位名座种张棵朵颗块片",
    "ja": "第",
}
_AFTER = {"zh": "的了吧呢啊呀哦和与跟及或是在市省县国人州区等也都就", "ja": "市県都府国州区人駅町村島山川等"}
_WIDE = re.compile(f"[{WIDE}]")
_HAN = re.compile("[㐀-䶿一-鿿豈-﫿]")


def _is_word(text: str, mention: Mention, primary: str) -> bool:
    """Whether a Han name is not part of a longer word.

    Without a segmenter this is certain only where nothing but the name and function words is there. It is demanded of a
    name of one character (水 in 水果), and of any name in a clause that holds at most two characters more (京都 in
    東京都). Inside longer clauses a name of two or more characters counts wherever it occurs.
    """
    name = text[mention.start : mention.end]
    if not _HAN.match(name) and not _HAN.match(name[-1]):
        return True
    clause = text[text.rfind("|", 0, mention.start) + 1 :].split("|")[0].strip()
    if len(name) > 1 and len(clause) > len(name) + 2:
        return True
    before, after = text[mention.start - 1 : mention.start], text[mention.end : mention.end + 1]
    return (not _HAN.match(before) or before in _BEFORE[primary]) and (
        not _HAN.match(after) or after in _AFTER[primary] or _denies(text[mention.end :], primary)
    )


def _denies(after: str, primary: str) -> bool:
    return (
        re.match(f"{any_of(words.NOT_AFTER, primary)}|{any_of(words.OR, primary)}|{any_of(words.AND, primary)}", after)
        is not None
    )


_NUMBER = re.compile(r"(?<![\w.,/-])(-?\d+(?:\.\d+)?(?:/\d+)?)(?![\w/]|\.\d)(?: (?P<unit>[^\W\d]+))?")
_NUMBER_KO = re.compile(
    rf"(?<![\w./-])(-?\d+(?:\.\d+)?(?:/\d+)?)(?P<counter>{'|'.join(COUNTERS)})?(?P<ending>[^\s|\d]*)"
)
_APPROXIMATE_KO = re.compile(rf"(?<!\S){APPROXIMATE} ?(?:{'|'.join(COUNTERS)})")
# 七八个: seven or eight.
_APPROXIMATE_HAN = re.compile("[一二两三四五六七八九]{2}(?=[个個人名天年次本只条岁歳匹台枚])")
_PHONE = re.compile(r"(?<!\S)\d{1,4}(?: \d{3,4}){1,3}(?!\d|[.-]\d|[명개원살])")


def joined_digits(text: str) -> str:
    """Groups of digits of one long number, as in a telephone number, without the spaces between them."""
    return _PHONE.sub(lambda match: match[0].replace(" ", ""), text)


def find_numbers(text: str, language: str) -> tuple[list[Mention], list[Mention]]:
    """The numbers of marked text, and the approximate counts (두세 개, 七八个), which name no number.

    The value of a mention is the number, with its unit after a space if it is one that numbers are compared with.
    """
    primary = primary_language(language)
    if primary == "ko":
        exact = [
            Mention(
                match[1] + (f" {match['counter']}" if match["counter"] else ""),
                match.start(),
                match.end(),
                match["ending"],
            )
            for match in _NUMBER_KO.finditer(text)
        ]
        return exact, [Mention("", *match.span()) for match in _APPROXIMATE_KO.finditer(text)]
    pattern = _NUMBER_HAN if primary in UNSPACED else _NUMBER
    exact = []
    counter = _counter(primary)
    for match in pattern.finditer(text):
        unit = match["unit"] if match["unit"] in UNITS else None
        end = match.end("unit") if unit else match.end(1)
        if counter is not None and (counted := counter.match(text, end)) is not None:
            end = counted.end()
        exact.append(Mention(match[1] + (f" {unit}" if unit else ""), match.start(), end))
    loose = _APPROXIMATE_HAN.finditer(text) if primary in UNSPACED else ()
    return exact, [Mention("", *match.span()) for match in loose]


_NUMBER_HAN = re.compile(rf"(?<![^\s{WIDE}])(-?\d+(?:\.\d+)?(?:/\d+)?)(?![^\s{WIDE}])(?: (?P<unit>[a-z]+))?")


@cache
def _counter(primary: str) -> re.Pattern[str] | None:
    """A counter after a number in Chinese or Japanese."""
    if primary not in UNSPACED:
        return None
    return re.compile(rf" ?(?:{'|'.join(sorted(han.COUNTERS[primary], key=len, reverse=True))})")


def forms_of(texts: Sequence[str], language: str) -> list[str]:
    """Normalised forms without duplicates."""
    return list(dict.fromkeys(form for text in texts if (form := normalise(text, language))))
