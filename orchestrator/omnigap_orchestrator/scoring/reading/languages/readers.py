"""Reads answers in Korean, German, French, Spanish, Italian, Portuguese, Chinese and Japanese.

Each reader takes a raw passage. It returns None if the passage mentions nothing that could be the answer.

    "No es París, es Londres."    gold Londres -> Londres; gold París -> nothing, flag negated
    "Paris oder London"           gold Paris -> nothing, flag hedged
    "세 개가 아니라 네 개입니다"      -> 4
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import partial

from omnigap.vocabulary import Flag, primary_language
from omnigap_orchestrator.scoring.normalise import normalise
from omnigap_orchestrator.scoring.normalise.korean_nouns import split_numbers
from omnigap_orchestrator.scoring.normalise.numbers import listed
from omnigap_orchestrator.scoring.normalise.quantities import MONTHS
from omnigap_orchestrator.scoring.reading.found import Found, Passage, Step
from omnigap_orchestrator.scoring.reading.languages import words
from omnigap_orchestrator.scoring.reading.languages.asserted import Mention, Status, decided, judged, status
from omnigap_orchestrator.scoring.reading.languages.choose import choose
from omnigap_orchestrator.scoring.reading.languages.marked import UNSPACED, final_statement, marked
from omnigap_orchestrator.scoring.reading.languages.mentions import find_mentions, find_numbers, joined_digits
from omnigap_orchestrator.scoring.reading.languages.words import any_of

LANGUAGES = ("ko", "de", "fr", "es", "it", "pt", "zh", "ja")


def stated(passage: Passage, language: str) -> list[Passage]:
    """The passage's explicit final statement, if it has one, then the passage itself."""
    statement = final_statement(passage.text, language) if passage.step is Step.TERSE else None
    whole = [passage]
    return whole if statement is None else [Passage(statement, Step.FINAL_STATEMENT), *whole]


def find_entity(
    passage: Passage, golds: Sequence[str], language: str, distractors: Sequence[str] = (), question: str = ""
) -> Found | None:
    """The gold answer that the passage asserts.

    Args:
        golds: normalised forms of the gold answers.
        distractors: normalised alternatives, which leave the answer open if they occur next to a gold answer.
        question: raw; a negation that the passage takes over from it denies nothing.
    """
    primary, asked = primary_language(language), marked(question, language)
    for part in stated(passage, language):
        text = marked(part.text, language)
        found = [(gold, mention) for gold in golds for mention in find_mentions(text, gold, gold, language)]
        if not found:
            if part.step is Step.FINAL_STATEMENT and _is_answer(text, primary):
                return Found(None)
            continue
        others = [
            mention
            for other in distractors
            if other not in golds
            for mention in find_mentions(text, other, other, language)
        ]
        states = [
            (
                gold,
                Status.OPEN
                if _beside(text, mention, others, primary)
                else status(text, mention, primary, same=golds, question=asked),
            )
            for gold, mention in found
        ]
        asserted = [gold for gold, state in states if state is Status.ASSERTED]
        if asserted:
            return Found(asserted[0])
        return decided(states)
    return None


_FOLLOWS = re.compile(
    r"folgende|wie folgt|suivante?|siguiente|seguente|seguinte|como segue|如下|以下|下面|次の|다음|아래|이렇|"
    r"depend|abh[aä]ng"
)
_STATEMENT_WORDS = 8
_STATEMENT_CHARACTERS = 16


def _is_answer(statement: str, primary: str) -> bool:
    """Whether a final statement is short enough to be the answer, and does not announce one that follows it."""
    size, limit = (
        (len(statement), _STATEMENT_CHARACTERS) if primary in UNSPACED else (len(statement.split()), _STATEMENT_WORDS)
    )
    return 0 < size <= limit and _FOLLOWS.search(statement) is None


def _beside(text: str, mention: Mention, others: Sequence[Mention], primary: str) -> bool:
    """Whether "and", or nothing, is between the mention and another alternative."""
    and_ = any_of(words.AND, primary)
    for other in others:
        first, second = sorted((mention, other), key=lambda one: one.start)
        between = first.ending + text[first.end : second.start]
        if re.fullmatch(rf"[\s|]*(?:{and_})?[\s|]*", between) and second.start > first.start:
            return True
    return False


def find_number(passage: Passage, language: str, question: str = "") -> Found | None:
    """The number that the passage states, as plain digits with a point, and its unit if it can be compared.

    Args:
        question: raw; its numbers do not count if the passage has others, and its counter ("몇 명") is preferred.
    """
    primary = primary_language(language)
    for part in stated(passage, language):
        text = _prepared(part.text, language)
        exact, loose = find_numbers(text, language)
        if not exact and not loose:
            one = _one(text, primary)
            if one is not None:
                return Found(one)
            continue
        asked = _asked_counter(question) if primary == "ko" else None
        counted = [mention for mention in exact if asked and mention.value.endswith(f" {asked}")]
        known = {mention.value.split(" ")[0] for mention in find_numbers(_prepared(question, language), language)[0]}
        if loose and not exact:
            return Found(None, (Flag.HEDGED,))
        exact = counted or exact
        found = choose(text, exact, primary, known=known)
        if found is not None:
            value = found.value if found.value is None or primary != "ko" else found.value.split(" ")[0]
            return Found(value, found.flags)
    return None


