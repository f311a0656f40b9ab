"""Splits an English answer into clauses, and tells what it states from what it mentions in passing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from omnigap_orchestrator.scoring.normalise.numbers import listed
from omnigap_orchestrator.scoring.normalise.quantities import UNITS

MAIN, MODIFIER, ASIDE = 0, 1, 2
"""How far a clause is from the statement: "At sea level," is a `MODIFIER`, a contrast or parenthesis an `ASIDE`."""

_ASIDE_LEADS = frozenset(
    listed(
        "unlike while whereas although though because since who whose whom where compared rather instead besides",
        "despite unless whether enough including not except versus if when once even originally formerly previously",
    )
)
_LEADING = frozenset(
    listed("in at on by for with from of out during within per under over into after before given considering assuming")
) | {"according"}
_PARTICIPIAL = frozenset(listed("after before by when upon since while if once with from given starting in at on"))
_PRONOUNS = frozenset(listed("he she it they we you i there"))
_VERBS = frozenset(
    listed("has have had is are was were will gets makes leaves boils freezes needs became ended began started remain")
)
_PREDICATES = _VERBS | frozenset(
    listed("cost costs total totals weigh make makes leave give gives have equals amount come comes sell bring earn")
)
# Words that begin a new clause inside one. "and" and "or" are handled apart, since numbers may hold them.
_CONJUNCTIONS = frozenset(
    listed(
        "but while whereas although though because which therefore thus hence then compared unlike instead who whose"
    )
)
_MENTION = re.compile(
    r"^(?:(?:many|some|most|few|other|people|others|you) )+(?:may |might |would |could |first |often )*"
    r"(?:say|says|said|think|thinks|thought|believe|believed|claim|assume|assumed|guess|guessed|expect)\b"
)
_FORMER = re.compile(
    r"\b(?:used to|formerly|previously|originally|at first)\b|\buntil (?:it|they|he|she|now|recently)\b"
)
_CORRECTION = re.compile(
    r"^(?:oh |or |um |but )?(?:or rather\b|(?:i )?meant\b|no (?:wait|sorry|actually|it|its|that|i|make|rather|-?\d)"
    r"|no$|wait|sorry$|sorry (?:i|it|that|-?\d)|oops|correction|i mean|i meant|scratch that"
    r"|make that|let me correct|let me redo|actually)\b"
)
_APOLOGY = re.compile(r"^(?:i am )?sorry$")
# What follows one of these is the conclusion.
_CONCLUSION = re.compile(
    r"(?:(?<!\S)(?:so(?! (?:far|that|many|much|called))|therefore|thus|hence|consequently|accordingly"
    r"|total(?: \w+){0,2} (?:of|is|was|equals|comes to)|total of|total|that is(?! (?:why|how|because|not))|ie|in total"
    r"|(?:that|which|this|it) (?:leaves|makes|gives|equals|means|totals|brings|comes to)|comes to|amounts to|adds up to"
    r"|(?:final |correct |right )?answer(?: is| would be)?|result(?: is)?|sum is|(?:i|we|you) get|finally"
    r"|in conclusion|conclude(?: that)?"
    # "After giving 10 away" is a step.
    r"|(?<!after )(?<!before )(?<!by )(?<!from )(?<!for )(?<!when )(?<!while )(?:leaving|giving|making|bringing))"
    r"|(?<=\d)(?: \w+){0,2} (?:makes|leaves|gives|yields|brings)(?! (?:away|up|out|back)))(?!\S)"
)
# With these words the whole clause is a conclusion.
_CONCLUDED = re.compile(r"\b(?:altogether|in all|in total|left over|remain|remains|remaining)\b|\b(?:\w+ )left$")

_SPLIT = re.compile(
    r"(?P<end>(?:(?<!\bapprox)(?<!\bca)(?<!\bNo)(?<!\bno)(?<!\be\.g)(?<!\bi\.e)(?<!\bMt)(?<!\bSt)(?<!\bDr)(?<!\bMr)[.]|[!?;…。])+(?=\s|$|[\"')\]])|\n+|\.\.\.)"
    r"|(?P<comma>,(?=\s|$)|\s[—–-]\s|—|:(?=\s|$)|[\"“”])"
    r"|(?P<paren>\([^()]*\)|\[[^\[\]]*\])"
)


@dataclass(slots=True)
class Clause:
    """A part of a sentence that can state something by itself.

    Attributes:
        words: its normalised words.
        sentence: index of its sentence.
        rank: `MAIN`, `MODIFIER` or `ASIDE`.
        concluded: index of the word after a conclusion marker ("so", "for a total of"); None if it has none.
        is_question: whether its sentence ends in a question mark.
        is_correction: whether it takes back what was said before ("no, wait").
        index: its place among the clauses of the text.
    """

    words: list[str]
    sentence: int
    rank: int = MAIN
    concluded: int | None = None
    is_question: bool = False
    is_correction: bool = False
    index: int = 0
    text: str = field(default="", compare=False)


def split_clauses(text: str, normal: Callable[[str], str]) -> list[Clause]:
    """The clauses of a text in its order.

    Args:
        text: with its punctuation; mathematical signs are words already.
        normal: the normaliser of the language.
    """
    clauses: list[Clause] = []
    sentence, at = 0, 0
    pieces: list[tuple[str, bool, bool]] = []
    after_colon = False

    def close(mark: str) -> None:
        nonlocal sentence
        found: list[Clause] = []
        listed_from = 0
        for piece, in_brackets, colon in pieces:
            listed_from = len(found) if colon else listed_from
            found += _clauses(normal(piece).split(), sentence, in_brackets=in_brackets)
        _rank_listed(found[:listed_from], found[listed_from:])
        for clause in found:
            clause.is_question = "?" in mark
        _rank_interrupted(found)
        _rank_leading(found)
        clauses.extend(found)
        pieces.clear()
        sentence += bool(found)

    for match in _SPLIT.finditer(text):
        pieces.append((text[at : match.start()], False, after_colon))
        after_colon = match[0].strip() == ":"
        at = match.end()
        if match["end"]:
            close(match["end"])
        elif match["paren"]:
            pieces.append((match["paren"][1:-1], True, False))
    pieces.append((text[at:], False, after_colon))
    close("")
    for index, clause in enumerate(clauses):
        clause.index = index
    return clauses


def _clauses(words: list[str], sentence: int, *, in_brackets: bool) -> list[Clause]:
    """The clauses of words between two commas."""
    parts: list[list[str]] = [[]]
    for i, word in enumerate(words):
        before = words[max(0, i - 4) : i]
        starts = (
            word in _CONJUNCTIONS or (word == "so" and i > 0) or (word == "that" and words[i + 1 : i + 2] == ["is"])
        )
        # "between 2 and 4", "6 and 1/2"
        if word == "and" and "between" not in before and not _joins_units(words, i):
            starts = True
        if word in ("rather", "other") and words[i + 1 : i + 2] == ["than"]:
            starts = True
        # After "of", "which" belongs to the words before it: "of which 5 are vowels".
        if word in ("which", "whom", "who") and before[-1:] == ["of"]:
            starts = False
        if (
            word == "not"
            and i
            and not set(words[i + 1 : i + 2]) & {"only", "just", "more", "less", "fewer"}
            and _ends_statement(before)
        ):
            starts = True
        if parts[-1] and not starts and _begins_main(parts[-1], word):
            starts = True
        if starts and parts[-1]:
            parts.append([])
        parts[-1].append(word)
    found = [_clause(part, sentence, in_brackets=in_brackets) for part in parts if part]
    for earlier, clause in pairwise(found):
        # "because it sold 4 and bought 9": the reason goes on.
        if earlier.rank == ASIDE and clause.words[0] == "and":
            clause.rank = ASIDE
    return found


def _joins_units(words: list[str], i: int) -> bool:
    """Whether "and" at i stands inside one quantity: "1 hour and 30 minute"."""
    return (
        i > 0
        and words[i - 1] in UNITS
        and words[i + 1 : i + 2] != []
        and words[i + 2 : i + 3] != []
        and words[i + 2] in UNITS
    )


def _ends_statement(before: list[str]) -> bool:
    """Whether "not" begins a contrast ("it is 7 not 6"), and does not deny the verb before it."""
    return bool(before) and before[-1] not in (
        _VERBS | set(listed("do does did can could would should must may might be been"))
    )


def _begins_main(part: list[str], word: str) -> bool:
    """Whether a main clause begins inside "after eating 2 he has 6", which has no comma."""
    lead = part[1] if part[0] in ("and", "but", "then") and len(part) > 1 else part[0]
    if lead not in _PARTICIPIAL or not any(token[-1].isdigit() for token in part):
        return False
    # "since 10 percent is 20": the verb belongs to the clause of the conjunction.
    if lead in ("since", "while", "if", "when", "once") and not any(token.endswith("ing") for token in part):
        return word in _PRONOUNS and any(token in _VERBS for token in part)
    return word in _PRONOUNS or (word in _VERBS and not any(token in _PRONOUNS | _VERBS for token in part))


def _clause(words: list[str], sentence: int, *, in_brackets: bool) -> Clause:
    text = " ".join(words)
    lead = [word for word in words[:3] if word not in ("and", "but", "well", "then", "or", "now")]
    first = lead[0] if lead else ""
    rank = MAIN
    if text.startswith("as of "):
        rank = MODIFIER
    elif in_brackets or first in _ASIDE_LEADS or _MENTION.search(text) or _FORMER.search(text):
        rank = ASIDE
    elif first == "which" or first in _LEADING or " of which " in f" {text} ":
        rank = MODIFIER
    clause = Clause(words, sentence, rank, text=text)
    clause.is_correction = _CORRECTION.search(text) is not None or _APOLOGY.fullmatch(text) is not None
    if rank == ASIDE:
        return clause
    if match := list(_CONCLUSION.finditer(text)):
        clause.concluded = len(text[: match[-1].end()].split())
        # A number before the marker ("12 total") is the conclusion if none follows it.
        if not any(word[0].isdigit() or word[0] == "-" for word in words[clause.concluded :]):
            clause.concluded = 0
        if rank == MODIFIER:
            clause.rank = MAIN
    elif _CONCLUDED.search(text):
        clause.concluded = 0
    return clause


def _rank_listed(before: list[Clause], after: list[Clause]) -> None:
    """What follows a colon explains a number before it ("24 animals: 8 cows and 16 pigs"), or is the statement."""

    def numbers(clauses: list[Clause]) -> int:
        return sum(word.lstrip("-")[:1].isdigit() for clause in clauses if clause.rank < ASIDE for word in clause.words)

    if not numbers(before) or not numbers(after):
        return
    if numbers(after) == 1 and len(after) == 1 and len(after[0].words) < 4:
        after[0].concluded = 0
    elif numbers(after) > 1 and not any("equals" in clause.words for clause in after):
        for clause in after:
            clause.rank = ASIDE if clause.concluded is None else clause.rank


def _rank_interrupted(clauses: list[Clause]) -> None:
    """In "so the 4 cups, which cost 2 dollars each, are worth 8 dollars" the last clause is the statement."""
    for subject, relative, predicate in zip(clauses, clauses[1:], clauses[2:], strict=False):
        if relative.words[0] not in ("which", "who", "each", "including") or predicate.words[0] not in _PREDICATES:
            continue
        if not any(word in _PREDICATES for word in subject.words):
            if subject.concluded is not None:
                predicate.concluded, predicate.rank = 0, MAIN
            subject.concluded, subject.rank = None, max(subject.rank, MODIFIER)


def _rank_leading(clauses: list[Clause]) -> None:
    """A clause such as "at 100 degrees" is the statement if its sentence has no other with a number."""

    def has_number(clause: Clause) -> bool:
        return any(word.lstrip("-")[:1].isdigit() for word in clause.words)

    if not any(clause.rank == MAIN and has_number(clause) for clause in clauses):
        modifiers = [clause for clause in clauses if clause.rank == MODIFIER and has_number(clause)]
        for clause in modifiers:
            if clause.words[0] != "which" or len(modifiers) == 1:
                clause.rank = MAIN
