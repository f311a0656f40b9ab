"""Reads a set of letters, for questions with several right choices.

"A, C", "AC", "A and C", "both (A) and (C)", "A. Paris\nC. Lyon", "The answers are A and C."  -> A C
"A, but not C"                                                                            -> A
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from string import ascii_uppercase

from omnigap.vocabulary import Flag
from omnigap_orchestrator.scoring.reading.found import Found, Passage

# What introduces the answer: only the text after the last of these is read.
_LEAD = re.compile(
    r"(?:answers?|options?|choices|antworten?|optionen|r[ée]ponses?|respuestas?|risposte|respostas?)"
    r"(?: (?:is|are|sind|ist|sont|est|son|es|sono|s[ãa]o|[ée]))?\s*[:：]?\s+(?=[(\[*]*[A-Z](?![a-z]))|"
    r"(?:答案|正解|答え|정답|답)(?:은|는|は|是|为)?\s*[:：]?",
    re.IGNORECASE,
)
_AND = r"(?:\s*(?:[,;、，;&+/]|\band\b|\bund\b|\bet\b|\by\b|\be\b|\bplus\b|和|与|と|와|과|및)\s*)+"
# A run of letters without marks between them: AC, ACD.
_RUN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2,10}(?![A-Za-z0-9])")
_LINE = re.compile(r"(?m)^[ \t]*(?:[-*•][ \t]*)?(?:[(\[*]{0,4}([A-Z])[)\]*.:：]+(?=[ \t]*\S|[ \t]*$)|([A-Z])[ \t]*$)")
_SINGLE = re.compile(r"(?<![A-Za-z0-9'’-])[(\[*]{0,4}([A-Z])[)\]*]*(?![A-Za-z0-9'’-])")
_DENIED = re.compile(
    r"(?:\b(?:not|neither|except|nicht|pas|non|no|não|ni|nor)\s+(?:option\s+)?|不是|不选)[(\[*]*$", re.IGNORECASE
)
_DENIED_AFTER = re.compile(
    r"[)\]*]*\s*(?:(?:is|are)(?: (?:not|wrong|incorrect|false)|n['’]t)|ist (?:falsch|nicht)|est faux|"
    r"不对|不正确|은? ?아니|는 틀)"
)
_ONE = r"[(\[*]{0,4}(?<![A-Za-z0-9'’-])[A-Z](?![A-Za-z0-9'’-])[)\]*]*"
_JOIN = r"\s*(?:[,、，&+/]\s*)?(?:(?:and|or|nor|und|oder|et|ou|ni|y|e|和|与|と|와|과)\s*)?"
_GROUP = re.compile(rf"{_ONE}(?:{_JOIN}{_ONE})*")
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
_ORDINAL = re.compile(rf"\b(?:the\s+)?(?P<word>{'|'.join(_ORDINALS)})\b(?:\s+(?:option|choice|answer|one)s?\b)?", re.I)
_NEAR = 40
_OR = re.compile(r"(?<![A-Za-z])[A-Z][)\]*.]*\s+(?:or|oder|ou|或|또는|または)\s+[(\[*]*[A-Z](?![A-Za-z])")
_WORD = re.compile(r"\s+[a-z]")
_WORD_AFTER_A = re.compile(r"\s+(?:and|or|is|are|und|et|y|e|ist|est|es|only)\b")


def find_letters(passage: Passage, choices: Sequence[str]) -> Found | None:
    """All letters that the passage chooses, in order and separated by spaces.

    Several alternatives ("A or C") leave the answer open.

    Args:
        choices: texts of the choices in the order of the letters; empty if any letter of the alphabet may be right.
    """
    allowed = ascii_uppercase[: len(choices)] if choices else ascii_uppercase
    text = unicodedata.normalize("NFKC", passage.text).strip()
    # A terse answer in lower case: "a, c".
    if re.fullmatch(rf"[(\[]*[a-z][)\]]*(?:{_AND}[(\[]*[a-z][)\]]*)*\W*", text):
        text = re.sub(r"(?<![a-z])[a-z](?![a-z])", lambda match: match[0].upper(), text)
    leads = list(_LEAD.finditer(text))
    if leads:
        text = text[leads[-1].end() :]
    if any(not _DENIED.search(text, 0, match.start()) for match in _OR.finditer(text)):
        return Found(None, (Flag.HEDGED,))
    run = _RUN.search(text)
    if run is not None and set(run[0]) <= set(allowed) and list(run[0]) == sorted(set(run[0])):
        return Found(" ".join(run[0]))
    lines = [match[1] or match[2] for match in _LINE.finditer(text)]
    letters = lines if len(lines) > 1 else _mentions(text)
    letters = [letter for letter in letters if letter in allowed]
    if not letters and choices:
        ordinals = _ORDINAL.sub(lambda match: ascii_uppercase[_ORDINALS.index(match["word"].lower())], text)
        letters = [letter for letter in _mentions(ordinals) if letter in allowed] or _texts(text, choices)
    return Found(" ".join(sorted(set(letters)))) if letters else None


def _texts(text: str, choices: Sequence[str]) -> list[str]:
    """The letters of an answer that lists the texts of choices and nothing else; empty if it has other words."""
    letters = {choice.strip().casefold(): letter for choice, letter in zip(choices, ascii_uppercase, strict=False)}
    parts = [part.strip(" .*()-•").casefold() for part in re.split(rf"{_AND}|\n", text)]
    named = [letters.get(part, "") for part in parts if part]
    return named if all(named) else []


def _mentions(text: str) -> list[str]:
    """Single capital letters that the text does not deny; an "A" or "I" before a word is no letter."""
    found: list[str] = []
    denied = [
        match.span()
        for match in _GROUP.finditer(text)
        if _DENIED.search(text, max(0, match.start() - _NEAR), match.start()) or _DENIED_AFTER.match(text, match.end())
    ]
    for match in _SINGLE.finditer(text):
        start = match.start(1)
        # A denial holds for its whole list: "B and D are not", "not B or D".
        if any(low <= start < high for low, high in denied):
            continue
        after = text[match.end() : match.end() + _NEAR]
        if match[1] in "AI" and match[0] == match[1] and _WORD.match(after) and not _WORD_AFTER_A.match(after):
            continue
        found.append(match[1])
    return found
