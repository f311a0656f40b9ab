"""Shared by ASR and TTS services: the clip of a request, transcript statistics, silence, speech rates, languages."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import numpy as np

from omnigap.errors import ContractError
from omnigap.media import AudioClip
from omnigap.media.audio import Samples
from omnigap.vocabulary import Reason, primary_language
from omnigap_services.adapter import DecodingOptions, Request

SILENCE_PEAK = 1e-4
"""ASR treats a clip that never exceeds this (three steps of 16-bit audio) as silence and does not run its model."""

# Half a step of 16-bit audio: below it, every sample is sent as zero.
_PCM16_ZERO_PEAK = 0.5 / 32_768


def single_clip(request: Request) -> Samples:
    """The one clip of a request to an ASR scorer. Anything that could steer the transcript is refused.

    Raises:
        ContractError: BAD_REQUEST for decoding settings, text and further parts; BAD_MEDIA for an invalid clip.
    """
    # Refused instead of ignored: a caller that sets a temperature expects it to have an effect.
    if refused := _refused_decoding(request.decoding):
        raise ContractError(
            Reason.BAD_REQUEST,
            f"decoding sets {', '.join(refused)}: ASR is deterministic and accepts only beam_size (and temperature 0),"
            " leave the others unset",
        )
    if len(request.parts) != 1 or not isinstance(request.carrier, AudioClip) or request.system_prompt:
        raise ContractError(
            Reason.BAD_REQUEST,
            f"{len(request.parts)} parts{' and a system prompt' if request.system_prompt else ''}: ASR takes one audio"
            " part and no text, which could steer the transcript to the answer",
        )
    check_clip(request.carrier.samples)
    return request.carrier.samples


def _refused_decoding(decoding: DecodingOptions) -> list[str]:
    """`name=value` of each setting that a deterministic beam search cannot honour; a seed has no effect on it."""
    asked = {
        "temperature": decoding.temperature or None,
        "top_p": decoding.top_p,
        "top_k": decoding.top_k,
        "repetition_penalty": decoding.repetition_penalty,
        "max_new_tokens": decoding.max_new_tokens,
        **decoding.extra,
    }
    return [f"{name}={value}" for name, value in asked.items() if value is not None]


def check_clip(clip: Samples) -> None:
    """Raises ContractError (BAD_MEDIA) for an empty or non-finite clip, for which Whisper would invent text."""
    if not len(clip) or not np.isfinite(clip).all():
        raise ContractError(Reason.BAD_MEDIA, "the clip is empty or has NaN or infinite samples: write it again")


def compression_ratio(text: str) -> float:
    """Bytes of a text over their zlib size, as Whisper defines it; 0 for an empty text.

    Repetition compresses well, so a high ratio indicates a decoding loop.
    """
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0


def is_silent(samples: Samples) -> bool:
    """Whether samples of shape (n,) are all zero as 16-bit audio, so that a TTS answer would be inaudible."""
    return not len(samples) or float(np.abs(samples).max()) < _PCM16_ZERO_PEAK


def speed_for(words_per_minute: float, own: float, speeds: tuple[float, float]) -> float:
    """The factor on a voice's own rate that gives the requested rate.

    Args:
        own: words per minute at factor 1.
        speeds: the smallest and the largest factor.

    Raises:
        ContractError: BAD_REQUEST for a rate outside the range of the factors.
    """
    low, high = speeds
    if not low <= words_per_minute / own <= high:
        span = f"{own * low:g} to {own * high:g}"
        raise ContractError(Reason.BAD_REQUEST, f"words_per_minute is {words_per_minute:g}: the voice speaks {span}")
    return words_per_minute / own


def match_language(asked: str, known: Iterable[str]) -> str | None:
    """The tag of a list that matches a requested language: the same tag, else the first with the same language.

    So `pt-BR` matches a request for `pt` or `pt-PT`, and `pt` matches one for `pt-BR`. None if there is no match.
    """
    # Both `pt-BR` and `pt_BR` are in use.
    tags = list(known)
    same = (tag for tag in tags if tag.replace("_", "-").lower() == asked.replace("_", "-").lower())
    alike = (tag for tag in tags if primary_language(tag) == primary_language(asked))
    return next(same, None) or next(alike, None)
