"""Reads the number that an answer states: not one of its steps, of its explanation, or of another thing."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

from omnigap.vocabulary import Flag
from omnigap_orchestrator.scoring.normalise import normalise
from omnigap_orchestrator.scoring.normalise.numbers import listed
from omnigap_orchestrator.scoring.reading.english.clauses import ASIDE, MAIN, MODIFIER, Clause, split_clauses
from omnigap_orchestrator.scoring.reading.english.digits import read_out
from omnigap_orchestrator.scoring.reading.english.plain import plain
from omnigap_orchestrator.scoring.reading.english.quantity import Quantity, dimension, quantities, same_number
from omnigap_orchestrator.scoring.reading.english.question import Asked, asked, stem
from omnigap_orchestrator.scoring.reading.found import Found, Passage, Step

_OPERATORS = frozenset(("plus", "minus", "times", "x"))
_BY = frozenset(("divided", "multiplied"))
_HEDGE_BEFORE = re.compile(
    r"(?:at least|at most|(?:more|less|fewer|greater|higher|lower|other) than|over|under|above|below|up to|upwards of"
    r"|minimum|maximum|minimum of|maximum of|as many as|as few as|no more than|exceeding|exceeds|could be|might be"
    r"|may be|between)(?: about| around| roughly)?$"
)
_HEDGE_AFTER = re.compile(
    r"^(?:or (?:more|less|fewer|higher|greater|above|over|above)|and up|plus$|at least$|at most$)"
)
_NEGATORS = frozenset(("not", "never", "neither", "nor", "without"))
_DENIED_AFTER = re.compile(
    r"^(?:\w+ )?(?:is|was|are|were|would be|seems) (?:not(?! only| just| bad)|wrong|incorrect|false)\b"
)
_COMPARED = re.compile(
    r"^(?:\w+ ){0,2}(?:more|less|fewer|greater|older|younger|taller|higher|lower|bigger|larger|longer|shorter|times)"
    r"(?: \w+){0,3} (?:than|as)\b"
)
_OUT_OF = re.compile(r"\bout of(?: [a-z]+)?$")
_FRACTION = re.compile(r"\b(?:fraction|proportion|share|probability|chance|likelihood)\b")
_LABELS = frozenset(
    listed(
        "step chapter page figure table question case option problem example line method equation section grade route",
        "level version act highway channel room apollo article verse",
    )
)
_MULTIPLES = frozenset(listed("pair pairs couples"))
"""A number of these is a number of something else than what is counted: "4 pairs of legs"."""
_PREPOSITIONS = frozenset(listed("in at on within every per for during after before since by each with from"))
_MAX_NUMBERS = 50
"""Numbers that are read of one clause: a clause with more repeats itself."""
_SEQUENCE = frozenset(listed("first then next finally after afterwards now later initially"))
_RISE = re.compile(
    r"\b(?:rose|rise|increased?|grew|dropped|fell|went|changed|reduced|decreased|goes|improved|raised|jumped|cut) "
    r"(?:\w+ ){0,3}from\b"
)
_RATIO = re.compile(r"\b(?:ratio|odds|score|from what to what|range)\b")


@dataclass(slots=True)
class _Candidate:
    quantity: Quantity
    clause: Clause
    position: int
    rank: int
    is_operand: bool = False
    is_result: bool = False
    is_negated: bool = False
    is_hedged: bool = False

    @property
    def is_concluded(self) -> bool:
        return self.clause.concluded is not None and self.quantity.start >= self.clause.concluded


def find_number(passage: Passage, question: str, language: str, *, golds: Sequence[str] = ()) -> Found | None:
    """Reads the number that a passage states.

    "He starts with 12, gives away 5 (leaving 7), then buys 9, for a total of 16." states 16;
    "Unlike insects, which have six legs, spiders have eight." states 8; "2 or 3" and "at least 2" state none (hedged),
    and "not 2" denies one (negated).

    Args:
        question: as asked. Its counted noun, its unit and its own numbers decide between several numbers.
        golds: normalised gold numbers. Only their form is used: digits read out one by one ("four four") are joined
            if a gold number has as many digits.

    Returns:
        The number in canonical digits, its unit after a space ("1.5 km"); None if the passage has no number.
    """
    wanted = asked(normalise(question, language))

    def normal(text: str) -> str:
        words = re.sub(
            r"(?<!\S)(\d[\d.]*(?: degree| celsius| fahrenheit)?) below 0\b", r"-\1", normalise(text, language)
        )
        # "3 out of 4" is a number of things, unless a part of them is asked for.
        if _FRACTION.search(wanted.text):
            words = re.sub(r"(?<!\S)(\d+) out of (\d+)(?!\S)", r"\1/\2", words)
        return words

    return _find(passage.text, wanted, normal, golds)


def _find(text: str, question: Asked, normal: Callable[[str], str], golds: Sequence[str]) -> Found | None:
    text = plain(text, is_code=question.is_code)
    joined = read_out(normal(text), question, golds, has_commas="," in text)
    if joined is not None:
        return Found(joined)
    clauses = split_clauses(text, normal)
    candidates = _candidates(clauses, question)
    if not candidates:
        return _zero(normal(text), question)
    live = [found for found in candidates if not found.is_operand and not found.is_negated]
    live = _not_taken_back(live, clauses)
    echoed = [found for found in live if not found.clause.is_question]
    live = echoed or live
    if not live:
        denied = any(found.is_negated for found in candidates)
        return Found(None, (Flag.NEGATED,)) if denied else None
    if _is_bare_list(clauses, live):
        return Found(None, (Flag.HEDGED,))
    values = [found.quantity.value for found in live]
    if len(values) > 2 and values == list(range(1, len(values) + 1)):
        return Found(str(live[-1].quantity))  # counts aloud
    chosen = _choose(live, question, _is_worked(text, clauses, candidates, question))
    if (chosen.is_hedged or _has_alternative(chosen, live)) and not question.is_bound:
        return Found(None, (Flag.HEDGED,))
    return Found(str(chosen.quantity)) if chosen.quantity.value is not None else None


def _candidates(clauses: list[Clause], question: Asked) -> list[_Candidate]:
    found: list[_Candidate] = []
    for clause in clauses:
        in_clause = [
            _Candidate(quantity, clause, len(found) + i, clause.rank)
            for i, quantity in enumerate(islice(quantities(clause.words), _MAX_NUMBERS))
            if not (quantity.is_ordinal and question.nouns)  # "how many" is never "7th"
        ]
        for i, candidate in enumerate(in_clause):
            _judge(candidate, in_clause[i + 1] if i + 1 < len(in_clause) else None, question)
        _judge_results(in_clause)
        _judge_alternatives(in_clause, found, question)
        found += in_clause
    return found


def _judge(candidate: _Candidate, following: _Candidate | None, question: Asked) -> None:
    """Sets what the words around one number say about it."""
    words, number = candidate.clause.words, candidate.quantity
    before, after = words[: number.start], words[number.end :]
    left, right = " ".join(before[-4:]), " ".join(after)
    candidate.is_hedged = (
        _HEDGE_BEFORE.search(left) is not None or _HEDGE_AFTER.search(" ".join(words[number.start + 1 :])) is not None
    )
    if re.search(r"\d (?:\w+ )?(?:more|less|fewer|greater) than$", left):
        candidate.is_hedged, candidate.is_operand = False, True  # 5 more than 3
    candidate.is_negated = _is_denied(before) or _DENIED_AFTER.search(right) is not None
    candidate.is_operand = candidate.is_operand or _is_operand(words, number, following)
    if after and after[0] in _MULTIPLES and after[0].rstrip("s") not in question.text:
        candidate.is_operand = True
    if _COMPARED.search(right) and not question.is_comparison:
        candidate.rank = ASIDE
    last = before[-1] if before else ""
    is_one_of = bool(before[-2:-1]) and last == "of" and before[-2] == "1"
    if last in _LABELS or is_one_of or _OUT_OF.search(left):
        candidate.rank = ASIDE
    elif number.is_ordinal or after[:1] == ["of"] or last in _PREPOSITIONS:
        candidate.rank = max(candidate.rank, MODIFIER)
    if candidate.is_concluded and not candidate.is_operand and candidate.rank < ASIDE:
        candidate.rank = MAIN


def _is_denied(before: list[str]) -> bool:
    for i in range(len(before) - 1, max(-1, len(before) - 8), -1):
        if before[i] in _NEGATORS:
            return before[i + 1 : i + 2] not in (
                ["only"],
                ["just"],
                ["merely"],
                ["until"],
                ["more"],
                ["less"],
                ["fewer"],
                ["sure"],
            )
    return False


def _is_operand(words: list[str], number: Quantity, following: _Candidate | None) -> bool:
    def next_word(start: int) -> int:
        # Up to two words of what is counted: "8 apples plus 2".
        return next((i for i in range(start, min(start + 3, len(words))) if words[i] in _OPERATORS | _BY), -1)

    at = next_word(number.end)
    if at >= 0 and following is not None and following.quantity.start <= at + 3:
        return True
    if following is not None and words[number.end : following.quantity.start] in (["of"], ["percent", "of"]):
        return number.unit == "percent" or "/" in number.text
    before = words[: number.start]
    tail = before[-1:] if before[-1:] != ["by"] else before[-2:-1]
    if tail and (tail[0] in _OPERATORS or tail[0] in _BY):
        return any(word[-1].isdigit() for word in before[:-1])
    return before[-1:] == ["of"] and len(before) > 1 and (before[-2] == "percent" or "/" in before[-2])


def _judge_results(candidates: list[_Candidate]) -> None:
    """The number after "equals", or after the verb that follows an arithmetic expression, is a result."""
    operands = False
    for candidate in candidates:
        before = candidate.clause.words[: candidate.quantity.start]
        while before and before[-1] in ("about", "approximately", "around", "roughly", "to", "just", "exactly"):
            before = before[:-1]
        after_equals = before[-1:] == ["equals"]
        verb = operands and bool(
            set(before[-2:]) & {"is", "are", "leaves", "gives", "makes", "equal", "get", "leaving", "was"}
        )
        candidate.is_result = (after_equals or verb) and not candidate.is_operand
        operands = operands or candidate.is_operand


def _judge_alternatives(candidates: list[_Candidate], earlier: list[_Candidate], question: Asked) -> None:
    """Marks "2 or 3", "2 to 4" and "between 2 and 4" as hedged; "rose from 2 to 4" states 4."""
    for first, second in pairwise(candidates):
        words = first.clause.words
        between = words[first.quantity.end : second.quantity.start]
        short = between[:-1] if len(between) == 2 and between[-1] != "to" else between
        link = between[0] if len(between) == 1 else (between[-1] if len(between) == 2 else "")
        if first.quantity.value == second.quantity.value or first.is_operand or second.is_operand:
            continue
        different = bool(first.quantity.unit and second.quantity.unit and first.quantity.unit != second.quantity.unit)
        if link == "or" and different:
            second.rank = ASIDE  # 1.5 km or 0.93 miles
        elif link == "or" or (link == "and" and "between" in words[: first.quantity.start]):
            first.is_hedged = second.is_hedged = True
        elif link == "to" and short and not _RATIO.search(question.text):
            if _RISE.search(" ".join(words[: first.quantity.start])):
                first.rank = ASIDE
            else:
                first.is_hedged = second.is_hedged = True
    if candidates and earlier and candidates[0].clause.words[0] == "or":
        last = earlier[-1]
        same_sentence = last.clause.sentence == candidates[0].clause.sentence
        units = last.quantity.unit, candidates[0].quantity.unit
        if all(units) and units[0] != units[1]:
            candidates[0].rank = ASIDE  # 4 minutes, or 240 seconds
        elif same_sentence and last.quantity.value != candidates[0].quantity.value and not candidates[0].clause.rank:
            last.is_hedged = candidates[0].is_hedged = True


def _not_taken_back(live: list[_Candidate], clauses: list[Clause]) -> list[_Candidate]:
    """Without what a later "no, wait" or "sorry, I mean" takes back."""
    for i in range(len(clauses) - 1, -1, -1):
        if not clauses[i].is_correction:
            continue
        later = [found for found in live if found.clause.index >= i]
        if later and len(later) < len(live):
            return later
    return live


def _is_bare_list(clauses: list[Clause], live: list[_Candidate]) -> bool:
    """Whether the answer is nothing but different numbers: "2, 3, 4"."""
    words = [word for clause in clauses for word in clause.words if word != "and"]
    values = {found.quantity.value for found in live}
    return len(values) > 1 and all(re.fullmatch(r"-?\d[\d./]*", word) for word in words)


def _has_alternative(chosen: _Candidate, live: list[_Candidate]) -> bool:
    """Whether the number is one of several that are named in a row: "7, 8 or 9", "maybe 7, maybe 8"."""
    others = [
        found
        for found in live
        if found.clause.sentence == chosen.clause.sentence and found.quantity.value != chosen.quantity.value
    ]
    if len(chosen.clause.words) == 1 and any(found.is_hedged and found.position > chosen.position for found in others):
        return True
    doubts = ("maybe", "perhaps", "possibly")
    return chosen.clause.words[0] in doubts and any(found.clause.words[0] in doubts for found in others)


def _is_worked(text: str, clauses: list[Clause], candidates: list[_Candidate], question: Asked) -> bool:
    """Whether the answer computes, so that its last statement is the result."""
    if any(found.is_operand or found.is_result for found in candidates):
        return True
    sequence = any(set(clause.words[:2]) & _SEQUENCE for clause in clauses)
    return question.is_worked or (sequence and len(candidates) > 2)


def _choose(live: list[_Candidate], question: Asked, is_worked: bool) -> _Candidate:
    stated = [found for found in live if found.rank == MAIN]
    stated = stated or [found for found in live if found.rank == MODIFIER] or live
    given = {quantity.value for quantity in quantities(question.text.split())}
    if is_worked:
        if all(found.quantity.value in given for found in stated):
            # "20 apples cost 4 times as much, which is 8 dollar": the only new number is the answer.
            stated = [found for found in live if found.rank == MODIFIER and found.quantity.value not in given] or stated
        last = stated[-1].clause.sentence
        stated = [found for found in stated if found.clause.sentence == last]
        concluded = [found for found in stated if found.is_concluded]
        # "so 8 - 2 = 6 and 6 + 1 = 7": the calculation goes on after its conclusion.
        on = [found for found in stated if concluded and found.is_result and found.position > concluded[-1].position]
        stated = on or concluded or stated
        clause = stated[-1].clause
        stated = [found for found in stated if found.clause is clause]
        results = [found for found in stated if found.is_result]
        return results[-1] if results else _best(stated, question, last=False)
    concluded = [found for found in stated if found.is_concluded]
    if concluded:
        clause = concluded[-1].clause
        stated = [found for found in concluded if found.clause is clause]
    return _best(stated, question, last=False)


def _best(stated: list[_Candidate], question: Asked, *, last: bool) -> _Candidate:
    """The number whose noun, unit and clause fit the question best; the first of equals."""
    given = {quantity.value for quantity in quantities(question.text.split())}

    overlaps: dict[int, int] = {}

    def fit(found: _Candidate) -> tuple[bool, int, int, bool]:
        noun = _fits_noun(found, question)
        if found.clause.index not in overlaps:
            overlaps[found.clause.index] = len(question.stems & {stem(word) for word in found.clause.words})
        return noun > 0, overlaps[found.clause.index], noun, found.quantity.value not in given

    fits = [fit(found) for found in stated]
    best = max(fits)
    equals = [found for found, value in zip(stated, fits, strict=True) if value == best]
    return equals[-1] if last else equals[0]


def _fits_noun(found: _Candidate, question: Asked) -> int:
    """2 if the number has the noun or unit that the question asks for, 1 if it has none, 0 if it has another."""
    if found.quantity.is_ordinal and not re.search(r"\b(?:place|rank|position|which|order|century)\b", question.text):
        return 0
    unit = found.quantity.unit
    after = [stem(word) for word in found.clause.words[found.quantity.end : found.quantity.end + 3]]
    if unit:
        if question.kind:
            return 2 if dimension(unit) == question.kind else 0
        return 2 if stem(unit) in question.nouns else (0 if question.nouns else 1)
    if question.nouns:
        if question.nouns[0] in after:
            position = after.index(question.nouns[0])
            return 2 if "of" not in after[:position] else 0
        return 1 if not after or found.clause.words[found.quantity.end] in _ENDS else 0
    return 1


_ENDS = frozenset(listed("in at on for of to by with is are was were left and or of remain each per as"))


def _zero(text: str, question: Asked) -> Found | None:
    """An answer without a number: "none", "it has no moons", "twice"."""
    words = [stem(word) for word in text.split()]
    if re.search(r"\bhow (?:many|often)\b", question.text):
        times = {"once": "1", "twice": "2", "thrice": "3"}
        for word in text.split():
            if word in times and "time" in question.text:
                return Found(times[word])
        if text in ("none", "no", "nothing", "nobody") or re.match(r"^(?:none|there are none|it has none)\b", text):
            return Found("0")
        for i, word in enumerate(words[:-1]):
            if word in ("no", "any") and words[i + 1] in question.nouns[:1] and (word == "no" or "not" in words[:i]):
                return Found("0")
    return None


@dataclass(frozen=True, slots=True)
class NumberMatch:
    """A number read from an answer.

    Attributes:
        score: 1 if it equals a gold number, else 0.
        number: its canonical digits; None if the answer states none.
        flags: `hedged` or `negated`.
    """

    score: float
    number: str | None
    flags: tuple[Flag, ...] = ()


def number_match(answer: str, golds: Sequence[str], *, question: str = "", tolerance: float = 0.0) -> NumberMatch:
    """Reads the number of an answer and compares it; all texts are normalised."""
    found = _find(answer, asked(question), str, golds)
    if found is None or found.value is None:
        return NumberMatch(0.0, None, found.flags if found else ())
    right = same_number(found.value, golds, question=question, tolerance=tolerance)
    return NumberMatch(float(right), found.value.split(" ")[0], found.flags)


__all__ = ["NumberMatch", "Step", "find_number", "number_match", "same_number"]
