"""Chooses the number or date that a marked text states, among those that it mentions."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from functools import cache
from itertools import pairwise

from omnigap.vocabulary import Flag
from omnigap_orchestrator.scoring.reading.found import Found
from omnigap_orchestrator.scoring.reading.languages import words
from omnigap_orchestrator.scoring.reading.languages.asserted import Mention, Status, judged
from omnigap_orchestrator.scoring.reading.languages.marked import UNSPACED
from omnigap_orchestrator.scoring.reading.languages.words import any_of

_TERSE_WORDS = 4
_TERSE_CHARACTERS = 10
_STEP = {
    "de": r"plus|minus|mal|geteilt|ergibt|addier\w*|subtrahier\w*|abz[uü]ieh\w*|\w*zieh\w*|rest|dann|davon|bleiben",
    "fr": r"plus|moins|fois|divise\w*|donc|ajout\w*|soustra\w*|reste\w*|ensuite|puis|d abord|enleve\w*",
    "es": r"mas|menos|por|dividid\w*|sum\w*|rest\w*|quedan?|luego|despues|primero|entonces",
    "it": r"piu|meno|per|divis\w*|somm\w*|sottra\w*|restano|rimangono|poi|quindi|prima",
    "pt": r"mais|menos|vezes|dividid\w*|som\w*|subtra\w*|restam|sobram|depois|entao|primeiro",
    "zh": r"加|减|乘|除|等于|剩|然后|首先|再",
    "ja": r"足|引|掛|割|残|まず|次に|それから|つまり",
    "ko": r"더하|더해|빼|곱하|곱해|나누|나눠|남|결국|먼저|그다음|그러면|합치|합하|주면|사면",
}
"""Words of a calculation in steps, after which the last number is the result."""


@cache
def _patterns(primary: str) -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    spaced = primary not in (*UNSPACED, "ko")
    start, end = (r"(?<!\w)", r"(?!\w)") if spaced else ("", "")
    range_ = any_of(words.RANGE, primary)
    return (
        re.compile(rf"{start}{any_of(words.CONCLUSION, primary)}{end}"),
        re.compile(rf"{start}(?:{_STEP[primary]}){end}"),
        re.compile(
            rf"(?:\s?[^\s\d|]{{0,3}})?\s?{range_}\s?$"
            if primary in UNSPACED
            else rf"(?:[^\s\d|]*)?(?: [^\s\d|]+)? ?{range_} $"
        ),
    )


def choose(
    text: str,
    mentions: Sequence[Mention],
    primary: str,
    *,
    known: Collection[str] = (),
    key: Callable[[str], object] = lambda value: value.split(" ")[0],
) -> Found | None:
    """The value that the text states: the only one, that of a terse first sentence, or the result of its steps.

    Denied and open mentions are left out, and so are values that the question holds, if there are others. Of several
    that are left, the one after the last word of conclusion counts ("insgesamt"), then that of a terse first sentence,
    then the last one of a calculation. Otherwise the text is ambiguous.

    Args:
        known: keys of values in the question.
        key: what makes two values the same.
    """
    if not mentions:
        return None
    states = judged(text, mentions, primary, counts=True)
    ranged = _ranged(text, [mention for mention, _ in states], primary)
    states = [(mention, Status.OPEN if mention in ranged else state) for mention, state in states]
    asserted = [mention for mention, state in states if state is Status.ASSERTED]
    # An open count of something new leaves the answer open, whatever else is repeated from the question.
    if any(state is Status.OPEN and key(m.value) not in known for m, state in states) and all(
        key(m.value) in known for m in asserted
    ):
        return Found(None, (Flag.HEDGED,))
    if not asserted:
        return Found(None, (Flag.HEDGED if any(s is Status.OPEN for _, s in states) else Flag.NEGATED,))
    new = [mention for mention in asserted if key(mention.value) not in known] or asserted[-1:]
    if len({key(mention.value) for mention in new}) == 1:
        return Found(new[0].value)
    # "One day has 24 hours": the unit that is spoken of.
    rest = [mention for mention in new if not _is_unit(text, mention)]
    if len({key(mention.value) for mention in rest}) == 1:
        return Found(rest[0].value)
    return _among(text, rest or new, primary, key)


_TIME = re.compile(
    r"1 ?(?:년|시간|주일|주|달|개월|분|세기|일(?!\d)|天|年|周|小时|个小时|分钟|世纪|个月|个星期|"
    r"日|週間|時間|分|世紀|か月)"
)


def _is_unit(text: str, mention: Mention) -> bool:
    return mention.value.split(" ")[0] == "1" and _TIME.match(text, mention.start) is not None


def _among(text: str, new: Sequence[Mention], primary: str, key: Callable[[str], object]) -> Found:
    conclusion, step, _ = _patterns(primary)
    for match in reversed(list(conclusion.finditer(text))):
        end = text.find("||", match.end())
        end = len(text) if end < 0 else end
        after = [mention for mention in new if match.end() <= mention.start < end]
        if after:
            return Found(after[0].value)
    first, _, _ = text.partition("||")
    inside = [mention for mention in new if mention.start < len(first)]
    size, limit = (len(first), _TERSE_CHARACTERS) if primary in UNSPACED else (len(first.split()), _TERSE_WORDS)
    steps = step.search(text) is not None
    if not steps and size <= limit and len({key(mention.value) for mention in inside}) == 1:
        return Found(inside[0].value)
    return Found(new[-1].value if steps else None)


def _ranged(text: str, mentions: Sequence[Mention], primary: str) -> list[Mention]:
    """Both ends of each range: 2 bis 4, 2개에서 4개 사이."""
    pattern = _patterns(primary)[2]
    found: list[Mention] = []
    for first, second in pairwise(mentions):
        between = first.ending + text[first.end : second.start]
        if pattern.fullmatch(between) and not (primary == "ko" and re.match(r"[을를]", second.ending)):
            found += [first, second]
    return found
