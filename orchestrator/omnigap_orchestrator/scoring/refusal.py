"""Tells a refusal or an honest "I don't know" from an attempt to answer."""

from __future__ import annotations

import re

from omnigap_orchestrator.scoring.normalise import normalise

_OPENING = (
    r"(?:(?:well|sorry|unfortunately|apologies|hmm|um|oh|and) |"
    r"i am (?:so |very |really )?(?:sorry|afraid) (?:but |that )?|i apologi[sz]e (?:but )?)*"
)
_CAN_NOT = r"i (?:can not|could not|am not able to|am unable to|was unable to|was not able to) (?:really |directly )?"
_ACTS = (
    "see|hear|view|access|open|listen|read|process|answer|help|assist|determine|identify|tell|say|provide|find|"
    "recognize|understand|make out|comply|do that|discuss|be certain|be sure"
)
_KNOWN = "answer|answered|determine|determined|identify|identified|say|tell"
_REFUSALS = (
    r"i (?:really |honestly |simply )?do not (?:really |actually )?know",
    r"i do not have (?:enough|sufficient|access|any|ability|information|that information|answer)",
    r"i do not (?:see|hear) (?:any|image|audio|picture|question)",
    rf"{_CAN_NOT}(?:{_ACTS})\b",
    r"i am (?:really )?not (?:really |entirely )?sure",
    r"i (?:have|got|have got) no (?:idea|information|clue)",
    r"i (?:did|do) not (?:catch|hear|understand|get) (?:that|you|what|question|your)",
    r"i (?:will|would) (?:not|rather not) (?:answer|help|say)",
    r"(?:as|i am) (?:an )?(?:ai|artificial intelligence)\b.*?(?:can not|unable|not able|do not have)",
    r"no idea\b|not sure$|do not know\b|dunno\b|unknown$|no answer$|can not (?:say|tell|answer|help)\b",
    rf"(?:(?:it|this|that|question|answer) )?(?:is not possible to|can not be) (?:{_KNOWN})\b",
    r"(?:there is|i see|i hear) no (?:audio|image|picture|question|sound|speech|information)\b",
    r"(?:(?:please|could you|can you|would you) )+(?:repeat|provide|upload|share|clarify|rephrase|send|attach)\b",
    r"could not understand\b",
)
_ENGLISH = re.compile(f"^{_OPENING}(?:{'|'.join(_REFUSALS)})")
_APOLOGY_ONLY = re.compile(r"^(?:i am )?(?:so |very |really )?sorry$|^(?:i )?(?:can not|can not answer)$")
_STILL_ANSWERS = re.compile(
    r"\b(?:but (?:it |i |my |if|guess)|however|maybe|perhaps|probably|(?:my|best) guess|"
    r"i (?:would )?(?:think|believe|guess)|it (?:is|was|might be|could be|may be) (?!not\b))"
)

_KOREAN = re.compile(
    r"(?:모르겠|모릅니다|몰라요|모름$|잘모르|알수없|알지못|답할수없|답변할수없|답변드릴수없|대답할수없|답변드리기어렵|답변하기어렵|도와드릴수없|"
    r"볼수없|들을수없|들리지않|확인할수없|제공할수없|정보가없|다시말씀해|다시한번말씀|이해하지못했)"
)
_KOREAN_APOLOGY = re.compile(r"^(?:죄송(?:합니다만|하지만|해요|합니다)|미안(?:하지만|합니다만))[,.]?")
_KOREAN_STILL_ANSWERS = re.compile(r"(?:하지만|그렇지만|그러나|아마|생각합니다|추측)")


def is_refusal(text: str, language: str = "en") -> bool:
    """Whether an answer refuses, says that it does not know, or asks back, and offers no answer beside.

    "I'm not sure, but I think it is Paris" is an attempt. Languages other than Korean are read as English.
    """
    if language.partition("-")[0].lower() == "ko":
        joined = _KOREAN_APOLOGY.sub("", "".join(text.split()))
        return _KOREAN.search(joined) is not None and _KOREAN_STILL_ANSWERS.search(joined) is None
    words = normalise(text, "en")
    if _APOLOGY_ONLY.match(words):
        return True
    match = _ENGLISH.match(words)
    return match is not None and _STILL_ANSWERS.search(words, match.end()) is None
