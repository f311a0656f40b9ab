"""Flags of an answer: silence, emptiness, truncation, refusal, wrong language, suspect transcript.

Refusals such as "I don't know" are recognised by phrases, the language only by the script of the letters.
"""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass

from omnigap.vocabulary import FinishReason, Flag, primary_language
from omnigap_orchestrator.scoring.normalise import normalise, units

SILENT_RMS = 1e-3
"""RMS below which a clip is silent: -60 dB of full scale. Quiet speech is near -40 dB."""
SOUNDLESS_PEAK = 1e-4
"""Peak up to which a clip holds no sound at all, and words in its transcript were invented; three steps of 16 bits."""
SILENT_SECONDS = 0.05
"""A clip shorter than this holds no word."""
MAX_WORDS_PER_SECOND = 7.0
"""420 words a minute, faster than any voice speaks. A clip that would need more has lost part of its text."""
MIN_WORDS = 4
"""Texts with fewer words are too short to detect a lost tail from the duration."""

# Whisper's own thresholds for rejecting a segment (openai/whisper, transcribe.py).
MIN_AVG_LOGPROB = -1.0
MAX_COMPRESSION_RATIO = 2.4
MAX_NO_SPEECH_PROB = 0.6


@dataclass(frozen=True, slots=True)
class AudioStats:
    """Measurements of an answer's audio.

    Attributes:
        seconds: duration.
        rms: root mean square of all samples; full scale is 1.
        peak: largest absolute sample; full scale is 1.
    """

    seconds: float
    rms: float
    peak: float


@dataclass(frozen=True, slots=True)
class AsrStats:
    """Values that the ASR scorer reports for a transcript; None if it does not report them.

    Attributes:
        longest_stretch_s: seconds of the longest stretch of speech without a pause.
        trained_s: seconds of speech that the scorer was trained for, if that is less than its window.
    """

    avg_logprob: float | None = None
    no_speech_prob: float | None = None
    compression_ratio: float | None = None
    longest_stretch_s: float | None = None
    trained_s: float | None = None


def answer_flags(
    own_text: str,
    *,
    audio: AudioStats | None = None,
    transcript: str | None = None,
    asr: AsrStats | None = None,
    finish_reason: FinishReason = FinishReason.STOP,
    language: str = "en",
) -> frozenset[Flag]:
    """Returns the flags of an answer, except `unparsable`, which scoring sets.

    A speech answer is `silent` where no words were heard in it, so quiet speech that was transcribed is not.

    Args:
        own_text: the answer's own text.
        audio: measurements of a speech answer; None for a text answer.
        transcript: transcript of a speech answer; None if it is not transcribed yet.
        asr: confidence values of the transcript.
        language: BCP-47 tag of the item.
    """
    flags: set[Flag] = set()
    if finish_reason is FinishReason.LENGTH:
        flags.add(Flag.TRUNCATED)
    used = own_text if transcript is None else transcript
    if finish_reason is FinishReason.REFUSED or is_refusal(used, language):
        flags.add(Flag.REFUSED)
    # The own text counts too: an ASR set to one language may use its script for speech of another language.
    if wrong_language(used, language) or wrong_language(own_text, language):
        flags.add(Flag.WRONG_LANGUAGE)
    if audio is None:
        if is_empty(own_text):
            flags.add(Flag.EMPTY)
    else:
        if _is_silent(audio, transcript, language):
            flags.add(Flag.SILENT)
        elif _lost_tail(own_text, audio, transcript, language):
            flags.add(Flag.TRUNCATED)
        if asr is not None and _is_suspect(asr):
            flags.add(Flag.SUSPECT_TRANSCRIPT)
    return frozenset(flags)


def is_empty(text: str) -> bool:
    """Whether a text shows nothing: no characters, or only spaces, control and format characters."""
    return all(unicodedata.category(character)[0] in "ZC" for character in text)


