"""What is wrong with an answer: silence, a lost tail, a refusal, another language, a doubtful transcript.

Refusals ("I don't know") are told from attempts by their phrases, languages from the script of their letters alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from omnigap.vocabulary import FinishReason, Flag, primary_language
from omnigap_orchestrator.scoring.normalise import normalise, units

SILENT_RMS = 1e-3
"""-60 dB of full scale: below this the whole clip is silence. Quiet speech lies near -40 dB."""
SILENT_SECONDS = 0.05
"""No word is shorter."""
FASTEST_WORDS_PER_SECOND = 7.0
"""420 words a minute, faster than any voice reads; audio that would need more has lost text."""
FEWEST_WORDS = 4
"""Below this, length says nothing about lost text."""

# Whisper's own thresholds, at which it distrusts a segment (openai/whisper, transcribe.py).
LEAST_LOGPROB = -1.0
MOST_COMPRESSION = 2.4
MOST_NO_SPEECH = 0.6


@dataclass(frozen=True, slots=True)
class AudioFacts:
    """What was measured on an answer's audio.

    Attributes:
        seconds: its length.
        rms: root mean square of all samples, full scale 1.
        peak: the largest absolute sample, full scale 1.
    """

    seconds: float
    rms: float
    peak: float


@dataclass(frozen=True, slots=True)
class AsrFacts:
    """What the ASR scorer said about its own transcript; None where it did not say."""

    avg_logprob: float | None = None
    no_speech_prob: float | None = None
    compression_ratio: float | None = None


def answer_flags(
    own_text: str,
    *,
    audio: AudioFacts | None = None,
    transcript: str | None = None,
    asr: AsrFacts | None = None,
    finish_reason: FinishReason = FinishReason.STOP,
    language: str = "en",
) -> frozenset[Flag]:
    """The flags of an answer, apart from those that scoring finds (`unparsable`).

    Args:
        own_text: the answer's text channel.
        audio: of a speech answer; None for a text answer.
        transcript: what the scorer heard; None where it has not listened (yet).
        language: of the item.
    """
    flags: set[Flag] = set()
    if finish_reason is FinishReason.LENGTH:
        flags.add(Flag.TRUNCATED)
    used = own_text if transcript is None else transcript
    if finish_reason is FinishReason.REFUSED or is_refusal(used, language):
        flags.add(Flag.REFUSED)
    if wrong_language(used, language) or wrong_language(own_text, language):
        flags.add(Flag.WRONG_LANGUAGE)
    if audio is not None:
        if _is_silent(audio) or (transcript is not None and not normalise(transcript, language)):
            flags.add(Flag.SILENT)
        elif _lost_tail(own_text, audio, transcript, language):
            flags.add(Flag.TRUNCATED)
        if asr is not None and _is_suspect(asr):
            flags.add(Flag.SUSPECT_TRANSCRIPT)
    return frozenset(flags)


def _is_silent(audio: AudioFacts) -> bool:
    return audio.rms < SILENT_RMS or audio.seconds < SILENT_SECONDS


def _lost_tail(own_text: str, audio: AudioFacts, transcript: str | None, language: str) -> bool:
    """Whether the audio ends before its text: far too short for it, or heard as the text's beginning only."""
    if len(own_text.split()) >= FEWEST_WORDS and audio.seconds * FASTEST_WORDS_PER_SECOND < len(own_text.split()):
        return True
    if transcript is None:
        return False
    said, heard = units(normalise(own_text, language), language), units(normalise(transcript, language), language)
    if not heard or len(heard) > len(said) or heard == said or heard[:-1] != said[: len(heard) - 1]:
        return False
    cut = said[len(heard) - 1]
    # The last word may be cut itself: "par" of "paris". One letter less is a spelling: "shel" of "shell".
    if not cut.startswith(heard[-1]):
        return False
    return len(heard) < len(said) or (len(cut) - len(heard[-1]) > 1 and not heard[-1].isdigit())


