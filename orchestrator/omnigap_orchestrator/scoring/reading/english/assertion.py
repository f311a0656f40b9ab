"""Whether an English answer asserts what it mentions.

    "It's not Lyon, it's Paris."            Lyon is denied, Paris asserted
    "Paris... no, sorry, London."           Paris is retracted
    "Many say Paris, but it is Lyon."       Paris is attributed to others
    "Paris or London", "Paris, Rome, ..."   both are hedged
    "Copper, which like iron conducts."     iron is only mentioned

The functions take a marked text (see `clauses.marked`) and the span of a mention. The patterns know no answers: they
describe how English denies, corrects, attributes and leaves open.
"""

from __future__ import annotations

import re
from enum import StrEnum

from omnigap_orchestrator.scoring.normalise.numbers import listed
from omnigap_orchestrator.scoring.reading.english.negation import repeats_after, repeats_before


class Stance(StrEnum):
    """What an answer does with a value that it mentions."""

    ASSERTED = "asserted"
    DENIED = "denied"
    HEDGED = "hedged"
    MENTIONED = "mentioned"


# Phrases with a negation that deny nothing; they are blanked before the search.
_NOT_DENIALS = re.compile(
    r"\b(?:no (?:doubt|question|problem|wonder|need to|longer only)|without (?:any )?(?:doubt|question)|"
    r"not (?:only|just|merely|simply|"
    r"surprisingly|to mention)|why not|if not|whether or not|or not|not bad|nothing (?:but|other than)|"
    r"none other than|"
    r"no other(?: \w+)? than|can not be (?:anything|other)[a-z ]* than|can not go wrong with|not (?:100 percent|"
    r"entirely|completely|"
    r"totally|quite|absolutely|really)? ?(?:sure|certain) but)\b"
)
# "Isn't it Paris?": a negated question with the subject after it expects yes.
_TAG_QUESTION = re.compile(
    r"\b(?:is|was|are|were|would|could|do|does|did) not (?:it|that|this|he|she|they|there|answer)\b"
)

_WORD = r"(?!(?:but|so|it|is|was|because|since|and|yet|while)\b)[\w']+"
_DENIED_BEFORE = re.compile(
    r"\b(?:not|never|neither|nor|no|without|rather than|instead of|as opposed to|except(?: for)?|other than|"
    r"unlike|no longer|"
    r"(?:the )?opposite of|anything but|far from|contrary to|excluding|apart from|aside from|rule out|ruled out|"
    r"exclude|eliminate|"
    r"incorrect(?:ly)?(?: to say)?|(?:false|untrue|myth|misconception) that|wrong to say)"
    rf"(?: {_WORD}){{0,4}} $"
)
# "no anger or sadness": a negation also governs what "or" and "nor" add.
_DENIED_SERIES = re.compile(
    rf"\b(?:no|not|neither|without|nor)(?: {_WORD}){{1,4}}(?: ,)? (?:or|nor)(?: {_WORD}){{0,2}} $"
)
_I_DO_NOT_THINK = re.compile(
    r"\b(?:do|does|did|would|can|could) not (?:think|believe|agree|say|suppose|see how|mean)\b[^,.;?!]* $"
)
_NOT_AFTER = r"(?:not|never|no longer)(?! only| just| merely| far from)"
_DENIED_AFTER = re.compile(
    r" [?] no (?=[.!]|$)|"
    rf"(?: (?:itself|option|choice|city|answer))?(?: [-,)])?(?: (?:is|was|are|were|be|would be|seems|has|have|"
    rf"had|did|does|do|can|could|would)"
    rf"(?: (?:definitely|certainly|clearly|actually|really|also))?)? ?"
    rf"(?:(?<=is |as |re |be |id |es |do |an |ld |ve |ad |ly |so ){_NOT_AFTER}\b"
    r"|(?<=is |as |re |be |ms ) ?(?:wrong|incorrect|false|mistaken|inaccurate|out|ruled out|eliminated|myth|"
    r"common mistake|common misconception)\b)"
)
_CLAUSE_END = re.compile(r" (?:[.,;:()?!]|-|but|so|because|since)(?= |$)")
_BY = re.compile(r"\bby (?:\w+ ){0,3}$")
# "The stories by Doyle were actually written by Watson."
_ACTUALLY_BY = re.compile(
    r" (?:is|was|are|were) (?:actually|really|in fact|in reality|instead) (?:written|created|painted|composed|made|"
    r"invented|discovered|directed|designed|built|authored|penned|drawn|founded|developed|devised|conceived|sculpted|"
    r"proposed|formulated|produced|carved|coined) by\b"
)
_WHETHER = re.compile(r"\b(?:whether|if)(?: [\w']+){0,4} $")
_LIKE = re.compile(
    r"\b(?:like|than|near|close to|(?:north|south|east|west) of|similar to|compared (?:to|with)|"
    r"in comparison (?:to|with)|versus|vs|resembles|as well as|"
    r"in contrast to|"
    r"(?:confused|confuse it|mixed up) with|mistaken for|differs? from|different from|"
    r"not to be confused with)(?: the| a| an)? $"
)
_LOOKS_LIKE = re.compile(r"\b(?:looks?|sounds?|seems?|appears?|smells?|tastes?) (?:to be )?like(?: the| a| an)? $")

