"""Shared by services that hear or speak: the clip a scorer takes, speech rates, languages, transcript statistics."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import numpy as np

from omnigap.errors import ContractError
from omnigap.media import AudioClip
from omnigap.media.audio import Samples
from omnigap.vocabulary import Reason, primary_language
from omnigap_services.adapter import DecodingOptions, Request

# Half a step of 16-bit audio: all of it would travel as zeros.
_SILENCE_PEAK = 0.5 / 32_768


def is_silent(samples: Samples) -> bool:
    """Whether there is nothing to hear in samples of shape (n,)."""
    return not len(samples) or float(np.abs(samples).max()) < _SILENCE_PEAK


def speed_of(words_per_minute: float, own: float, speeds: tuple[float, float]) -> float:
    """The factor on the voice's own rate that gives the rate asked for.

    Args:
        own: words per minute at factor 1.
        speeds: the smallest and the largest factor.

    Raises:
        ContractError: BAD_REQUEST for a rate outside of what these come to.
    """
    low, high = speeds
    if not low <= words_per_minute / own <= high:
        span = f"{own * low:g} to {own * high:g}"
        raise ContractError(Reason.BAD_REQUEST, f"words_per_minute is {words_per_minute:g}: the voice speaks {span}")
    return words_per_minute / own


def serving(asked: str, known: Iterable[str]) -> str | None:
    """The tag that stands for what is asked: the same one, else the first of the same language; None where none does.

    So a list of `pt-BR` serves `pt` and `pt-PT`, and one of `pt` serves `pt-BR`.
    """
    tags = list(known)
    same = (tag for tag in tags if tag.replace("_", "-").lower() == asked.replace("_", "-").lower())
    alike = (tag for tag in tags if primary_language(tag) == primary_language(asked))
    return next(same, None) or next(alike, None)


SILENCE_PEAK = 1e-4
"""A clip that never exceeds this (three steps of 16-bit audio) is digital silence: there is nothing to hear in it."""


def clip_of(request: Request) -> Samples:
    """The one clip that a scorer is sent; anything that could steer the transcript is refused.

    Raises:
        ContractError: BAD_REQUEST for decoding, texts and further parts; BAD_MEDIA for a clip that holds nothing.
    """
    if refused := _refused_decoding(request.decoding):
        raise ContractError(
            Reason.BAD_REQUEST,
            f"decoding asks for {', '.join(refused)}: the ASR is deterministic and takes beam_size alone (and"
            " temperature 0), leave the others unset",
        )
    if len(request.parts) != 1 or not isinstance(request.carrier, AudioClip) or request.system_prompt:
        raise ContractError(
            Reason.BAD_REQUEST,
            f"{len(request.parts)} parts{' and a system prompt' if request.system_prompt else ''}: the ASR takes"
            " one audio part and no text, which could lead it to the answer",
        )
    check_clip(request.carrier.samples)
    return request.carrier.samples


def _refused_decoding(decoding: DecodingOptions) -> list[str]:
    """`name=value` of each setting that a deterministic beam search has no use for; a seed does no harm."""
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
    """Raises ContractError (BAD_MEDIA) for an empty or non-finite clip: Whisper would make up text for it."""
    if not len(clip) or not np.isfinite(clip).all():
        raise ContractError(Reason.BAD_MEDIA, "the clip is empty or holds NaN or infinite samples: write it again")


def compression_ratio(text: str) -> float:
    """Bytes of the text over their zlib size, as Whisper defines it: loops compress well. 0 for no text."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0