def _is_silent(audio: AudioStats, transcript: str | None, language: str) -> bool:
    """Whether nothing can be heard in a clip: no sound, or no words; by its level only if it is not transcribed."""
    if audio.peak <= SOUNDLESS_PEAK or audio.seconds < SILENT_SECONDS:
        return True
    return audio.rms < SILENT_RMS if transcript is None else not normalise(transcript, language)


def _lost_tail(own_text: str, audio: AudioStats, transcript: str | None, language: str) -> bool:
    """Whether the audio ends before its text: it is far too short, or its transcript is only the text's beginning."""
    if len(own_text.split()) >= MIN_WORDS and audio.seconds * MAX_WORDS_PER_SECOND < len(own_text.split()):
        return True
    if transcript is None:
        return False
    text = units(normalise(own_text, language), language)
    transcribed = units(normalise(transcript, language), language)
    # Not a beginning of the text: empty, longer, complete, or different before the last word.
    if (
        not transcribed
        or len(transcribed) > len(text)
        or transcribed == text
        or transcribed[:-1] != text[: len(transcribed) - 1]
    ):
        return False
    cut = text[len(transcribed) - 1]
    # The last word may be cut as well: "par" of "paris". One missing letter is a misspelling: "shel" of "shell".
    if not cut.startswith(transcribed[-1]):
        return False
    return len(transcribed) < len(text) or (len(cut) - len(transcribed[-1]) > 1 and not transcribed[-1].isdigit())


def _is_suspect(asr: AsrStats) -> bool:
    return (
        (asr.avg_logprob is not None and asr.avg_logprob < MIN_AVG_LOGPROB)
        or (asr.compression_ratio is not None and asr.compression_ratio > MAX_COMPRESSION_RATIO)
        or (asr.no_speech_prob is not None and asr.no_speech_prob > MAX_NO_SPEECH_PROB)
        # Beyond its trained length a model loses or repeats words at a normal log probability.
        or (asr.longest_stretch_s is not None and asr.longest_stretch_s > (asr.trained_s or math.inf))
    )


# The refusal patterns match normalised English, in which contractions are written out and articles are removed.
_PREFACE = (
    r"(?:(?:well|sorry|unfortunately|apologies|hmm|um|oh|and) |"
    r"i am (?:so |very |really )?(?:sorry|afraid) (?:but |that )?|i apologi[sz]e (?:but )?)*"
)
# "I am unable to see images".
_CANNOT = r"i (?:can not|could not|am not able to|am unable to|was unable to|was not able to) (?:really |directly )?"
_VERBS = (
    "see|hear|view|access|open|listen|read|process|answer|help|assist|determine|identify|tell|say|provide|find|"
    "recognize|understand|make out|comply|do that|discuss|be certain|be sure"
)
_KNOWING = "answer|answered|determine|determined|identify|identified|say|tell"
_REFUSALS = (
    r"i (?:really |honestly |simply )?do not (?:really |actually )?know",
    r"i do not have (?:enough|sufficient|access|any|ability|information|that information|answer)",
    r"i do not (?:see|hear) (?:any|image|audio|picture|question)",
    rf"{_CANNOT}(?:{_VERBS})\b",
    r"i am (?:really )?not (?:really |entirely )?sure",
    r"i (?:have|got|have got) no (?:idea|information|clue)",
    r"i (?:did|do) not (?:catch|hear|understand|get) (?:that|you|what|question|your)",
    r"i (?:will|would) (?:not|rather not) (?:answer|help|say)",
    r"(?:as|i am) (?:an )?(?:ai|artificial intelligence)\b.*?(?:can not|unable|not able|do not have)",
    r"no idea\b|not sure$|do not know\b|dunno\b|unknown$|no answer$|can not (?:say|tell|answer|help)\b",
    rf"(?:(?:it|this|that|question|answer) )?(?:is not possible to|can not be) (?:{_KNOWING})\b",
    r"(?:there is|i see|i hear) no (?:audio|image|picture|question|sound|speech|information)\b",
    r"(?:(?:please|could you|can you|would you) )+(?:repeat|provide|upload|share|clarify|rephrase|send|attach)\b",
    r"could not understand\b",
)
_ENGLISH_REFUSAL = re.compile(f"^{_PREFACE}(?:{'|'.join(_REFUSALS)})")
# An answer that is nothing but an apology, or "I cannot".
_APOLOGY_ONLY = re.compile(r"^(?:i am )?(?:so |very |really )?sorry$|^(?:i )?(?:can not|can not answer)$")
# Signs of an attempt after a refusing phrase: "but I think it is ...".
_ATTEMPT = re.compile(
    r"\b(?:but (?:it |i (?!can|could|do|am|have|will|would be|need)|my |guess)|"
    # "but the capital of France is Paris": a statement about something else than the speaker or the input.
    r"(?:but|however|still|though|that said|nevertheless)(?: (?!i\b|you\b|we\b|please|feel|if\b|image|audio|"
    r"picture|question|not\b)[a-z0-9]+)+ "
    r"(?:is|was|are|were|would be|must be|should be)(?! not| too| unclear| missing| empty)|maybe|perhaps|"
    r"probably|(?:my|best) guess|"
    r"i (?:would )?(?:think|believe|guess)|it (?:is|was|might be|could be|may be) (?!not\b))"
)

