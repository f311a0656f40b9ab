"""Reads the chosen letter in Korean, German, French, Spanish, Italian, Portuguese, Chinese and Japanese.

"정답은B입니다", "答案是B。", "选B", "Ｂ", "die zweite Option", "두 번째"  -> B
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from string import ascii_uppercase

from omnigap.vocabulary import CHOICE_LETTERS, primary_language
from omnigap_orchestrator.scoring.normalise import normalise
from omnigap_orchestrator.scoring.normalise.korean_nouns import ENDING
from omnigap_orchestrator.scoring.reading.found import Found, Passage, first_and_last
from omnigap_orchestrator.scoring.reading.languages import words
from omnigap_orchestrator.scoring.reading.languages.asserted import Mention, Status, decided, judged, status
from omnigap_orchestrator.scoring.reading.languages.marked import UNSPACED, marked
from omnigap_orchestrator.scoring.reading.languages.mentions import find_mentions
from omnigap_orchestrator.scoring.reading.languages.readers import outermost, stated
from omnigap_orchestrator.scoring.reading.languages.words import any_of

# Names of the English letters in Hangul. 씨 and 시 are both used for C.
KOREAN_LETTER_NAMES = {
    "에이치": "H",
    "에이": "A",
    "에프": "F",
    "비": "B",
    "씨": "C",
    "시": "C",
    "디": "D",
    "이": "E",
    "지": "G",
}
"""Names of the English letters in Hangul, the longest first."""

_CIRCLED = {chr(0x2460 + i): ascii_uppercase[i] for i in range(10)}
_QUOTES = r"[\s\"'“”‘’「『《<(\[*]*"
_CLOSE = r"[\s\"'“”‘’」』》>)\]*.。,:：;!、)]*"
# A letter of its own: not part of a Latin word or of a number. Other scripts may touch it.
_LETTER = r"(?<![A-Za-zÀ-ɏ0-9'’&/-])(?P<letter>[A-Z])(?![A-Za-zÀ-ɏ0-9'’&-])"
_LEADING = re.compile(rf"\s*{_QUOTES}(?P<letter>[A-Za-z])(?:\s*[.。):：)\]】]|\s*[-–—]\s|\n|\*\*)")
_BRACKETED = re.compile(r"[(\[{（【]\s*(?P<letter>[A-Za-z])\s*[)\]}）】]")
_WHOLE = re.compile(rf"{_QUOTES}(?P<letter>[A-Za-z]){_CLOSE}")
# An article or a preposition at the beginning of a sentence: "A resposta", "À la fin", "E poi".
_WORD_LIKE = {"fr": "AY", "es": "AEOUY", "it": "AEIO", "pt": "AEO"}
# The list of options before the chosen one: "A, B, C, D 중에서 B".
# Possessive, since its spaces could be divided in many ways.
_AMONG = re.compile(
    r"(?:[A-Z]\s*+(?:[,、，/와과と和]\s*+)?){2,26}+(?:중에서|중에|중|のうち|の中で|の中から|之中|中)\s*"
)
_OPTION_BEFORE = {
    "de": "option|antwort|buchstabe|m[oö]glichkeit|auswahl",
    "fr": "option|r[ée]ponse|lettre|choix|proposition",
    "es": "opci[oó]n|respuesta|letra|alternativa",
    "it": "opzione|risposta|lettera|scelta",
    "pt": "op[cç][aã]o|resposta|letra|alternativa",
    "zh": "选项?|選項?|答案",
    "ja": "選択肢|答えは?|正解は?",
    "ko": "보기|선택지|정답은?|답은?",
}


def find_letter(passage: Passage, choices: Sequence[str], language: str, question: str = "") -> Found | None:
    """The letter that the passage chooses, in upper case: written, by its name, by its place or by its choice's text.

    The first of these that finds anything decides: the explicit final statement, a passage that is nothing but a
    letter, a letter that begins the passage, letters anywhere, ordinals, and the texts of the choices. Several letters,
    or a letter with the text of another choice, state none.

    Args:
        choices: raw texts of the choices in the order of the letters; empty if any letter may be the answer.
        question: raw; a negation that the passage takes over from it denies nothing.
    """
    allowed = ascii_uppercase[: len(choices)] if choices else CHOICE_LETTERS
    asked = marked(question, language)
    for part in stated(passage, language):
        found = _read(part, choices, allowed, language, asked)
        if found is not None:
            return found
    return None


def _read(passage: Passage, choices: Sequence[str], allowed: str, language: str, question: str) -> Found | None:
    primary = primary_language(language)
    for sign, letter in _CIRCLED.items():
        passage = Passage(passage.text.replace(sign, f" {letter} "), passage.step)
    text = unicodedata.normalize("NFKC", passage.text).strip()
    text = _AMONG.sub("", text)
    if not text:
        return None
    if (whole := _WHOLE.fullmatch(text)) is not None:
        return Found(whole["letter"].upper()) if whole["letter"].upper() in allowed else None
    if primary == "ko" and (named := _hangul_name(text)) is not None and named in allowed:
        return Found(named)
    form = marked(text, language)
    by_text = _by_text(form, choices, language, question)
    leading = _LEADING.match(text)
    if leading is not None and leading["letter"].upper() in allowed:
        letter = leading["letter"].upper()
        rest = text[leading.end() :]
        if not _denied(text, leading, primary, question) and not _lists_options(text, allowed):
            chosen = _by_text(marked(rest.split("\n")[0], language), choices, language, question)
            first = _by_text(marked(re.split(r"[.。\n;]", rest.strip())[0], language), choices, language, question)
            if first is not None and first.value not in (None, letter) and chosen is not None:
                return Found(None)
            return Found(letter)
    letters = decided(_letters(text, allowed, primary, question))
    if letters is not None:
        if letters.value is not None and by_text is not None and by_text.value not in (None, letters.value):
            return Found(None)
        return letters
    if by_text is not None and by_text.value is not None:
        return by_text
    ordinal = _ordinal(text, allowed, primary)
    return ordinal if ordinal is not None else by_text


def _hangul_name(text: str) -> str | None:
    """A letter by its Korean name, as the whole answer: 비, 비입니다, 비번이요."""
    core = re.sub(r"[\s.!,\"']+", "", text)
    core = re.sub(r"^(?:(?:정답|답|보기|선택지|제생각|저)(?:은|는|이|가)?|제생각에는)*", "", core)
    for name, letter in KOREAN_LETTER_NAMES.items():
        rest = core.removeprefix(name)
        if rest != core and ENDING.fullmatch(rest.removeprefix("번")):
            return letter
    return None


def _denied(text: str, match: re.Match[str], primary: str, question: str) -> bool:
    return _standing(text, [match], primary, question)[0][1] is Status.DENIED


_PARTICLES = re.compile(r"[\")' \]]?(?:번|안)?(?:이라고|라고|이라|라|일|이|가|은|는|을|를|도|와|과|나|이나|보다|로)?")
_CLOSING = re.compile(r"[\")'\]]+")


def _standing(text: str, matches: Sequence[re.Match[str]], primary: str, question: str) -> list[tuple[str, Status]]:
    """The letters of matches in a raw text, in upper case, each with its standing."""
    text = _same_length(text).lower()
    mentions = []
    for match in first_and_last(matches):
        start, end = match.span("letter")
        ending = ""
        if primary == "ko" and (particles := _PARTICLES.match(text, end)) is not None:
            end = particles.end()
            ending = text[match.end("letter") : end].strip("\")' ]")
        elif (closing := _CLOSING.match(text, end)) is not None:
            end = closing.end()
        mentions.append(Mention(match["letter"].upper(), start, end, ending))
    return [(mention.value, state) for mention, state in judged(text, mentions, primary, question=question)]


def _same_length(text: str) -> str:
    """Text with a clause mark in place of each punctuation mark and line break."""
    text = re.sub(r"[,;:.!?](?=\s)|[，；：、。！？\n]", "|", text)
    text = re.sub("['’]", " ", text)
    # Without diacritics, as in normalised text.
    return (
        text if text.isascii() else "".join(unicodedata.normalize("NFD", c)[0] if "À" <= c <= "ɏ" else c for c in text)
    )


def _letters(text: str, allowed: str, primary: str, question: str) -> list[tuple[str, Status]]:
    """The letters of a raw text, each with its standing."""
    stated_ = [m for m in _statements(primary).finditer(text) if m["letter"].upper() in allowed]
    if stated_:
        return _standing(text, stated_, primary, question)
    bracketed = [m for m in _BRACKETED.finditer(text) if m["letter"].upper() in allowed]
    plain = [m for m in re.finditer(_LETTER, text) if m["letter"] in allowed and not _is_word(text, m, primary)]
    return _standing(text, bracketed or plain, primary, question)


@cache
def _statements(primary: str) -> re.Pattern[str]:
    """A letter that is named as an option: "Option B", "选B", "B选项", "B가 정답", "B 번"."""
    before = rf"(?i:{_OPTION_BEFORE[primary]})\s*[:：]?\s*{_QUOTES}(?<![A-Za-z])(?P<letter>[A-Z])(?![A-Za-zÀ-ɏ0-9'’])"
    return re.compile(before)


def _is_word(text: str, match: re.Match[str], primary: str) -> bool:
    """Whether a capital letter begins a sentence as a word: "A resposta", "E poi"."""
    letter = match["letter"]
    if letter not in _WORD_LIKE.get(primary, ""):
        return False
    after = text[match.end() :]
    return re.match(r"\s+[a-zà-ÿ]", after) is not None and not re.match(r"\s+(?:est|es|è|é|ist|et|y|e|ou|o)\b", after)


def _lists_options(text: str, allowed: str) -> bool:
    """Whether the passage repeats the options: several lines that each begin with another letter."""
    marks = re.findall(r"(?m)^\s*\(?([A-Z])\s*[.):：]", text)
    return len(set(marks) & set(allowed)) > 2


@cache
def _ordinals(primary: str) -> list[tuple[re.Pattern[str], re.Pattern[str]]]:
    option = any_of(words.OPTION, primary)
    patterns = []
    for fragment in words.ORDINALS[primary]:
        if primary == "ko":
            noun = r"(?:보기|선택지|선지|답|항목)"
            copula = r"(?:입니다|이에요|예요|이다|다|요|이요|임|를? 선택합니다|을 고르겠습니다)?"
            ending = rf"(?:번|의)?\s*(?:{noun}|것)?(?:이|가|을|를|은|는|로|의)?\s*(?:정답|답)?{copula}"
            whole = rf"(?:정답은|답은|제 답은)?\s*(?:{fragment}){ending}\s*[.!。]?"
            named = rf"(?<![가-힣\d])(?:{fragment})\s*{noun}|(?:정답|답|보기)(?:은|는)?\s*(?:{fragment})"
        elif primary in UNSPACED:
            whole = rf"(?:答案是|正解は|答えは|我选|选择?|選)?\s*(?:{fragment})(?:{option})?(?:です|だ|吧|。|\.)*"
            named = (
                rf"(?:{fragment}){any_of(words.OPTION, primary) if primary == 'zh' else '(?:の?(?:選択肢|答え|もの))'}"
            )
        else:
            articles = r"(?:(?:die|der|das|den|la|le|l['’]|el|lo|il|a|o|os|as|es|è|é|c['’]est|es ist)\s*)*"
            whole = rf"{articles}(?:{fragment})(?:\s+{option})?[\s.!]*"
            named = rf"(?<!\w)(?:{fragment})\s+{option}(?!\w)|(?<!\w){option}\s+(?:{fragment})(?!\w)"
        patterns.append((re.compile(whole, re.IGNORECASE), re.compile(named, re.IGNORECASE)))
    return patterns


def _ordinal(text: str, allowed: str, primary: str) -> Found | None:
    """The choice that the text names by its place: "the second option"."""
    given = text.strip()
    found: list[tuple[str, Status]] = []
    for letter, (whole, named) in zip(allowed, _ordinals(primary), strict=False):
        if whole.fullmatch(given):
            return Found(letter)
        for match in named.finditer(given):
            mention = Mention(letter, match.start(), match.end())
            found.append((letter, status(_same_length(given).lower(), mention, primary)))
    return decided(found)


def _by_text(form: str, choices: Sequence[str], language: str, question: str) -> Found | None:
    """The letter of the choice whose text a marked text asserts."""
    options = [normalise(choice, language) for choice in choices]
    if form in options and options.count(form) == 1:
        return Found(ascii_uppercase[options.index(form)])
    mentions = outermost(
        [
            Mention(option, m.start, m.end, m.ending)
            for option in options
            if option
            for m in find_mentions(form, option, option, language)
        ]
    )
    states = judged(form, mentions, primary_language(language), question=question)
    found = decided([(mention.value, state) for mention, state in states])
    if found is None or found.value is None:
        return found
    return Found(ascii_uppercase[options.index(found.value)], found.flags)
