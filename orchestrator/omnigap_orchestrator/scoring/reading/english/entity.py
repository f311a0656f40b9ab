"""Finds out whether an answer asserts a gold answer: a name, a word or a phrase.

"The capital is Lyon. Paris was never the capital."     denied
"Paris or London"                                       hedged
"Martha Washington" for Washington                      another name
"Van Gogh", "van Gogh, Vincent", "Alexander Flemming"   the same name
"It was signed in Washington" after "Who ...?"          a place, no person
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from omnigap.vocabulary import AnswerType, Flag
from omnigap_orchestrator.scoring.normalise import normalise
from omnigap_orchestrator.scoring.normalise.numbers import listed
from omnigap_orchestrator.scoring.reading.english.assertion import Stance, stance
from omnigap_orchestrator.scoring.reading.english.marked import find_marked, marked, without_possessives
from omnigap_orchestrator.scoring.reading.found import Found, Passage, Step

_TITLES = frozenset(
    listed(
        "president king queen prince princess emperor empress pope saint sir dame lord lady mister missus",
        "miss ms doctor professor general colonel captain major admiral senator governor chancellor minister",
        "judge justice father mother brother sister uncle aunt reverend rabbi sheikh sultan tsar czar duke",
        "duchess count countess baron young old great inventor author writer painter artist composer",
        "scientist physicist chemist biologist philosopher poet actor actress singer director explorer",
        "astronaut player coach rapper founder",
    )
)
_NO_NAMES = frozenset(
    listed(
        "it is was are were be the a an and but so yes no not by in of at to for from with on that this his",
        "her he she they i its as named called answer city capital country definitely probably maybe perhaps",
        "certainly surely actually well okay sure also then think say guess believe choose famous great",
        "former first last",
    )
)
_PERSON = re.compile(
    r"\b(?:who|whom|whose|author|writer|painter|artist|composer|president|inventor|scientist|physicist|chemist|philosopher|poet|actor|"
    r"actress|singer|director|explorer|astronaut|player|king|queen|leader|mathematician|person|man|woman|discoverer|founder|musician)\b"
)
_PARTICLES = frozenset(
    listed(
        "van von de da di del della der den la le du bin ibn al el ter ten",
    )
)


def find_gold(
    passage: Passage,
    golds: Sequence[str],
    *,
    answers: Sequence[str] = (),
    language: str = "en",
    question: str = "",
    distractors: Sequence[str] = (),
    answer_type: AnswerType = AnswerType.ENTITY,
) -> Found | None:
    """Finds the gold answer that a passage asserts.

    Args:
        golds: all normalised forms of the gold answers.
        answers: the gold answers as written; their case tells names from common nouns.
        question: normalised.
        distractors: normalised wrong alternatives that the question names.

    Returns:
        A `Found` without value if the passage states something else, or denies or hedges every gold answer; None if it
        says nothing.
    """
    whole = normalise(passage.text, language)
    if not whole:
        return None
    for gold in golds:
        if whole == gold or (is_name(gold, answers, language) and _is_same_name(whole, gold, question)):
            return Found(gold)
    if passage.step in (Step.FIRST_LINE, Step.LAST_LINE):
        return _line(passage, golds, language, question)
    text = marked(passage.text, language)
    if not any(_mentions(text, gold) for gold in golds):
        # Not always: the 's belongs to a gold answer such as "McDonald's".
        text = marked(without_possessives(passage.text), language)
    stances: list[Stance] = []
    asserted: str | None = None
    for gold, start, end in _gold_mentions(text, golds):
        found = stance(text, start, end, question)
        if found is Stance.ASSERTED:
            if _is_another_name(passage.text, text, start, end, gold, golds, answers, language):
                found = Stance.MENTIONED
            elif _is_undecided(text, start, end, golds, distractors):
                found = Stance.HEDGED
            else:
                asserted = asserted or gold
        stances.append(found)
    if asserted is not None:
        return Found(asserted)
    if (name := _initialism(passage.text, golds, answers, language)) is not None:
        return Found(name)
    if (tail := _surname(text, golds, answers, language, question)) is not None:
        return Found(tail)
    if Stance.HEDGED in stances:
        return Found(None, (Flag.HEDGED,))
    if Stance.DENIED in stances:
        return Found(None, (Flag.NEGATED,))
    # A final statement that names something else is the answer, and it is wrong. A sentence with a verb of its own may
    # lead to the answer: "the answer is that France chose its capital early: Paris".
    is_short = len(whole.split()) <= _MAX_STATEMENT_WORDS and _VERB.search(whole) is None
    return Found(None) if passage.step is Step.TERSE or is_short else None


_MAX_NAME_WORDS = 4
_MAX_STATEMENT_WORDS = 8
_VERB = re.compile(r"\b(?:is|are|was|were|has|have|had|can|will|would|does|do|did|be)\b")


def _line(passage: Passage, golds: Sequence[str], language: str, question: str) -> Found | None:
    """A short line that asserts a gold answer; one with other words may be a heading, so it decides nothing."""
    text = marked(passage.text, language)
    for gold in golds:
        for start, end in find_marked(text, gold):
            others = len(text[:start].split()) + len(text[end:].split())
            if others <= _MAX_NAME_WORDS and stance(text, start, end, question) is Stance.ASSERTED:
                return Found(gold)
    if _NAME_LINE.fullmatch(passage.text.strip()):
        return Found(None)
    return None


# A line that is a name by itself: capitalised words, at most four: "Lyon", "Lyon, France.".
_NAME_LINE = re.compile(r"(?:[A-Z][\w'’-]+[ ,]*){1,2}[.!]?")


def _gold_mentions(text: str, golds: Sequence[str]) -> list[tuple[str, int, int]]:
    """Mentions of gold answers, without those inside a longer one: Leonardo in "Leonardo da Vinci"."""
    found = [(gold, start, end) for gold in golds for start, end in _mentions(text, gold)]
    return [
        (gold, start, end)
        for gold, start, end in found
        if not any(first <= start and end <= last and last - first > end - start for _, first, last in found)
    ]


def _initialism(raw: str, golds: Sequence[str], answers: Sequence[str], language: str) -> str | None:
    """The gold name whose initials are the whole answer in capitals: "the US", "U.S." for United States."""
    match = _CAPITALS.fullmatch(raw.strip())
    if match is None:
        return None
    letters = match["letters"].replace(".", "").lower()
    for gold in golds:
        if is_name(gold, answers, language) and "".join(word[0] for word in gold.split()) == letters:
            return gold
    return None


_CAPITALS = re.compile(r"(?i:(?:it is|it's|the|in|by) )*(?P<letters>[A-Z]{2,6}|(?:[A-Z]\.){2,6})[.!]?")


def _mentions(text: str, gold: str) -> list[tuple[int, int]]:
    spans = find_marked(text, gold)
    if spans or len(gold) < _MIN_SPELLED:
        return spans
    # Doubled letters are a matter of spelling, and so are the spaces inside a name: Flemming, Davinci, newyork.
    wanted = _spelling(gold)
    words = [(match[0], match.start(), match.end()) for match in re.finditer(r"[^\s,.;:!?()\-/]+", text)]
    size = len(gold.split())
    for count in {size, size - 1, size + 1} - {0}:
        for i in range(len(words) - count + 1):
            window = words[i : i + count]
            if _spelling("".join(word for word, _, _ in window)) == wanted:
                spans.append((window[0][1], window[-1][2]))
    return spans


_MIN_SPELLED = 6
"""Length of a gold answer from which its spelling may vary; shorter words have too many neighbours."""


@lru_cache(maxsize=1 << 14)
def _spelling(words: str) -> str:
    return re.sub(r"([a-z])\1", r"\1", words.replace(" ", ""))


@lru_cache(maxsize=1 << 14)
def _written(gold: str, answers: tuple[str, ...], language: str) -> str:
    """The gold answer as written whose normalised form this is."""
    return next((answer for answer in answers if normalise(answer, language) == gold), gold)


def is_name(gold: str, answers: Sequence[str], language: str) -> bool:
    """Whether a gold answer is written as a name of two or more capitalised words."""
    words = _written(gold, tuple(answers), language).split()
    capitals = [word for word in words if word[:1].isupper()]
    return len(capitals) >= 2 and len(capitals) + sum(word.lower() in _PARTICLES for word in words) == len(words)


def _is_same_name(whole: str, gold: str, question: str) -> bool:
    """ "gogh vincent van", "van gogh vincent": the words of a name in another order, as in "van Gogh, Vincent"."""
    said, wanted = whole.split(), gold.split()
    rotations = {" ".join(wanted[i:] + wanted[:i]) for i in range(1, len(wanted))}
    return " ".join(said) in rotations and len(said) > 1


def _surname(text: str, golds: Sequence[str], answers: Sequence[str], language: str, question: str) -> str | None:
    """The gold name whose surname, with its particles, the answer asserts without another first name."""
    if not _PERSON.search(question):
        return None
    for gold in golds:
        words = gold.split()
        if not is_name(gold, answers, language) or len(words[-1]) < _MIN_SURNAME or words[-1] in ("junior", "senior"):
            continue
        start = len(words) - 1
        while start > 1 and words[start - 1] in _PARTICLES:
            start -= 1
        tail = " ".join(words[start:])
        for begin, end in find_marked(text, tail):
            before = text[:begin].split()
            previous = before[-1] if before else "."
            following = text[end:].split()[:1]
            # "K. Rowling": an initial is a first name, and must be that of the gold answer: "J. S. Bach".
            said, initials = _initials(before), "".join(word[0] for word in words[:start])
            if said and said not in (initials, initials[:1], words[0]):
                continue
            if said or previous == words[0]:
                previous = "."
            is_alone = not previous[0].isalnum() or previous in _NO_NAMES or previous in _TITLES
            # "Washington Irving": the surname may be the first name of somebody else.
            goes_on = (
                bool(following)
                and following[0][0].isalnum()
                and following[0] not in _NO_NAMES
                and not _is_verb(following[0])
            )
            if is_alone and not goes_on and stance(text, begin, end, question) is Stance.ASSERTED:
                return gold
    return None


def _initials(before: Sequence[str]) -> str:
    """The initials at the end of marked words: "j . s" and "js" give js; empty if there are none."""
    letters: list[str] = []
    for word in reversed(before):
        if word == ".":
            continue
        if (
            not word.isalpha()
            or len(word) > _MAX_INITIALS
            or (len(word) > 1 and letters)
            or word in _NO_NAMES | _TITLES
        ):
            break
        letters.insert(0, word)
        if len(word) > 1:
            break
    joined = "".join(letters)
    # "It is Bach": short words are initials only if they have no vowel.
    return joined if len(joined) == 1 or not set(joined) & set("aeiou") or len(letters) > 1 else ""


_MIN_SURNAME = 4
_MAX_INITIALS = 3


def _is_verb(word: str) -> bool:
    return word.endswith(("ed", "s")) or word in (
        "wrote",
        "made",
        "did",
        "found",
        "won",
        "sang",
        "built",
        "led",
        "drew",
        "who",
        "because",
        "since",
    )


def _is_another_name(
    raw: str, text: str, start: int, end: int, gold: str, golds: Sequence[str], answers: Sequence[str], language: str
) -> bool:
    """Whether the mention is part of another, longer name: "Martha Washington", "Iron Man"."""
    written = _written(gold, tuple(answers), language)
    words = written.split()
    if not words:
        return False
    if not any(c.isupper() for c in written):
        # A common noun inside a name: the noun and the word after it are capitalised.
        pattern = rf"\b{re.escape(written[:1].upper() + written[1:])} [A-Z][a-z]+"
        return re.search(pattern, raw) is not None and find_marked(text, gold) == [(start, end)]
    longer = [other for other in golds if other != gold and other.endswith(f" {gold}")]
    if not longer:
        return False
    before = text[:start].split()
    if not before or not before[-1].isalpha() or before[-1] in _NO_NAMES or before[-1] in _TITLES:
        return False
    if any(f"{before[-1]} {gold}" in other for other in longer):
        return False
    # Only a capitalised word is a first name; a text without capitals does not tell.
    return re.search(rf"\b{re.escape(before[-1])}\s+{re.escape(words[0])}", raw, re.I) is not None and (
        re.search(rf"\b{before[-1].capitalize()}\b", raw) is not None
    )


def _is_undecided(text: str, start: int, end: int, golds: Sequence[str], distractors: Sequence[str]) -> bool:
    """Whether the answer repeats a gold answer and an alternative of the question as equals: "star and spoon"."""
    before, after = text[:start], text[end:]
    for distractor in distractors:
        # An alternative that is also an alias is a right answer, so "NYC or New York" is decided.
        if distractor in golds or not distractor:
            continue
        pattern = re.escape(distractor)
        if re.match(rf"(?: ,)? (?:or|and|/) {pattern}\b", after) or re.search(
            rf"\b{pattern}(?: ,)? (?:or|and|/) $", before
        ):
            return True
        if before.strip() == distractor or (re.fullmatch(rf"(?: ,)? {pattern}(?: \.)?", after) and not before.strip()):
            return True
    return False