def _prepared(text: str, language: str) -> str:
    form = marked(text, language)
    if primary_language(language) == "ko":
        # A single numeral that is the whole clause becomes digits: 삼입니다.
        form = " ".join(split_numbers(part) if part not in ("|", "||") else part for part in re.split(r" (\|+) ", form))
        form = re.sub(r"(?<=\d) (?=[^\d\s|])", "", form)
        form = joined_digits(form)
    return form


def number_form(gold: str, language: str) -> str:
    """A gold number in the form of the numbers that `find_number` reads."""
    form = _prepared(gold, language)
    return re.sub(r"(?<=\d)(?=[가-힣])", " ", form)


_ONES = {
    "de": r"eins|ein(?:e[rnms]?)?",
    "fr": r"une?",
    "es": r"un[oa]?",
    "it": r"un[oa]?",
    "pt": r"uma?",
}


def _one(text: str, primary: str) -> str | None:
    """The word for one, which is also an article, in a text of at most four words without another number."""
    pattern = _ONES.get(primary)
    if pattern is None or len(text.split()) > 4:
        return None
    return "1" if re.search(rf"(?<!\w)(?:{pattern})(?!\w)", text) else None


_ASKED = re.compile(
    r"몇 ?(명|개월|개|마리|도|살|년|원|권|번|시간|시|분|초|층|장|잔|병|대|송이|"
    r"사람|가지|그루|킬로미터|미터|그램|킬로그램|퍼센트|다리|일)"
)


def _asked_counter(question: str) -> str | None:
    match = _ASKED.search(question)
    return match[1] if match else None


_MONTH = "|".join(MONTHS)
_DATE = re.compile(
    rf"(?<!\S)(?:(?P<month>{_MONTH})(?: (?P<day>\d{{1,2}}))?(?: (?P<year>[1-9]\d{{2,3}}))?"
    r"|(?P<bare>[1-9]\d{2,3}))(?!\S)"
)
_DATE_KO = re.compile(
    r"(?<![^\s])(?:(?P<year>[1-9]\d{2,3})년(?:도)?(?P<e1>[^\s|\d]*))?"
    r"(?: ?(?P<month>\d{1,2})월(?:달)?(?P<e2>[^\s|\d]*))?"
    r"(?: ?(?P<day>\d{1,2})일(?P<e3>[^\s|\d]*))?"
    r"|(?<![^\s])(?P<bare>[1-9]\d{3})(?P<e4>[^\s|\d]*)"
)
_SLASHED = re.compile(r"(?<![\d./-])(\d{1,2})[./](\d{1,2})(?![\d./])")


def dates_of(text: str, language: str) -> list[Mention]:
    """The dates of marked text; their value is "YEAR-MONTH-DAY" with 0 for what a date leaves out."""
    primary = primary_language(language)
    found: list[Mention] = []
    pattern = _DATE_KO if primary == "ko" else _DATE
    for match in pattern.finditer(text):
        year = match["year"] or match["bare"] or "0"
        month = match["month"] or "0"
        month = month if month.isdecimal() else str(MONTHS.index(month) + 1)
        day = match["day"] or "0"
        if (year, month, day) == ("0", "0", "0"):
            continue
        ending = next((match[name] for name in ("e4", "e3", "e2", "e1") if match[name]), "") if primary == "ko" else ""
        found.append(Mention(f"{int(year)}-{int(month)}-{int(day)}", match.start(), match.end(), ending))
    return found


def _fits(date: str, gold: str) -> bool:
    """Whether every part that the gold date has is equal."""
    return all(wanted in ("0", mine) for mine, wanted in zip(date.split("-"), gold.split("-"), strict=True))


def _covers(date: str, gold: str) -> bool:
    return all(wanted == "0" or mine != "0" for mine, wanted in zip(date.split("-"), gold.split("-"), strict=True))


def find_date(passage: Passage, golds: Sequence[str], language: str, question: str = "") -> Found | None:
    """The gold date that the passage states, or else the date that it states, as "YEAR-MONTH-DAY".

    Gold answers that are no dates (수요일, Dezember) are read as names.

    Args:
        golds: normalised forms of the gold answers.
    """
    primary = primary_language(language)
    wanted = {gold: date for gold in golds if (date := _whole_date(gold, language)) is not None}
    if not wanted:
        return find_entity(passage, golds, language)
    for part in stated(passage, language):
        text = marked(_written_out(part.text, primary), language)
        dates = dates_of(text, language)
        known = {mention.value for mention in dates_of(marked(question, language), language)}
        for gold, date in wanted.items():
            eligible = [mention for mention in dates if _covers(mention.value, date)]
            found = choose(text, eligible, primary, known=known, key=partial(_parts_of, gold=date))
            if found is not None:
                fits = found.value is not None and _fits(found.value, date)
                if fits or gold == list(wanted)[-1]:
                    return Found(gold if fits else found.value, found.flags)
    return None


