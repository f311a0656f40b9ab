"""The bytes of a speech answer as audio: a WAV file, also one whose header was written before its end, or bare PCM."""

from __future__ import annotations

import re
from typing import Literal

from omnigap.errors import ContractError
from omnigap.media import AudioClip, AudioLimits, decode_audio
from omnigap.media.audio import PCM, WAV
from omnigap.vocabulary import Reason

_LIMITS = AudioLimits(max_seconds=3_600.0)
_RATE = re.compile(r"\brate\s*=\s*(\d+)", re.IGNORECASE)
_FRAME_BYTES = 2


def read_sound(
    data: bytes, content_type: str, audio_format: Literal["wav", "pcm"], pcm_sample_rate_hz: int
) -> AudioClip | None:
    """The audio at its own rate; None where there is no sample in it.

    Args:
        content_type: of the HTTP answer; `audio/pcm;rate=24000` tells the rate of bare PCM.

    Raises:
        ContractError: MODEL_ERROR for bytes that are no such audio.
    """
    # Bare PCM may begin with any byte.
    if "json" in content_type or (audio_format == "wav" and data[:1] == b"{"):
        raise ContractError(Reason.MODEL_ERROR, f"the server sent no audio but {data[:200]!r}")
    try:
        if audio_format == "pcm":
            found = _RATE.search(content_type)
            rate = int(found[1]) if found else pcm_sample_rate_hz
            whole = data[: len(data) // _FRAME_BYTES * _FRAME_BYTES]
            return decode_audio(whole, PCM, sample_rate=rate, channels=1, limits=_LIMITS) if whole else None
        file = _with_sizes(data)
        return decode_audio(file, WAV, limits=_LIMITS) if file else None
    except ContractError as error:
        raise ContractError(Reason.MODEL_ERROR, f"the server's audio cannot be read: {error.message}") from None


def _with_sizes(data: bytes) -> bytes:
    """A WAV file with the sizes that it has; empty where it holds no sample.

    Servers that stream write the header before they know how long it gets: sizes of 0, or of four gigabytes.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return data  # decoding says what is wrong with it
    place = 12
    while place + 8 <= len(data):
        name, size = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "little")
        body = place + 8
        if name == b"data":
            there = len(data) - body
            size = there if size == 0 or size > there else size
            if size < _FRAME_BYTES:
                return b""
            head = data[:4] + (body - 8 + size).to_bytes(4, "little") + data[8 : place + 4] + size.to_bytes(4, "little")
            return head + data[body : body + size]
        place = body + size + size % 2
    return data
