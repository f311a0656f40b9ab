"""Finds the label that an answer gives: one of a set of labels, or yes and no in all their spellings.

"Yes, there is no doubt."      yes     the first clause decides, and "no" is a determiner there
"Indeed it is.", "Yep."        yes
"It is not.", "False."         no
"The sun is a star, so yes."   yes
"Yes and no."                  open
"It shows joy; there is no anger or sadness."   joy
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from omnigap.vocabulary import Flag
from omnigap_orchestrator.scoring.normalise import normalise
from omnigap_orchestrator.scoring.normalise.numbers import listed
from omnigap_orchestrator.scoring.reading.english.assertion import Stance, stance
from omnigap_orchestrator.scoring.reading.english.marked import find_marked, marked
from omnigap_orchestrator.scoring.reading.english.options import Mention, decide, only_option, text_mentions
from omnigap_orchestrator.scoring.reading.found import Found, Passage, Step

_YES_LABELS = frozenset(
    listed(
        "yes true correct right agree agreed positive affirmative yeah valid supported entailment y t",
    )
)
_NO_LABELS = frozenset(
    listed(
        "no false incorrect wrong disagree negative invalid untrue unsupported contradiction n f",
    )
)

# What may precede the verdict. Normalised text has neither articles nor contractions.
_LEAD = (
    r"(?:(?:well|so|oh|um|uh|hmm|ah|okay|and|thus|therefore|hence|actually|honestly|clearly|in short|in fact|"
    r"overall|i know|"
    r"i (?:would )?(?:think|believe|guess|say)(?: that)?|i am (?:fairly |pretty |quite )?sure(?: that)?|"
    r"(?:my |final |correct |right |short )*(?:answer|response|verdict|statement|claim|sentence)(?: (?:is|"
    r"would be))?|this|that|it|"
    r"is|was|would be|[,:(\-]) )*?"
)
_NO = (
    r"(?:no(?! (?:doubt|question|one|1|wonder|other|more|less|longer|matter|need|problem)\b)|nope|nah|false|"
    r"incorrect|wrong|negative|untrue|"
    r"never|no way|not really|not at all|far from it|hardly|i disagree|i do not (?:think so|agree|believe so)|"
    r"(?:certainly|definitely|absolutely|of course|surely|probably|clearly|most certainly) not|"
    r"(?:unfortunately|sadly|i am afraid|probably|obviously|i (?:think|believe|guess|fear)) not|"
    r"(?:a )?(?:myth|misconception)|"
    r"not (?:true|correct|right|accurate|exactly|quite|so)|(?:it|this|that|he|she|they|you|there|these|those|i|we) "
    r"(?:is|are|was|were|does|do|did|can|could|has|have|will|would|should|am) not(?= [,.;!]|$)|"
    r"not(?! (?:only|false|wrong|incorrect|untrue)\b))(?= |$)"
)
_YES = (
    r"(?:yes|yeah|yep|yup|yea|aye|true|correct|right|indeed|affirmative|positive|certainly|absolutely|definitely|"
    r"sure|surely|exactly|agreed|"
    r"not (?:false|wrong|incorrect|untrue)|of course|naturally|totally|precisely|"
    r"(?:uh|mm|mhm|mmm)[ -]?hu?m+|uh[ -]huh|mhm|"
    r"you are (?:right|correct)|for sure|you bet|without doubt|no doubt|no question|"
    r"undoubtedly|obviously|"
    r"i (?:think so|agree|believe so)|(?:it|this|that|he|she|they|you|there|these|those|i|we) "
    r"(?:certainly |definitely |absolutely |really |indeed )?(?:is|are|was|were|does|do|did|can|could|has|have|"
    r"will|would|should|am)(?= [,.;!]|$))(?= |$)"
)
_BOTH = re.compile(
    r"^(?:yes , no|no , yes)(?: \.)?$|(?:yes|no|true|false|correct|incorrect)(?: [,/])? (?:and|or|/) (?:yes|no|"
    r"true|false|correct|incorrect)(?= [,.;:!?]|$)|^yes no\b|^no yes\b|\bboth yes and no\b"
)
_VERDICT = re.compile(rf"{_LEAD}(?:(?P<no>{_NO})|(?P<yes>{_YES}))")
# A verdict after the reasons: "..., so yes", "... is therefore false", "this statement is wrong".
_CONCLUDED = re.compile(
    r"(?:\b(?:so|but|therefore|thus|hence|means|is|say|answer|-|:)(?: (?:answer|it|this|that|clearly|therefore|"
    r"thus|is|definitely|[,:]))* "
    rf"(?:(?P<no>{_NO})|(?P<yes>{_YES})))(?= [,.;!?)]|$| because| since)"
)
_TURNED = re.compile(
    r"\b(?:but|however|yet)(?: ,)? (?:this|that|it|statement|claim|sentence|answer) "
    r"(?:itself |as whole )?(?:is|would be) "
    rf"(?:(?P<no>{_NO})|(?P<yes>{_YES}))"
)
_HEDGE = re.compile(
    rf"{_LEAD}(?:it depends|maybe|perhaps|possibly|partly|partially|sometimes|both|either|neither|unclear|"
    rf"uncertain)\b"
)
_CHANGED = re.compile(
    r"(?:wait|no wait|scratch that|i mean|correction|on second thoughts?|actually)(?: ,)? (?:it is |that is |"
    r"answer is )?(?P<verdict>yes|no|true|false|correct|incorrect|wrong)\b"
)


def find_label(
    passage: Passage, labels: Sequence[str], golds: Sequence[str], language: str = "en", question: str = ""
) -> Found | None:
    """Reads one label from a passage.

    Args:
        labels: the normalised label set; empty if it is unknown.
        golds: the normalised gold labels.
        question: normalised.

    Returns:
        The label as it is written in the label set.
    """
    text = marked(passage.text, language)
    if not text.strip(" .,!?"):
        return None
    whole = normalise(passage.text, language)
    if whole in labels:
        return Found(whole)
    pair = _polar_pair(labels or golds)
    if pair is not None:
        if len(whole) == 1 and whole in _YES_LABELS | _NO_LABELS and whole in (pair[0][0], pair[1][0]):
            return Found(pair[0] if whole in _YES_LABELS else pair[1])
        is_yes = _polarity(text, passage.step)
        if is_yes is None and passage.step is Step.TERSE:
            is_yes = _repeated(text, question)
        if isinstance(is_yes, bool):
            yes, no = pair
            return Found(yes if is_yes else no)
        return is_yes
    mentions = text_mentions(text, {label: label for label in (labels or golds)})
    if not mentions:
        # An emotion is named by its noun or its adjective.
        forms = [
            (label, form) for label in (labels or golds) for form in _forms(label) if form not in (labels or golds)
        ]
        mentions = [Mention(label, *span) for label, form in forms for span in find_marked(text, form)]
    if passage.step in (Step.FIRST_LINE, Step.LAST_LINE):
        return only_option(text, mentions)
    return decide(text, mentions, question)


_FAMILIES = (
    listed("angry anger angrily"),
    listed("happy happiness happily"),
    listed("joy joyful joyous"),
    listed("sad sadness sadly"),
    listed("fear fearful afraid"),
    listed("surprise surprised"),
    listed("disgust disgusted"),
    listed("neutral neutrality"),
    listed("calm calmness"),
    listed("excited excitement"),
    listed("frustrated frustration"),
    listed("bored boredom"),
    listed("anxious anxiety"),
    listed("confused confusion"),
    listed("proud pride"),
)


def _forms(label: str) -> tuple[str, ...]:
    """The other forms of a word for an emotion: anger for angry."""
    return next((tuple(word for word in family if word != label) for family in _FAMILIES if label in family), ())


def _polar_pair(labels: Sequence[str]) -> tuple[str, str] | None:
    """The labels for yes and no, if the set has just these two; one of them is enough if the set is unknown."""
    yes = [label for label in labels if label in _YES_LABELS]
    no = [label for label in labels if label in _NO_LABELS]
    if len(yes) + len(no) != len(set(labels)) or len(yes) > 1 or len(no) > 1:
        return None
    return (yes[0] if yes else "yes", no[0] if no else "no") if yes or no else None


def _polarity(text: str, step: Step) -> bool | Found | None:
    """Whether a marked text says yes; a `Found` without value if it leaves it open, None if it says neither."""
    if _BOTH.search(text):
        return Found(None, (Flag.HEDGED,))
    changed = list(_CHANGED.finditer(text))
    if changed:
        return changed[-1]["verdict"] in _YES_LABELS
    first = _VERDICT.match(text)
    if step in (Step.FIRST_LINE, Step.LAST_LINE):
        # A line of prose is read in its context.
        rest = text[first.end() :].strip(" .,!?()-") if first else ""
        return bool(first["yes"]) if first and not rest else None
    if first is not None:
        # "It is true that ..., but the claim is false": what is conceded first is not the verdict.
        if text.startswith(" that ", first.end()) and (turn := _TURNED.search(text, first.end())):
            return bool(turn["yes"])
        return bool(first["yes"])
    if _HEDGE.match(text):
        return Found(None, (Flag.HEDGED,))
    last = text.rstrip(" .!?").rpartition(" . ")[2]
    if (final := _VERDICT.match(f"{last} .")) is not None and not last[final.end() :].strip(" ,.!"):
        return bool(final["yes"])
    concluded = list(_CONCLUDED.finditer(text))
    said = {bool(match["yes"]) for match in concluded}
    if concluded:
        return bool(concluded[-1]["yes"])
    words = {
        word for word in text.split() if word in ("yes", "true", "correct", "yeah", "false", "incorrect", "untrue")
    }
    asserted = {
        word in _YES_LABELS
        for word in words
        for mention in text_mentions(text, {word: word})
        if stance(text, mention.start, mention.end) is Stance.ASSERTED
    }
    said = asserted
    return said.pop() if len(said) == 1 else None


_STOP = frozenset(
    listed(
        "is are was were do does did can could has have had will would should the a an of in on at to for",
        "it this that there be been and or",
        "true false correct yes no question statement following",
    )
)
_NOT = re.compile(r"\b(?:not|never|no longer|neither|nor)\b")


def _repeated(text: str, question: str) -> bool | None:
    """Whether a sentence that repeats every content word of the question affirms them: "The sun is not a planet."."""
    wanted = {word for word in question.split() if word not in _STOP}
    said = text.rstrip(" .!").split(" . ")
    if len(said) != 1 or "?" in text or not wanted:
        return None
    spoken = said[0].split()
    # "They can not fly": a pronoun stands for the subject, so the end of the question is enough.
    if spoken[0] in _PRONOUNS:
        ending = next((word for word in reversed(question.split()) if word not in _STOP), "")
        is_repeated = ending in spoken and len(spoken) <= _MAX_PRONOUN_WORDS
    else:
        is_repeated = len(wanted) > 1 and wanted <= set(spoken)
    return _NOT.search(said[0]) is None if is_repeated else None


_PRONOUNS = frozenset(listed("it they he she this that these those we you i"))
_MAX_PRONOUN_WORDS = 6