# Somebody else's view, or the speaker's earlier one.
_ATTRIBUTED = re.compile(
    r"\b(?:(?:many|some|most|several|few|other|a lot of|lots of|plenty of)(?: of)?(?: \w+){0,2}|people|they|"
    r"others|everyone|everybody|one|you) "
    r"(?:(?:might|may|would|could|often|commonly|mistakenly|wrongly|falsely|incorrectly|sometimes|usually|first|"
    r"initially|"
    r"tend to|seem to|will) )*"
    r"(?:says?|said|thinks?|thought|believes?|believed|assumes?|assumed|claims?|claimed|guess(?:es)?|expects?|"
    r"suggests?|answers?|call)\b"
    r"|\b(?:often|commonly|widely|mistakenly|wrongly) (?:thought|believed|assumed|said|considered|mistaken)\b"
    r"|\b(?:my|his|her|their|our) (?!(?:answer|guess|best|final)\b)\w+ "
    r"(?:says?|said|thinks?|thought|believes?|claims?|guess(?:es|ed))\b"
    r"|\bi (?:1st |initially |originally |at 1st |almost |nearly )*(?:thought|assumed|guessed|believed|said|"
    r"wanted to say)\b"
    r"|\b(?:at 1st|initially|my 1st (?:guess|thought|instinct)|at 1st glance|it is tempting to say|"
    r"it may seem|it might seem|it seems like)\b"
)
_CONCEDED = re.compile(
    r"\b(?:although|though|even if) (?:(?:many|some|most|several|other|others|few|people|sources)(?: \w+)? )"
    r"(?:credit|say|think|believe|claim|call|name|attribute|suggest|prefer|consider|assume)s?(?: \w+){0,2} $"
)
_FORMER = re.compile(
    r"\b(?:used to be|formerly|previously|was once|once was|had been|originally|in past|historically|was)\b"
)
# "Bonn used to be the capital; now ...", "Bonn was the capital before".
_FORMER_AFTER = re.compile(
    r" (?:used to be|was (?:once|formerly|previously|originally)|was\b[^.?!;,]*\b(?:before|formerly|until|"
    r"back then))\b"
)
_NOW = re.compile(r"\b(?:now|currently|today|nowadays|these days|since then|at present|it is|they are|is now)\b")
_AFTER_CONTRAST = re.compile(r"\b(?:but|however|yet|still)\b")
_CONTRAST = re.compile(
    r"^[^.?!]*?(?:[,;.?!-] |\b)(?:but|however|yet|although|in fact|in reality|actually|it is|that is|instead|"
    r"rather|really|"
    r"correct(?: one| answer)?|right answer)\b|^[^.?!]*; \w|^[^.?!]*[.?!] i (?:say|think|believe|would say|know)\b"
)

# A correction: what follows replaces what came before.
_CORRECTION = re.compile(
    r"(?:[,.;?!:()\-] |(?<=\w )(?=wait no\b|no wait\b|no sorry\b|sorry no\b|no i mean\b|i mean\b|scratch that\b))"
    r"(?:(?:oh|um|uh|well|hmm|ah|oops) ,? ?)*"
    r"(?:no(?: no)? (?=[,.;:!\-] |wait|sorry|it |that |i |rather|actually)|nope\b|wait\b|sorry ,|sorry (?=i|it|"
    r"that|no|wait)|"
    r"actually (?:, )?(?=it is|that is|no|i )|i (?:mean|meant) |or rather |rather , |scratch that|correction|"
    r"hold on|hang on|on second thoughts?|"
    r"let me (?:correct|rephrase|revise|reconsider)|make that |my mistake|i (?:was|am) wrong|i take that back|"
    r"i do not think so|"
    r"no not that)"
)
_FILLERS = frozenset(
    listed(
        "no not wait sorry actually it is that i mean meant rather or scratch correction hold on second",
        "thought thoughts let me correct hmm oh um uh well was wrong my mistake yes answer so",
    )
)

