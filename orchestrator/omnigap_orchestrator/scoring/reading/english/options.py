"""Decides which of several options an answer selects: the shared rules of letters and labels.

"B, since A and C are smaller."                 the first clause names B alone
"Among A, B and C, the largest is B."           the last clause concludes B
"A is too small. B is right. C is too big."     B is called right
"Jupiter or Earth", "A and D are large."        undecided: None, never a guess
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from omnigap.vocabulary import Flag
from omnigap_orchestrator.scoring.reading.english.assertion import Stance, stance
from omnigap_orchestrator.scoring.reading.english.marked import find_marked
from omnigap_orchestrator.scoring.reading.found import Found


@dataclass(frozen=True, slots=True)
class Mention:
    """An option at start:end of a marked text."""

    option: str
    start: int
    end: int


def text_mentions(text: str, options: Mapping[str, str]) -> list[Mention]:
    """Where a marked text names an option; the text of one inside that of a longer one does not count.

    Args:
        options: option -> its normalised text.
    """
    found = [Mention(option, *span) for option, phrase in options.items() for span in find_marked(text, phrase)]
    return [
        mention
        for mention in found
        if not any(
            other.start <= mention.start
            and mention.end <= other.end
            and other.end - other.start > mention.end - mention.start
            for other in found
        )
    ]


# Words that may precede the selected option in a terse clause: "so , i think correct answer is".
_LEAD = (
    r"(?:(?:so|well|okay|sure|yes|certainly|and|um|uh|hmm|with|of course|thus|therefore|hence|clearly|obviously|"
    r"definitely|probably|"
    r"i (?:would )?(?:think|believe|guess|say|choose|pick|select|go with|go for|am (?:fairly |quite |pretty )?sure)|"
    r"(?:my |final |correct |right |best |only |most likely )*(?:answer|option|choice|letter|solution|1|number)"
    r"(?: (?:is|was|would be|must be|should be))?|it (?:is|was|must be|would be|has to be)|that (?:is|would be|"
    r"must be)|this is|is|in|at|"
    r"of (?:these |given )?(?:options|choices|planets)|[,:(\-]) )*"
)
_LEAD_ONLY = re.compile(rf"^{_LEAD}$")
_CONCLUDED_BEFORE = re.compile(
    r"\b(?:is|are|be|was|were|so|therefore|thus|hence|consequently|choose|pick|select|equals|means|with|leaves|gives|sounds|looks|seems|feels)"
    r"(?: ?[,:(\-])?(?: (?:in|at|clearly|obviously|definitely|probably|then|only|indeed|called|named|option|"
    r"choice|letter|answer))*(?: ?[,:(])? $|: $"
)
_CONCLUSION = re.compile(
    r"^(?:\W )*(?:so|therefore|thus|hence|consequently|in conclusion|in summary|overall|in short|to sum up|"
    r"finally|as a result|"
    r"that leaves|which leaves|this leaves|leaving|accordingly)\b"
)
_CALLED_RIGHT = re.compile(
    r" it is(?= [.!,]|$)|"
    r"(?: [,)\-])? (?:is|was|would be|must be|looks|seems|fits)(?: clearly| definitely| indeed| therefore| thus)? ?"
    r"(?:correct|right|best|answer|true|correct 1|right 1|only 1|1|most|selected|solution|my answer|"
    r"my choice)\b"
)
_VERDICT = re.compile(
    r"^(?: [,:\-)(=])* (?P<yes>yes|correct|right|true|✓|✔|✅)(?= [,.;:)!]| -|$)|^(?: [,:\-)(=])* (?P<no>no|not|"
    r"incorrect|wrong|false|✗|✘|❌)\b"
)
_LIMIT = " ;.!?"


def decide(text: str, mentions: Sequence[Mention], question: str = "") -> Found | None:
    """The option that the marked text selects.

    Returns:
        None if no option is mentioned; a `Found` without value if the answer leaves it open or only denies options.
    """
    mentions = sorted(mentions, key=lambda mention: (mention.start, -mention.end))
    if not mentions:
        return None
    if (listed := _verdict_list(text, mentions)) is not None:
        return listed
    stances = [stance(text, mention.start, mention.end, question) for mention in mentions]
    asserted = [mention for mention, is_ in zip(mentions, stances, strict=True) if is_ is Stance.ASSERTED]
    options = {mention.option for mention in asserted}
    if len(options) == 1:
        last = asserted[-1]
        open_after = [
            mention
            for mention, is_ in zip(mentions, stances, strict=True)
            if is_ is Stance.HEDGED and mention.end > _sentence_start(text, last.start)
        ]
        # "Jupiter. Or maybe Earth." hedges Jupiter too; "Mars or Earth? Earth." does not hedge its conclusion.
        if open_after and not _is_decided(text, last):
            return Found(None, (Flag.HEDGED,))
        return Found(options.pop())
    if not options:
        if Stance.HEDGED in stances:
            return Found(None, (Flag.HEDGED,))
        return Found(None, (Flag.NEGATED,)) if Stance.DENIED in stances else None
    outside = _without_enumeration(text, asserted)
    leading, concluding = _leading(text, mentions, stances, outside), _concluding(text, outside)
    right = {mention.option for mention in asserted if _CALLED_RIGHT.match(text, mention.end)}
    if leading and concluding and not _CONCLUSION.match(text[_sentence_start(text, outside[-1].start) :]):
        # "It's B. Earth is D.": what follows a terse answer explains it, unless it draws a conclusion.
        concluding = None
    candidates = {option for option in (leading, concluding) if option} or (right if len(right) == 1 else set())
    return Found(candidates.pop()) if len(candidates) == 1 else Found(None, (Flag.HEDGED,) if candidates else ())


def only_option(text: str, mentions: Sequence[Mention]) -> Found | None:
    """The option of a line that holds one and nothing else: "**B) Jupiter**", "So the answer: B"; else None."""
    if len(mentions) != 1:
        return None
    mention = mentions[0]
    is_terse = _LEAD_ONLY.match(text[: mention.start]) is not None and not text[mention.end :].strip(_LIMIT + ",:()")
    return Found(mention.option) if is_terse else None


def _is_decided(text: str, mention: Mention) -> bool:
    return (
        _CONCLUDED_BEFORE.search(text, 0, mention.start) is not None
        or _LEAD_ONLY.match(text[_sentence_start(text, mention.start) : mention.start]) is not None
    )


def _sentence_start(text: str, at: int) -> int:
    return max(text.rfind(f" {mark} ", 0, at) + 3 if f" {mark} " in text[:at] else 0 for mark in ".!?;")


def _sentence_end(text: str, at: int) -> int:
    found = [end for mark in ".!?;" if (end := text.find(f" {mark}", at)) >= 0]
    return min(found) if found else len(text)


def _verdict_list(text: str, mentions: Iterable[Mention]) -> Found | None:
    """ "A: no. B: yes. C: no.": every option has a verdict, and one is yes."""
    yes: set[str] = set()
    no: set[str] = set()
    for mention in mentions:
        if verdict := _VERDICT.match(text[mention.end :]):
            (yes if verdict["yes"] else no).add(mention.option)
    return Found(next(iter(yes))) if len(yes) == 1 and len(no) >= 2 and not yes & no else None


def _without_enumeration(text: str, asserted: Sequence[Mention]) -> list[Mention]:
    """The mentions outside a list of the options: lines or sentences that each start with another option."""
    starts = [
        mention for mention in asserted if not text[_sentence_start(text, mention.start) : mention.start].strip(" (-:")
    ]
    firsts: dict[str, Mention] = {}
    for mention in starts:
        firsts.setdefault(mention.option, mention)
    order = list(firsts)
    if len(order) < 2 or order != sorted(order) or order[0] != "A":
        return list(asserted)
    listed = [(firsts[option].start, _sentence_end(text, _own_end(text, firsts[option]))) for option in order]
    return [mention for mention in asserted if not any(start <= mention.start < end for start, end in listed)]


def _own_end(text: str, mention: Mention) -> int:
    """The end of a mention with a following mark: "b ." of "B. Jupiter is large." is the start of its sentence."""
    return mention.end + 2 if text[mention.end : mention.end + 2] in (" .", " )", " :") else mention.end


def _leading(
    text: str, mentions: Sequence[Mention], stances: Sequence[Stance], outside: Sequence[Mention]
) -> str | None:
    """The option of the first clause, if the clause holds nothing else: "B, since ...", "It's B. Earth is D."."""
    first = next((mention for mention, is_ in zip(mentions, stances, strict=True) if is_ is not Stance.MENTIONED), None)
    if first is None or first not in outside:
        return None
    if _LEAD_ONLY.match(text[: first.start]) is None:
        return None
    after = text[first.end :].lstrip()
    return (
        first.option
        if not after or after[0] in ",.;:!?()-" or after.startswith(("because ", "since ", "as ", "which "))
        else None
    )


def _concluding(text: str, outside: Sequence[Mention]) -> str | None:
    """The option that ends the last sentence with one: "..., so B.", "the largest is B."."""
    if not outside:
        return None
    last = outside[-1]
    start, end = _sentence_start(text, last.start), _sentence_end(text, last.end)
    inside = {mention.option for mention in outside if start <= mention.start < end}
    sentence = text[start : last.start]
    rest = text[last.end : end].strip(" ,)(:-")
    # "D. It is too big.": a letter with text after it is an entry of a list, and not a last word.
    if _LEAD_ONLY.match(sentence) and not text[last.end :].strip(" .!,)(:-"):
        return last.option
    if _CONCLUDED_BEFORE.search(sentence) and (
        not rest or rest.split(" ", 1)[0] in ("because", "since", "as", "which")
    ):
        return last.option
    return last.option if len(inside) == 1 and _CONCLUSION.match(sentence) else None