def _parts_of(value: str, gold: str) -> str:
    """The parts of a date that the gold date has."""
    return "-".join(
        mine if wanted != "0" else "0" for mine, wanted in zip(value.split("-"), gold.split("-"), strict=True)
    )


def _whole_date(gold: str, language: str) -> str | None:
    dates = dates_of(gold, language)
    if len(dates) != 1:
        return None
    rest = f"{gold[: dates[0].start]} {gold[dates[0].end :]}".split()
    return dates[0].value if all(word in _AROUND_DATES for word in rest) else None


_AROUND_DATES = frozenset(listed("年 im jahr jahre am en in nel anno el año le l an ano em de del du il o i"))
"""Words that a gold date may have beside the date."""


def _written_out(text: str, primary: str) -> str:
    """Day and month in digits in the form of the language: 25/12, 8/15, 25.12."""

    def written(match: re.Match[str]) -> str:
        first, second = int(match[1]), int(match[2])
        day, month = (second, first) if primary in (*UNSPACED, "ko") else (first, second)
        if not (1 <= month <= 12 and 1 <= day <= 31):
            return match[0]
        return f"{month}월 {day}일" if primary == "ko" else f" {MONTHS[month - 1]} {day} "

    return _SLASHED.sub(written, unicodedata.normalize("NFKC", text))


def find_label(passage: Passage, labels: Sequence[str], language: str) -> Found | None:
    """The label that the passage asserts; a word for yes or no also counts for a label that means the same.

    Args:
        labels: raw labels; the value is one of them, normalised.
    """
    primary = primary_language(language)
    forms = {form: _polarity(label, primary) for label in labels if (form := normalise(label, language))}
    yes = [form for form, polarity in forms.items() if polarity is True]
    no = [form for form, polarity in forms.items() if polarity is False]
    for part in stated(passage, language):
        text = marked(part.text, language)
        if text in forms:
            return Found(text)
        if len(yes) == 1 and len(no) == 1:
            polarity = _polarity_of_answer(text, primary)
            if polarity is not None:
                return Found(yes[0] if polarity else no[0])
        mentions = outermost([m for form in forms for m in find_mentions(text, form, form, language)])
        found = decided([(mention.value, state) for mention, state in judged(text, mentions, primary)])
        if found is not None:
            return found
    return None


def outermost(mentions: Sequence[Mention]) -> list[Mention]:
    """Without mentions inside a longer one."""
    return [
        m
        for m in mentions
        if not any(o.start <= m.start and m.end <= o.end and (o.end - o.start) > (m.end - m.start) for o in mentions)
        and not any(o.start == m.start and len(o.value) > len(m.value) for o in mentions)
    ]


def _sides(primary: str) -> tuple[str, str]:
    english = [any_of(table, "en") for table in (words.YES, words.NO)]
    own = [any_of(table, primary) for table in (words.YES, words.NO)]
    return rf"(?:{own[0]}|{english[0]})", rf"(?:{own[1]}|{english[1]})"


def _polarity(label: str, primary: str) -> bool | None:
    yes, no = _sides(primary)
    text = unicodedata.normalize("NFKC", label).strip(" .!").lower()
    if text in ("o", "⭕"):
        return True
    if text in ("x", "❌", "×"):
        return False
    return True if re.fullmatch(yes, text) else False if re.fullmatch(no, text) else None


_SUBJECT = r"(?:das|dies|es|eso|esto|isso|isto|cio|questo|ce|c|cela|ca|die aussage|la afirmacion|l affirmation)"


def _polarity_of_answer(text: str, primary: str) -> bool | None:
    """The side that a marked text takes in its first clause, or in the only clause that takes one."""
    yes, no = _sides(primary)
    end = r"(?=$|\s|\|)" if primary not in UNSPACED else r"(?=$|\s*\||です|。)"
    clauses = [clause.strip() for clause in text.split("|") if clause.strip()]
    start = rf"^(?:{_SUBJECT} )?(?:(?:ist|es|est|e|y) )?"
    for i, clause in enumerate(clauses):
        negative = re.match(rf"{start}{no}{end}", clause)
        positive = re.match(rf"{start}{yes}{end}", clause)
        if negative and not (positive and positive.end() > negative.end()):
            return False
        if positive:
            return not re.search(r"아니|않|nicht|pas$", clause[positive.end() :][:4])
        if primary == "ko":
            last = clause.split(" ")[-1]
            if re.fullmatch(rf"{no}", last) or re.search(r"(?:아닙니다|아니에요|않습니다|않아요|않다|아니다)$", clause):
                return False
            if re.fullmatch(rf"{yes}", last):
                return True
        if i == 0 and len(clauses) > 3:
            break
    return None
