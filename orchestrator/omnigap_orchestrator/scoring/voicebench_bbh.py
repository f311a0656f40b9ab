"""The verdict that VoiceBench reads from an answer to its four BIG-Bench Hard tasks, without the coin that it throws.

src/evaluator/bbh.py of github.com/MatthewCYM/VoiceBench (commit 5338154) lists some 300 phrases, collected from the
answers of its models, and throws a coin where none occurs. Here stand a few patterns that read each of those phrases
as it does, slips included, and others of their kind too; where nothing is found the answer is unparsable, and wrong.
"""

from __future__ import annotations

import re

from omnigap_orchestrator.scoring.voicebench_letters import clean

TASKS = ("sports_understanding", "hyperbaton", "navigate", "web_of_lies")
GOLDS = {"yes": True, "no": False, "(a)": False, "(b)": True}
"""A gold answer as the verdict that it stands for; of two sentences, B is the true one."""

_BLANKED = re.compile(r'[:"\-,.：]|\*\*|<\|turn_end\|>')

_NO, _YES = "(?P<no>no|false)", "(?P<yes>yes|true)"
_STATED = re.compile(
    r"(?:\banswer(?: is)?|i would answer|answer as|answer to the question(?: .{1,200}?)? is|conclusion|"
    r"original question)"
    rf"(?: directly| without any modification)* (?:\$?\\boxed\{{)?(?:\\text\{{)?(?:{_NO}|{_YES})"
)
_STARTS = re.compile(rf"{_NO}|{_YES}")
_ENDS = re.compile(rf"(?:{_NO}|{_YES})$")

_LINK = (
    "is|would|should|be|directly|in|found|provided|the|without|any|modification|with|of|for|are|correct|"
    "adjectives?|order|sentence|options?"
)
_NAMED = re.compile(
    rf"(?:answer|order|options?|sentence|one|adjectivs|adjectives)(?: (?:{_LINK})){{0,12}}?"
    r" (?:is|be|for|modification|option)"
    r"(?: (?:is|in|the|found|provided|.{1,80}? option)){0,3}? [\[(]?(?:option |sentence )?\(?"
    r"(?:(?P<no>a)|(?P<yes>b))(?![\w'])"
    r"|final answer (?:(?P<first>a)|(?P<second>b))(?![\w'])"
)
_FAVOURED = re.compile(
    r"(?:option|sentence) \(?(?:(?P<no>a)|(?P<yes>b))\)? "
    r"(?:has|have|follows|correctly|uses|seems|.{1,80}? seems to have|(?:is|would be) (?!incorrect|wrong|not|less)|"
    r"the adjectives|(?:are )?in the correct)"
    r"|adjectives in option (?:(?P<first>a)|(?P<second>b)) are in"
)
_PLACED = re.compile(r"is (?:in )?the (?:(?P<no>first)|(?P<yes>second)) option")
_LEADING = re.compile(r"(?:(?P<no>a)|(?P<yes>b))[ )]")

_PLAUSIBLE_SLIP = re.compile(r"the sentence (?!is |s )(?:.{1,200}?) is not plausible(?! statement)")
_IMPLAUSIBLE = re.compile(
    r"(?:not|modification of answer not) (?:a |an |entirely |particularly |very )*(?:plausible|possible|accurate)"
    r"|implausible|unlikely"
)
_PLAUSIBLE = re.compile(
    r"(?:is|it|seems|appears|making|be|generally|likely)"
    r"(?: it| to be| a| an| the| indeed| structurally| generally| likely)* (?:plausible|possible|true)"
    r"|plausible\? yes|correct and makes sense|flexible and realistic"
)
_START = r"(?:starting (?:point|position)|where (?:you|i|we) started)"
_AWAY = re.compile(rf"(?:\bnot\b|cannot|n t\b)(?:(?! but ).){{0,60}}?{_START}")
_BACK = re.compile(
    rf"(?:return|moved? back|end up|bring|back|answer is|are|be)(?:s|ed|ing)?\b.{{0,40}}?{_START}|yes following these"
)
_LIAR = re.compile(
    r"answer is .{1,200}? (?:tells a lie|lies|says lie|(?:does|did)(?:n t| not) tell the truth)|cannot be true"
    r"|(?:does not tell the truth|cannot be telling the truth|is lying|tells the lie|lies)$|prefix no applies"
)
_HONEST = re.compile(
    r"answer is (?:.{1,200}? (?:tells the truth|does tell the truth)|the truth)"
    r"|(?:conclude that|truly|affirmatively) .{1,200}? tells the truth"
    r"|(?:telling the truth|must be lying|tells the truth|does tell the truth)$"
)
"""`must be lying` reads as the truth in the published rules."""


def published_verdict(response: str, item_id: str) -> bool | None:
    """What VoiceBench reads: True for yes, true and B; None where it would throw a coin.

    Args:
        item_id: holds the name of the task, as the data set's own ids do.

    Raises:
        ValueError: where it holds none.
    """
    text = " ".join(_BLANKED.sub(" ", clean(response.lower())).split())
    task = next((task for task in TASKS if task in item_id), None)
    if task is None:
        raise ValueError(f"item {item_id!r} names none of VoiceBench's bbh tasks ({', '.join(TASKS)}) in its id")
    if task == "hyperbaton":
        return _first(text, _NAMED, _FAVOURED, _PLACED) if text not in ("a", "b") else False
    stated = _first(text, _STATED)
    if stated is not None:
        return stated
    found = {"sports_understanding": _sports, "navigate": _navigate, "web_of_lies": _lies}[task](text)
    if found is None:
        match = _STARTS.match(text) or _ENDS.search(text)
        found = None if match is None else match["yes"] is not None
    return found


def _first(text: str, *patterns: re.Pattern[str]) -> bool | None:
    """The verdict of the first pattern that occurs."""
    for pattern in patterns:
        match = pattern.search(text)
        if match is not None:
            groups = match.groupdict()
            return groups["yes"] is not None or groups.get("second") is not None
    match = _LEADING.match(text)
    return None if match is None or _STATED in patterns else match["yes"] is not None


def _sports(text: str) -> bool | None:
    if _PLAUSIBLE_SLIP.search(text):
        return True
    if _IMPLAUSIBLE.search(text):
        return False
    return True if _PLAUSIBLE.search(text) else None


def _navigate(text: str) -> bool | None:
    if _AWAY.search(text):
        return False
    return True if _BACK.search(text) else None


def _lies(text: str) -> bool | None:
    if _LIAR.search(text):
        return False
    return True if _HONEST.search(text) else None