def _is_suspect(asr: AsrFacts) -> bool:
    return (
        (asr.avg_logprob is not None and asr.avg_logprob < LEAST_LOGPROB)
        or (asr.compression_ratio is not None and asr.compression_ratio > MOST_COMPRESSION)
        or (asr.no_speech_prob is not None and asr.no_speech_prob > MOST_NO_SPEECH)
    )


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
    if primary_language(language) == "ko":
        joined = _KOREAN_APOLOGY.sub("", "".join(text.split()))
        return _KOREAN.search(joined) is not None and _KOREAN_STILL_ANSWERS.search(joined) is None
    words = normalise(text, "en")
    if _APOLOGY_ONLY.match(words):
        return True
    match = _ENGLISH.match(words)
    return match is not None and _STILL_ANSWERS.search(words, match.end()) is None


_SCRIPTS: dict[str, str] = {
    "latin": "A-Za-zªºÀ-ÖØ-öø-ʯḀ-ỿＡ-Ｚａ-ｚ",
    "greek": "Ͱ-Ͽἀ-῿",
    "cyrillic": "Ѐ-ԯᲀ-ᲈⷠ-ⷿꙀ-ꚟ",
    "hebrew": "֐-׿",
    "arabic": "؀-ۿݐ-ݿࢠ-ࣿﭐ-﷿ﹰ-﻿",
    "devanagari": "ऀ-ॿ",
    "bengali": "ঀ-৿",
    "tamil": "஀-௿",
    "thai": "฀-๿",
    "kana": "぀-ヿㇰ-ㇿ",
    "hangul": "ᄀ-ᇿ㄰-㆏가-힣",
    "han": "㐀-䶿一-鿿豈-﫿",
}
_PATTERNS = {name: re.compile(f"[{ranges}]") for name, ranges in _SCRIPTS.items()}
_ANY = re.compile(f"[{''.join(_SCRIPTS.values())}]")

_EXPECTED: dict[str, frozenset[str]] = {
    "ko": frozenset(("hangul",)),
    "ja": frozenset(("kana", "han")),
    "zh": frozenset(("han",)),
    "yue": frozenset(("han",)),
    "ru": frozenset(("cyrillic",)),
    "uk": frozenset(("cyrillic",)),
    "bg": frozenset(("cyrillic",)),
    "el": frozenset(("greek",)),
    "he": frozenset(("hebrew",)),
    "ar": frozenset(("arabic",)),
    "fa": frozenset(("arabic",)),
    "ur": frozenset(("arabic",)),
    "hi": frozenset(("devanagari",)),
    "mr": frozenset(("devanagari",)),
    "bn": frozenset(("bengali",)),
    "ta": frozenset(("tamil",)),
    "th": frozenset(("thai",)),
}
_LATIN = frozenset(("latin",))

LEAST_SHARE = 0.5
"""An answer is in its language when at least this share of its letters is in one of the language's scripts."""
LATIN_WORDS = 4
"""So many Latin words and nothing else make an answer to a question in another script foreign; fewer may be a name."""


def wrong_language(text: str, language: str) -> bool:
    """Whether the letters of a text show that it is not in `language` (a BCP 47 tag).

    Languages of one script (English, German) are not told apart. Text without letters is in every language. Latin
    letters are at home everywhere in small numbers (NASA, DNA).
    """
    if text.isascii() and language[:2].lower() == "en":
        return False
    expected = _EXPECTED.get(primary_language(language), _LATIN)
    letters = len(_ANY.findall(text))
    if not letters:
        return False
    at_home = sum(len(_PATTERNS[script].findall(text)) for script in expected)
    if expected is _LATIN:
        return at_home < LEAST_SHARE * letters
    latin = len(_PATTERNS["latin"].findall(text))
    if latin == letters:
        return len(text.split()) >= LATIN_WORDS
    return at_home < LEAST_SHARE * (letters - latin)
