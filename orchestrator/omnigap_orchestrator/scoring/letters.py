"""Finds the letter that an answer selects: "B", "bee", "option B", "the answer is (B)", "B, Jupiter", "Jupiter"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from string import ascii_uppercase

from omnigap_orchestrator.scoring.metrics import named_options
from omnigap_orchestrator.scoring.normalise import normalise

LETTER_NAMES: dict[str, str] = {
    name: letter
    for letter, names in {
        "A": "ay eh",
        "B": "bee be",
        "C": "cee see sea",
        "D": "dee",
        "E": "ee",
        "F": "ef eff",
        "G": "gee jee",
        "H": "aitch haitch",
        "I": "eye",
        "J": "jay",
        "K": "kay",
        "L": "el ell",
        "M": "em",
        "N": "en",
        "O": "oh",
        "P": "pee",
        "Q": "cue queue",
        "R": "ar are",
        "S": "ess",
        "T": "tee tea",
        "U": "you",
        "V": "vee",
        "W": "double-u double-you",
        "X": "ex",
        "Y": "why wye",
        "Z": "zee zed",
    }.items()
    for name in names.split()
}
"""Spellings of letter names in ASR transcripts.

They are spellings of the same spoken answer, and count only where nothing but a letter can occur: as the whole answer,
or after "the answer is". Words that merely sound similar ("the" for D, "eight" for A) are wrong transcripts and stay
wrong.
"""

_NAME = "|".join(sorted((*LETTER_NAMES, "double u", "double you"), key=len, reverse=True))
_LETTER = rf"(?:[a-z]|{_NAME})"
_OPEN, _CLOSE = r"[\s\"'“‘(\[{*<]*", r"[\s\"'”’)\]}*>.,:;!]*"
_COPULA = r"(?: (?:is|would be|must be|should be))?"
# Words that may precede the letter: "So, I think the correct answer is".
_LEAD = (
    r"(?:(?:so|well|okay|ok|sure|yes|certainly|and|um|uh|with|the|number|"
    r"i (?:think|believe|guess|would say|choose|pick|go with|select)|"
    rf"(?:the |my |final |correct |right |best |only )*(?:answer|option|choice|letter|solution|one){_COPULA}|"
    r"it(?:'s| is| begins with| starts with)|that(?:'s| is| would be))[\s,:]+)*"
)
# The whole answer: "B", "the answer is (b).", "bee".
_WHOLE = re.compile(rf"{_LEAD}{_OPEN}(?P<letter>{_LETTER}){_CLOSE}$")
# A statement inside an answer: "..., so the answer is B", "I choose option B".
_STATED = re.compile(
    rf"\b(?:(?:answer|option|choice|letter){_COPULA}[\s:]+(?:(?:the )?(?:option|choice|letter|answer)[\s:]+)?|"
    r"i (?:choose|pick|select|go with) (?:option |choice |letter )?)"
    rf"{_OPEN}(?P<letter>[a-z]){_CLOSE}(?=\s|$)"
)
# A letter at the start, followed by a mark and more text: "B. Jupiter is the largest".
_LEADING = re.compile(
    rf"{_LEAD}{_OPEN}(?P<letter>{_LETTER})(?P<mark>{_CLOSE}(?:\s*[-–—]\s*)?)(?P<rest>\S.*)$", re.DOTALL
)
# "(B)" or "**B**" anywhere in the answer.
_BRACKETED = re.compile(r"[(\[{*]\s*(?P<letter>[a-z])\s*[)\]}*]")
# A letter as a separate word; not "Plan-B" or the "t" of "don't".
_MENTION = re.compile(r"(?<![\w'’-])(?P<letter>[a-z])(?![\w'’-])")
# "not B", "rather than option B", and after the letter "is wrong".
_DENIED_BEFORE = re.compile(
    r"\b(?:not|never|neither|nor|than|isn't|isn’t)\s+(?:option |choice |letter |answer )?[\"'(\[]*$"
)
_DENIED_AFTER = re.compile(r"[\"')\].]*\s+(?:is|was|would be)\s+(?:not|wrong|incorrect|false)\b")

_WORD_AFTER = re.compile(r"\s+\w")
# Words that follow the letter A, but never the article "a": "A is right", "A because ...", "A or B".
_WORD_AFTER_LETTER_A = re.compile(r"\s+(?:is|was|because|since|(?:or|and)\s+[b-z]\b)")


@dataclass(frozen=True, slots=True)
class Choice:
    """The selected letter in upper case; None if the answer names none, or several."""

    letter: str | None


NO_CHOICE = Choice(None)


def find_choice(text: str, choices: Sequence[str] = (), language: str = "en") -> Choice:
    """Reads one letter from a raw answer (not normalised).

    The rules are tried in this order, and the first that finds anything decides:

    1. the whole answer is a letter, or the text of a choice;
    2. a statement such as "the answer is B";
    3. a leading letter, followed by punctuation or by the text of its choice;
    4. letters anywhere in the answer;
    5. the text of exactly one choice.

    Several letters, or a letter with the text of another choice, are unparsable: an answer is never guessed.

    Args:
        choices: texts of the choices, in the order of the letters; empty if any letter of the alphabet may be the
            answer.
    """
    given = text.strip()
    lower = given.lower()
    allowed = ascii_uppercase[: len(choices)] if choices else ascii_uppercase
    if not lower:
        return NO_CHOICE
    if match := _WHOLE.fullmatch(lower):
        letter = _letter(match["letter"])
        return Choice(letter) if letter in allowed else NO_CHOICE
    options = _normalised(tuple(choices), language)
    whole = normalise(given, language)
    if options.count(whole) == 1:
        return Choice(ascii_uppercase[options.index(whole)])
    stated = _letters(_STATED, lower, allowed)
    if stated:
        return _unless_contradicted(_one(stated), lower, options, language)
    leading = _leading(lower, allowed, options, language)
    if leading is not None:
        return leading
    mentions = _letters(_BRACKETED, lower, allowed) or _mentions(given, allowed)
    by_text = _by_text(whole, options)
    if mentions:
        if len(mentions) == 1 and by_text and by_text != mentions:
            return NO_CHOICE
        return _one(mentions)
    return _one(by_text)


def _unless_contradicted(choice: Choice, lower: str, options: tuple[str, ...], language: str) -> Choice:
    """NO_CHOICE if the text of another choice follows the stated letter: "the answer is B, Mars"."""
    for match in _STATED.finditer(lower):
        rest = f"{normalise(lower[match.end() :], language)} "
        for letter, option in zip(ascii_uppercase, options, strict=False):
            if option and rest.startswith(f"{option} ") and letter != choice.letter:
                return NO_CHOICE
    return choice


def _letter(written: str) -> str:
    return LETTER_NAMES.get(written.replace(" ", "-"), written.upper())


def _one(letters: set[str]) -> Choice:
    return Choice(next(iter(letters))) if len(letters) == 1 else NO_CHOICE


@lru_cache(maxsize=1 << 14)
def _normalised(choices: tuple[str, ...], language: str) -> tuple[str, ...]:
    return tuple(normalise(choice, language) for choice in choices)


def _letters(pattern: re.Pattern[str], lower: str, allowed: str) -> set[str]:
    """The allowed letters that the pattern finds and the text does not deny. An "a" before a word is an article."""
    found: set[str] = set()
    for match in pattern.finditer(lower):
        letter, start, end = match["letter"].upper(), match.start("letter"), match.end("letter")
        article = letter == "A" and _is_article(lower, end) and not _is_letter_a(lower, end)
        if letter not in allowed or article or _is_denied(lower, start, end):
            continue
        found.add(letter)
    return found


def _is_denied(lower: str, start: int, end: int) -> bool:
    return _DENIED_BEFORE.search(lower, 0, start) is not None or _DENIED_AFTER.match(lower, end) is not None


def _leading(lower: str, allowed: str, options: tuple[str, ...], language: str) -> Choice | None:
    """The letter at the start, if punctuation or text after it shows that it is one; None if no letter is found."""
    match = _LEADING.match(lower)
    if match is None:
        return None
    written, mark, rest = match["letter"], match["mark"], match["rest"]
    letter = _letter(written)
    if letter not in allowed or not (mark or "") or _is_denied(lower, match.start("letter"), match.end("letter")):
        return None
    by_text = _by_text(normalise(rest, language), options)
    if by_text == {letter}:
        return Choice(letter)
    marked = mark.strip() != ""
    # A letter name such as "be" or "see" is too often an ordinary word, so it needs the text of its choice.
    if len(written) > 1 or not marked:
        return None
    # A and I are left out, since in the rest of the sentence they are usually words.
    if _mentions(rest.upper(), allowed.replace("A", "").replace("I", "")) - {letter}:
        return NO_CHOICE
    return NO_CHOICE if by_text else Choice(letter)


def _mentions(given: str, allowed: str) -> set[str]:
    """Single letters in the text, except "a" and "I" where they may be words."""
    lower = given.lower()
    found: set[str] = set()
    for match in _MENTION.finditer(lower):
        letter, end = match["letter"].upper(), match.end()
        if (
            letter in ("A", "I")
            and not _is_letter_a(lower, end)
            and (given[match.start()].islower() or _is_article(lower, end))
        ):
            continue
        if letter in allowed and not _is_denied(lower, match.start(), end):
            found.add(letter)
    return found


def _is_article(lower: str, end: int) -> bool:
    return _WORD_AFTER.match(lower, end) is not None


def _is_letter_a(lower: str, end: int) -> bool:
    """Whether the "a" that ends here is followed by a word that cannot follow an article."""
    return lower[end - 1] == "a" and _WORD_AFTER_LETTER_A.match(lower, end) is not None


def _by_text(normalised: str, options: tuple[str, ...]) -> set[str]:
    """The letters of the choices whose text the answer names."""
    if normalised in options:
        return {ascii_uppercase[options.index(normalised)]}
    return {ascii_uppercase[options.index(option)] for option in named_options(normalised, options)}