_KOREAN_REFUSAL = re.compile(
    r"(?:모르겠|모릅니다|몰라요|모름$|잘모르|알수없|알지못|답할수없|답변할수없|답변드릴수없|대답할수없|답변드리기어렵|답변하기어렵|도와드릴수없|"
    r"볼수없|들을수없|들리지않|확인할수없|제공할수없|정보가없|다시말씀해|다시한번말씀|이해하지못했)"
)
_KOREAN_APOLOGY = re.compile(r"^(?:죄송(?:합니다만|하지만|해요|합니다)|미안(?:하지만|합니다만))[,.]?")
_KOREAN_ATTEMPT = re.compile(r"(?:하지만|그렇지만|그러나|아마|생각합니다|추측)")


def is_refusal(text: str, language: str = "en") -> bool:
    """Whether an answer refuses, states ignorance or asks a question back, without attempting an answer.

    "I'm not sure, but I think it is Paris" is an attempt. Languages other than Korean use the English phrases.
    """
    if primary_language(language) == "ko":
        # Korean spacing varies, so the patterns are matched without spaces.
        joined = _KOREAN_APOLOGY.sub("", "".join(text.split()))
        return _KOREAN_REFUSAL.search(joined) is not None and _KOREAN_ATTEMPT.search(joined) is None
    words = normalise(text, "en")
    if _APOLOGY_ONLY.match(words):
        return True
    match = _ENGLISH_REFUSAL.match(words)
    return match is not None and _ATTEMPT.search(words, match.end()) is None


# Unicode ranges of each script, letters only.
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

MIN_SHARE = 0.5
"""An answer is in its language if at least this share of its letters is in the language's scripts."""
MIN_LATIN_WORDS = 4
"""An all-Latin answer in a language of another script is flagged from this many words; fewer may be a name."""


def wrong_language(text: str, language: str) -> bool:
    """Whether the letters of a text show that it is not in `language`, a BCP-47 tag.

    Languages that share a script, such as English and German, are not distinguished. Text without letters is never
    wrong, and a few Latin letters (NASA, DNA) are accepted in every language.
    """
    # Fast path for the most common case.
    if text.isascii() and language[:2].lower() == "en":
        return False
    expected = _EXPECTED.get(primary_language(language), _LATIN)
    letters = len(_ANY.findall(text))
    if not letters:
        return False
    expected_letters = sum(len(_PATTERNS[script].findall(text)) for script in expected)
    if expected is _LATIN:
        return expected_letters < MIN_SHARE * letters
    latin = len(_PATTERNS["latin"].findall(text))
    if latin == letters:
        return len(text.split()) >= MIN_LATIN_WORDS
    # Latin letters are left out of the total: a Korean sentence may hold long names in Latin letters.
    return expected_letters < MIN_SHARE * (letters - latin)
