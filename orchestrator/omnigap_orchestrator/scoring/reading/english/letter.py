"""Finds the letter that an answer selects: "B", "bee", "option B", "(B) Jupiter", "Jupiter", "the second option"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from string import ascii_uppercase

from omnigap.vocabulary import Flag
from omnigap_orchestrator.scoring.normalise import normalise
from omnigap_orchestrator.scoring.normalise.numbers import listed
from omnigap_orchestrator.scoring.reading.english.marked import marked, sentences, without_possessives
from omnigap_orchestrator.scoring.reading.english.options import Mention, decide, only_option, text_mentions
from omnigap_orchestrator.scoring.reading.found import Found, Passage, Step, first_and_last

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
_OPEN, _CLOSE = r"[\s\"'“‘(\[{*<]*", r"[\s\"'”’)\]}*>.,:;!]*"
_LEAD = (
    r"(?:(?:so|well|okay|ok|sure|yes|certainly|and|um|uh|with|the|number|"
    r"i (?:think|believe|guess|would say|choose|pick|go with|would go with|select)|"
    r"(?:the |my |final |correct |right |best |only )*(?:answer|option|choice|letter|solution|one)"
    r"(?: (?:is|would be|must be|should be))?|"
    r"it(?:'s|’s| is| begins with| starts with)|that(?:'s|’s| is| would be))[\s,:]+)*"
)
# The whole answer, in lower case: "b", "the answer is (b).", "bee".
_WHOLE = re.compile(rf"{_OPEN}{_LEAD}{_OPEN}(?P<letter>[a-z]|{_NAME}){_CLOSE}$")
# "U, you", "you, as in umbrella": a letter name that is spelled out.
_AS_IN = re.compile(rf"{_LEAD}{_OPEN}(?P<letter>[a-z]|{_NAME})[\s,]+(?:as in|like in|for) (?P<word>\w+){_CLOSE}$")
_HALLUCINATED = "you"
"""What Whisper often writes for silence; as the whole answer it is no letter."""

# A separate letter. Only Latin letters, digits and apostrophes join it to a word, so it may touch any other script.
_JOINED = r"[A-Za-z0-9_À-ɏͰ-ӿ'’]"
_SEPARATE = re.compile(rf"(?<!{_JOINED})(?<!{_JOINED}[-.])(?P<letter>[A-Za-z])(?!{_JOINED})(?![-.][A-Za-z0-9])")
_NAMED = re.compile(r"\b(?:option|choice|letter|answer|answer is|answer:)[\s\"'“(\[*]*$", re.I)
_NOUN = re.compile(
    r"\b(?:vitamin|hepatitis|type|group|plan|grade|class|team|phase|figure|table|point|angle|side|line|element)\s+$",
    re.I,
)
_BRACKETED = re.compile(r"^[\"'”)\]}]")
_WORD_AFTER = re.compile(r"[\s]+[^\W\d_]|\s+\d")
# Words that follow the letter A, but never the article "a": "A is right", "A because ...", "A or B".
_AFTER_LETTER_A = re.compile(
    r"\s+(?:is|was|because|since|fits|would|looks|seems|(?:or|and|nor|but|not)\s+(?:[B-Zb-z]\b|option))"
)
_STANDS_FOR = re.compile(r"[\s]*(?:$|[.):\]}\"'”,;!?*\n—–]|\s-\s)")

_ORDINALS = listed(
    "first second third fourth fifth sixth seventh eighth ninth tenth",
)
_CARDINALS = listed(
    "one two three four five six seven eight nine ten",
)
_OF_OPTIONS = r"(?:option|choice|answer|alternative|item|possibility|one(?! of))"
_ORDINAL = re.compile(
    rf"\b(?:the )?(?:(?P<word>{'|'.join(_ORDINALS)}|last)|(?P<digits>\d{{1,2}})(?:st|nd|rd|th)) {_OF_OPTIONS}\b", re.I
)
_DIGITS = rf"(?P<digits>\d{{1,2}}|{'|'.join(_CARDINALS)})"
_NUMBERED = re.compile(rf"\b(?:option|choice|answer|alternative)\s+(?:number |no\.? ?|#)?{_DIGITS}\b(?![.,]\d)", re.I)
_MAYBE = re.compile(r"\b(?:could|might|may) (?:also )?be(?: option| choice| letter)?(?: \()? $")
_FULL_WIDTH = {
    code: code - 0xFEE0
    for code in (*range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B), *range(0xFF10, 0xFF1A), 0xFF08, 0xFF09)
}
_NEAR = 80
_MAX_WHOLE = 200
"""Characters of an answer that is a letter with its introduction."""
_TOKEN = "choiceq"
"""Prefix of the word that stands for a letter in the marked text; no answer has it."""


def find_letter(
    passage: Passage, choices: Sequence[str] = (), language: str = "en", question: str = ""
) -> Found | None:
    """Reads one letter from a passage.

    Args:
        choices: texts of the choices, in the order of the letters; empty if any letter of the alphabet may be the
            answer.
    """
    given = passage.text.translate(_FULL_WIDTH).strip()
    allowed = ascii_uppercase[: len(choices)] if choices else ascii_uppercase
    if not given:
        return None
    whole = _whole(given, allowed, choices, language)
    if whole is not None:
        return whole
    given = _verdicts_in_words(given)
    text = marked(_with_tokens(without_possessives(given), allowed), language)
    options = _normalised(tuple(choices), language)
    found = _mentions(text, allowed, options)
    if found is None:
        return Found(None, (Flag.HEDGED,))
    if passage.step in (Step.FIRST_LINE, Step.LAST_LINE):
        return only_option(text, found)
    if any(_MAYBE.search(text, 0, mention.start) for mention in found):
        return Found(None, (Flag.HEDGED,))
    decided = decide(text, found, question)
    if decided is None and len(parts := sentences(given)) > 1:
        # A spoken letter after a long introduction: "... Bee."
        return _whole(parts[-1], allowed, choices, language)
    return decided


def _whole(given: str, allowed: str, choices: Sequence[str], language: str) -> Found | None:
    lower = given.lower() if len(given) <= _MAX_WHOLE else ""
    if match := _WHOLE.fullmatch(lower):
        if lower.strip(" .,!?") == _HALLUCINATED:
            return None
        letter = _letter(match["letter"])
        return Found(letter) if letter in allowed else None
    if (match := _AS_IN.fullmatch(lower)) and _letter(match["letter"]) == match["word"][0].upper():
        return Found(_letter(match["letter"]))
    options = _normalised(tuple(choices), language)
    text = normalise(given, language)
    place = options.index(text) if options.count(text) == 1 else None
    if text not in options:
        place = _by_core(text, tuple(choices), options)
    if place is None:
        return None
    letter = ascii_uppercase[place]
    # The normaliser drops the A of "A. pear" as an article, but it is a letter there.
    first = _SEPARATE.search(given)
    if first and not given[: first.start()].strip("\"'“‘([{*< ") and first["letter"].upper() != letter:
        return None if first["letter"].upper() in allowed and _is_choice(given, first) else Found(letter)
    return Found(letter)


def _letter(written: str) -> str:
    return LETTER_NAMES.get(written.replace(" ", "-"), written.upper())


@lru_cache(maxsize=1 << 14)
def _normalised(choices: tuple[str, ...], language: str) -> tuple[str, ...]:
    return tuple(normalise(choice, language) for choice in choices)


# Prepositions that say little: those of time, order and extent ("under", "after", "near", "without") say what is meant.
_PREPOSITION = re.compile(r"^(?P<word>in|on|at|by|to|from|with|into) (?=\S)")
_PLACES = frozenset(("in", "on", "at"))


def _by_core(text: str, choices: tuple[str, ...], options: tuple[str, ...]) -> int | None:
    """The place of the choice that an answer gives without its preposition: "Court" or "at a court" for "in a court".

    Args:
        text: the whole answer, normalised.
        choices: raw.
        options: the choices, normalised.
    """
    given = _PREPOSITION.match(text)
    core = text[given.end() :] if given else text
    # What is in two choices, or holds a choice, tells none: "with light" and "without light", "in New York" and "York".
    holders = [place for place, option in enumerate(options) if _holds(option, core)]
    if len(holders) != 1 or not core:
        return None
    place = holders[0]
    own = _PREPOSITION.match(options[place])
    if own is None:
        # A recogniser writes "at plumber" for "a plumber".
        is_article = given is not None and given["word"] == "at" and re.match(r"an? ", choices[place], re.I)
        return place if is_article and options[place] == core else None
    if options[place][own.end() :] != core or any(option and _holds(text, option) for option in options):
        return None
    if given and not {given["word"], own["word"]} <= _PLACES:
        return None
    # "by 10" and "after 5": the words before numbers are bounds, unless all are the same.
    if any(char.isdigit() for char in core) and not all(option.startswith(own[0]) for option in options):
        return None
    return place


def _holds(text: str, words: str) -> bool:
    return f" {words} " in f" {text} "


_TICKS = re.compile(r"[✓✔✅☑]\ufe0f?")
_CROSSES = re.compile(r"[✗✘❌☒✖]\ufe0f?")
_SIGN_FIRST = re.compile(r"^[ \t]*([✓✔✅☑✗✘❌☒✖]\ufe0f?)[ \t]*(\S.*)$", re.M)


def _verdicts_in_words(given: str) -> str:
    """Ticks and crosses as words behind their option: "✓ B) Saturn" is "B) Saturn yes". The normaliser drops signs."""
    return _CROSSES.sub(" no", _TICKS.sub(" yes", _SIGN_FIRST.sub(r"\2 \1", given)))


def _with_tokens(given: str, allowed: str) -> str:
    """The text with each letter that stands for a choice, and each ordinal, replaced by a word."""

    def numbered(match: re.Match[str]) -> str:
        written = (match.groupdict().get("word") or match["digits"]).lower()
        words = {**{word: n for n, word in enumerate(_ORDINALS)}, **{word: n for n, word in enumerate(_CARDINALS)}}
        place = (
            len(allowed) - 1 if written == "last" else words.get(written, int(written) - 1 if written.isdigit() else -1)
        )
        # Without choices every letter is allowed, and "the second option" names none.
        return f" {_TOKEN}{allowed[place].lower()} " if 0 <= place < len(allowed) < 26 else match[0]

    text = _NUMBERED.sub(numbered, _ORDINAL.sub(numbered, given))

    def replaced(match: re.Match[str]) -> str:
        letter = match["letter"]
        if letter.upper() not in allowed or not _is_choice(text, match):
            return match[0]
        # A space on both sides separates the word from a script without spaces.
        return f" {_TOKEN}{letter.lower()} "

    return _SEPARATE.sub(replaced, text)


def _is_choice(text: str, match: re.Match[str]) -> bool:
    # What is near decides; all of a long text would take quadratic time.
    letter, before, after = (
        match["letter"],
        text[max(0, match.start() - _NEAR) : match.start()],
        text[match.end() :][:_NEAR],
    )
    if _NOUN.search(before):
        return False
    if _NAMED.search(before) or (before[-1:] in ("(", "[", "{") and after[:1] in (")", "]", "}")):
        return (
            letter.upper() != "A"
            or not _WORD_AFTER.match(after)
            or _AFTER_LETTER_A.match(after) is not None
            or letter == "A"
        )
    if letter not in "AaIi":
        return True
    if letter in "ai":
        # "a" and "i" as words are far more common; alone in a line, or before ")", they are letters.
        return after[:1] in (")", "]") or (not after.strip(" .!") and not before.strip())
    if _AFTER_LETTER_A.match(after):
        return True
    starts = not before.strip() or before.rstrip()[-1] in ".!?:\n" or before[-1:] == "\n"
    if letter == "I":
        return _STANDS_FOR.match(after) is not None and not after.startswith(("'", "’"))
    return _STANDS_FOR.match(after) is not None or (not starts and not _WORD_AFTER.match(after))


def _mentions(text: str, allowed: str, options: tuple[str, ...]) -> list[Mention] | None:
    """The letters and choices that a marked text names, a letter and its own choice as one; None if they contradict."""
    tokens = first_and_last(list(re.finditer(rf"(?<!\S){_TOKEN}([a-z])(?!\S)", text)))
    letters = [Mention(match[1].upper(), *match.span()) for match in tokens]
    texts = text_mentions(text, dict(zip(allowed, options, strict=False)))
    merged: list[Mention] = []
    used: set[int] = set()
    for mention in letters:
        partner = next((other for other in texts if id(other) not in used and _is_beside(text, mention, other)), None)
        if partner is None:
            merged.append(mention)
            continue
        # "B, granite" names two choices; in "B. Granite is a rock" a sentence about another choice begins.
        if partner.option != mention.option and partner.start > mention.start:
            if not text[partner.end :].strip() or text[partner.end + 1] in ",.;:!?)":
                return None
            merged.append(mention)
            continue
        if partner.option == mention.option:
            used.add(id(partner))
            merged.append(Mention(mention.option, min(mention.start, partner.start), max(mention.end, partner.end)))
        else:
            merged.append(mention)
    return [*merged, *(mention for mention in texts if id(mention) not in used)]


_BESIDE = re.compile(r" (?:[,.:()\-] |\) [:\-] )?(?:(?:which is|that is|i e|ie|namely|option|choice|is) )?(?:[(] )?")


def _is_beside(text: str, letter: Mention, option: Mention) -> bool:
    """Whether only punctuation is between a letter and the text of a choice: "B. Jupiter", "Jupiter (B)"."""
    first, second = sorted((letter, option), key=lambda mention: mention.start)
    between = text[first.end : second.start]
    if letter is first:
        return _BESIDE.fullmatch(between) is not None
    return (
        between in (" ( ", " , ", " : ", " - ")
        or re.fullmatch(r" (?:, |\( |: )?(?:option|choice|which is|i e|ie|that is)(?: option)? ", between) is not None
    )
