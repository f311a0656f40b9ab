"""Texts inside 16-bit audio: what a service says can be read back from the bytes, without speech recognition."""

from __future__ import annotations

import struct

RATE = 16_000
_MARK = b"CHAOS"
_STEP = 128
_LEAST_SAMPLES = 1_600


def pcm_of(text: str) -> bytes:
    """Mono 16-bit audio whose samples spell a text: one sample a byte, after a mark and the length."""
    data = text.encode()
    content = _MARK + struct.pack(">H", len(data)) + data
    content += bytes(40 + i % 170 for i in range(_LEAST_SAMPLES - len(content)))
    return struct.pack(f"<{len(content)}h", *((byte - 128) * _STEP for byte in content))


def text_of(audio: bytes) -> str | None:
    """The text that `pcm_of` wrote, from raw samples or from a WAV file; None for any other audio."""
    start = audio.find(b"data") + 8 if audio[:4] == b"RIFF" else 0
    body = audio[start : start + 2 * (len(audio[start:]) // 2)]
    samples = struct.unpack(f"<{len(body) // 2}h", body)
    content = bytes(sample // _STEP + 128 for sample in samples if -128 <= sample // _STEP < 128)
    if not content.startswith(_MARK):
        return None
    length = struct.unpack_from(">H", content, len(_MARK))[0]
    return content[len(_MARK) + 2 :][:length].decode(errors="replace")