_OR = r"(?:or|and or)"
# "or the City of Light", "or, as it is called", "or simply": another name of the same thing.
_APPOSITION = (
    r"(?! (?:the|as|in|also|simply|more|better|rather|so|to be|at least|less|even|otherwise|else|formally|officially|"
    r"you could)\b)"
)
_HEDGED_BEFORE = re.compile(
    rf"(?:^|[ ])(?:{_OR}|either)(?: (?:maybe|perhaps|possibly|even|probably|is it|it is|in|at|a|an|from|option|"
    rf"choice))* $"
)
_HEDGED_AFTER = re.compile(
    rf"(?: option| choice)?(?: [,.?!;]| \) )?(?: {_OR}{_APPOSITION}(?: (?:maybe|perhaps|possibly|even|probably|"
    rf"option|choice))* (?!not\b|no\b)\w"
    r"| (?:maybe|perhaps|possibly|alternatively) (?!because|since|the|it|due|not)\w| / \w)"
)
_POSSIBLE = re.compile(
    r"\b(?:(?:possible|potential|likely|plausible|candidate) (?:\w+ )?(?:answers?|candidates?|options?|choices?|"
    r"ones?)|candidates|possibilities|"
    r"could be (?:any|1) of|1 of)\b[^.?!]* $"
)
# "fought between Napoleon and Wellington" names two, and neither is the answer.
_BETWEEN = re.compile(r"\bbetween (?:\w+ ){0,3}$")
_SECOND = re.compile(r"^[^,;:]* and \w")
_SECOND_OF_TWO = re.compile(
    r"\bbetween (?:[a-z']+ ){1,6}and (?:(?:the|his|forces|army|armies|troops|people|men|team|of|king|queen|emperor|"
    r"president|general|sir|french|british|german) ){0,6}$"
)
_PLACE_BEFORE = re.compile(r"\b(?:in|at|near|around|outside|inside) (?:the )?$")
_WHO = re.compile(r"^(?:who|whom|whose|which (?:person|man|woman))\b")


_NEAR = 2000


def stance(text: str, start: int, end: int, question: str = "") -> Stance:
    """What the answer does with its words at start:end.

    Args:
        text: the whole marked answer.
        question: normalised.
    """
    # What is far away is about something else; all of a long text would take quadratic time.
    shift = max(0, start - _NEAR)
    text, start, end = text[shift : end + _NEAR], start - shift, end - shift
    clear = _blank(text)
    before, after = clear[:start], clear[end:]
    sentence_start = max(before.rfind(f" {mark} ") + 3 if f" {mark} " in before else 0 for mark in ".?!")
    sentence = before[sentence_start:]
    clause = re.split(r" [,;:()] | - ", f" {sentence}")[-1].lstrip() if sentence else ""
    rest_of_sentence = re.split(r"(?<= )[.?!](?: |$)", after, maxsplit=1)[0]
    if _WHETHER.search(clause) or _CONCEDED.search(clause):
        return Stance.MENTIONED
    if _is_retracted(after, text[start:end]):
        return Stance.DENIED
    if _denied_after(after, question) or _denied_before(clause, question) or _I_DO_NOT_THINK.search(sentence):
        return Stance.DENIED
    if _BY.search(clause) and _ACTUALLY_BY.match(after):
        return Stance.DENIED
    if _DENIED_SERIES.search(sentence):
        return Stance.DENIED
    if (
        _ATTRIBUTED.search(_AFTER_CONTRAST.split(sentence)[-1])
        or re.match(r"^[^,.;?!]* (?:many|some|most)(?: \w+)? (?:think|say|believe)", after)
    ) and _CONTRAST.search(after):
        return Stance.DENIED
    if _FORMER_AFTER.match(after) and not _FORMER.search(question) and _NOW.search(after):
        return Stance.DENIED
    if _FORMER.search(clause) and not _FORMER.search(question) and _NOW.search(after):
        former = _FORMER.search(clause)
        # A plain past tense is no contrast by itself: it needs "until", or a "now" in what follows.
        if former is not None and (former[0] != "was" or re.match(r"[^.?!]*\b(?:until|now|currently|today)\b", after)):
            return Stance.DENIED
    if _LIKE.search(clause) and not _LOOKS_LIKE.search(clause):
        return Stance.MENTIONED
    if _WHO.search(question) and _PLACE_BEFORE.search(clause):
        return Stance.MENTIONED
    if (
        _HEDGED_BEFORE.search(sentence)
        or _HEDGED_AFTER.match(after)
        or _POSSIBLE.search(sentence)
        or _in_list(sentence, rest_of_sentence)
        or ("between" not in question and _is_1_of_2(text[start:end], sentence, clause, rest_of_sentence))
    ):
        return Stance.HEDGED
    return Stance.ASSERTED


