"""The one clip that a scorer is sent; whatever could steer a transcript, or holds nothing, is refused."""

from __future__ import annotations

import numpy as np

from omnigap.errors import ContractError
from omnigap.media import AudioClip
from omnigap.media.audio import Samples
from omnigap.vocabulary import Reason
from omnigap_services.adapter import DecodingOptions, Request

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
