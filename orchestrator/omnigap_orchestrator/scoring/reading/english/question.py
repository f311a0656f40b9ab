"""What a question asks for: the noun that it counts, the kind of unit, and the words that its answer may repeat."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from omnigap_orchestrator.scoring.normalise.numbers import listed
from omnigap_orchestrator.scoring.normalise.quantities import ALIASES
from omnigap_orchestrator.scoring.reading.english.quantity import dimension

_STOP = frozenset(
    listed(
        "a an the of in on at to for from by with and or is are was were be been do does did has have had how many",
        "much what when which who where why whose long year date day month time will would can could should it its",
        "he she they his her their them him this that these those there than as into after before during if each",
        "per all total number not left now more most get gets got one you your i we us please give answer",
    )
)
# Irregular forms, and words of one meaning: an answer may say "began" where the question says "start".
_SAME = {
    form: stem
    for stem, forms in {
        "start": "began begin begun begins beginning start commence commenced broke outbreak onset",
        "end": "end ended finish finished conclude concluded ceas ceased over surrendered surrender until",
        "birth": "born birth birthday",
        "death": "die died dies death dead dying",
        "build": "built build building construct constructed",
        "found": "founded found established establish creat created",
        "write": "wrote written write writing",
        "publish": "publish published releas released release",
        "land": "landed land landing touched",
        "launch": "launched launch lifted liftoff",
        "win": "won win winning",
        "sell": "sold sell",
        "buy": "bought buy",
        "become": "became become",
        "sink": "sank sunk sink",
        "fall": "fell fallen fall",
        "fly": "flew flown fly",
        "marry": "married marry wedding",
        "sign": "signed sign",
        "discover": "discovered discover discovery",
        "invent": "invented invent invention",
        "foot": "feet foot",
        "person": "people person persons",
        "child": "children child kids kid",
        "tooth": "teeth tooth",
        "mouse": "mice mouse",
        "man": "men man",
        "woman": "women woman",
    }.items()
    for form in forms.split()
}
_COUNT = re.compile(r"\b(?:how many|number of|count of) ((?:[a-z]+ ?){1,4})")
_PLURALS = frozenset(listed("people children feet teeth men women mice"))
_NOUN_END = frozenset(
    listed(
        "do does did is are was were has have had can could will would should must may might in on at of to for from",
        "by with there are left remain per each if when after that were you he she they it we i make live",
    )
)
_KINDS = (
    ("percent", r"(?<!\d )\bpercent(?:age)?\b|\bwhat (?:share|proportion)\b"),
    (
        "currency",
        r"\b(?:how much (?:money|\w+ (?:cost|earn|pay|spend|make|owe))|costs?|prices?|dollars?|euros?|earns?)\b",
    ),
    ("time", r"\bhow long (?:does|did|will|is it|has|do|would|it)\b|\bhow old\b|\bhow much time\b|\bwhat age\b"),
    ("length", r"\bhow (?:far|tall|high|deep|wide|big)\b|\bwhat (?:is )?(?:height|length|distance|width|depth)\b"),
    ("mass", r"\bhow (?:heavy|much (?:does|do|did) .* weigh)\b|\bweight\b|\bmass\b"),
    ("temperature", r"\btemperature\b|\bdegrees?\b|\bhow (?:hot|cold|warm)\b"),
)


@lru_cache(maxsize=1 << 14)
def stem(word: str) -> str:
    """A short form that a word shares with its other forms: "ended", "ends" and "end" have one."""
    if word in _SAME:
        return _SAME[word]
    for ending, rest in (("ies", "y"), ("ied", "y"), ("ing", ""), ("ed", ""), ("es", ""), ("s", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word[: -len(ending)] + rest
            break
    return _SAME.get(word.rstrip("e"), word.rstrip("e"))


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question asks for.

    Attributes:
        text: the normalised question.
        nouns: stems of the counted noun: "how many grey cats" -> cat, gray.
        kind: dimension of the unit ("currency", "time", ...), or "".
        stems: stems of the other content words.
        is_code: whether it asks for digits that are read one by one: a phone number, a code.
        is_worked: whether it gives at least two numbers to compute with.
        is_comparison: whether a comparison ("5 more than") may be the answer.
        is_bound: whether a limit ("at least 5") may be the answer.
    """

    text: str
    nouns: tuple[str, ...]
    kind: str
    stems: frozenset[str]
    is_code: bool
    is_worked: bool
    is_comparison: bool
    is_bound: bool


@lru_cache(maxsize=1 << 12)
def asked(question: str) -> Asked:
    """Reads a normalised question."""
    nouns: list[str] = []
    if match := _COUNT.search(question):
        for word in match[1].split():
            if word in _NOUN_END:
                break
            nouns.insert(0, stem(word))
            # The plural ends the noun: in "how many bridges cross the river", "cross" is a verb.
            if word in _PLURALS or (word.endswith("s") and not word.endswith("ss")):
                break
    kind = next((kind for kind, pattern in _KINDS if re.search(pattern, question)), "")
    if match:
        unit = next((ALIASES[word] for word in match[1].split()[:1] if word in ALIASES), "")
        kind = dimension(unit) if unit else ""
    elif unit_match := re.search(r"\bin (\w+)$", question):
        kind = dimension(ALIASES[unit_match[1]]) if unit_match[1] in ALIASES else kind
    words = [word for word in question.split() if word not in _STOP and not word[0].isdigit() and len(word) > 2]
    return Asked(
        text=question,
        nouns=tuple(nouns),
        kind=kind,
        stems=frozenset(stem(word) for word in words) - frozenset(nouns),
        is_code=re.search(
            r"\b(?:phone|telephone|code|pin|digits|zip|postcode|extension|serial|password|which number|dial|call)\b",
            question,
        )
        is not None,
        is_worked=len(re.findall(r"(?<!\S)-?\d[\d./]*(?!\S)", question)) > 1,
        is_comparison=re.search(r"\b(?:more|fewer|less|than|older|younger|taller|times|difference)\b", question)
        is not None,
        is_bound=re.search(r"\b(?:at least|at most|minimum|maximum|min|max|least|most|fewest|limit)\b", question)
        is not None,
    )