def _is_1_of_2(value: str, sentence: str, clause: str, rest: str) -> bool:
    """Whether a mention is one of the two of "between X and Y", and not both."""
    if " and " in value:
        return False
    return bool((_BETWEEN.search(clause) and _SECOND.search(rest)) or _SECOND_OF_TWO.search(sentence))


def _blank(text: str) -> str:
    """The text with phrases that only look like denials replaced by words of the same length."""
    if " no" not in f" {text}" and "without" not in text and "can not" not in text:
        return text
    text = _NOT_DENIALS.sub(lambda match: "x" * len(match[0]), text)
    return _TAG_QUESTION.sub(lambda match: "x" * len(match[0]), text)


def _denied_before(clause: str, question: str) -> bool:
    # "No, Paris" answers the question; as a clause of its own it is a boundary already. "no" needs a following noun.
    match = _DENIED_BEFORE.search(clause)
    return match is not None and not repeats_before(match[0], question)


def _denied_after(after: str, question: str) -> bool:
    match = _DENIED_AFTER.match(after)
    return match is not None and not repeats_after(_CLAUSE_END.split(after, maxsplit=1)[0], question)


def _is_retracted(after: str, value: str) -> bool:
    """Whether a correction follows, which says something else."""
    # The patterns may need the word before a correction, so the value is put in front.
    following = f"x{after}"
    for correction in _CORRECTION.finditer(following):
        replaced = following[correction.end() :]
        if f" {value} " in f" {replaced} ":
            continue
        if any(word not in _FILLERS and word.isalnum() for word in replaced.split()):
            return True
    return False


_ITEM_WORD = (
    r"(?!(?:is|was|are|were|has|have|had|which|that|who|because|since|as|while|but|not|then|so|and|or|it|they|he|she|"
    r"if|for|with|by|from|no|not|sorry|wait|actually|correction|oops)\b)[\w'-]+"
)
_ITEM = rf"{_ITEM_WORD}(?: {_ITEM_WORD}){{0,2}}"
_LIST_BEFORE = re.compile(rf"(?:^| )(?:{_ITEM} , )+(?:and |or )?$")
# "Rome, Oslo and Bern", at the start or after what introduces a list: a time or a place may stand before other commas.
_LAST_OF_LIST = re.compile(
    r"(?:^|\b(?:is|are|was|were|be|includes?|including|such as|like|say|either|answers?|options|candidates) )"
    rf"(?!(?:in|on|at|during|after|before|of|to|under|until|well|yes|okay|ok|sure|hmm|um|uh|oh|please|thanks)\b)"
    rf"(?P<items>(?:{_ITEM} , )+){_ITEM} (?:and|or) $"
)
_LIST_AFTER = re.compile(rf"(?: , {_ITEM})*(?: ,)? (?:and|or) {_ITEM}|(?: , {_ITEM})+")


def _in_list(before: str, after: str) -> bool:
    """Whether the mention is one of three or more things in a row that end with "and" or "or", or of four or more.

    Three things with commas only may be an address: "Paris, Texas, United States".
    """
    left, right = _LIST_BEFORE.search(before), _LIST_AFTER.match(after)
    items, joined = 1, False
    if last_of := _LAST_OF_LIST.search(before):
        items, joined = items + last_of["items"].count(" , ") + 1, True
    elif left:
        items += left[0].count(" , ") or 1
        joined = left[0].endswith((" and ", " or "))
    if right:
        last = re.search(r"(?: ,)? (?:and|or) ", right[0])
        items += right[0][: last.start()].count(" , ") + 1 if last else right[0].count(" , ")
        joined = joined or last is not None
    return items >= 4 or (items >= 3 and joined)
