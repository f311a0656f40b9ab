"""What is wrong with an answer that came back: silence, a lost tail, another language, a doubtful transcript."""

from __future__ import annotations

from dataclasses import dataclass

from omnigap.vocabulary import FinishReason, Flag
from omnigap_orchestrator.scoring.language import wrong_language
from omnigap_orchestrator.scoring.normalise import normalise, units
from omnigap_orchestrator.scoring.refusal import is_refusal

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
