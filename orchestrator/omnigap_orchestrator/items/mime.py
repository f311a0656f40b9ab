"""What kind of medium bytes are, told from their first bytes and never from a file's name."""

from __future__ import annotations

from omnigap.media.audio import WAV
from omnigap.media.image import PNG
from omnigap.vocabulary import Modality

HEAD_BYTES = 16
"""So many bytes tell every kind."""

EXTENSIONS = {
    WAV: "wav",
    "audio/flac": "flac",
    "audio/ogg": "ogg",
    "audio/mpeg": "mp3",
    PNG: "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
}
"""The kinds that a carrier may be, and the file extension of each."""

_READABLE = {Modality.SPEECH: "WAV, FLAC, Ogg or MP3", Modality.IMAGE: "PNG, JPEG or WebP"}
_FAMILY = {Modality.SPEECH: "audio/", Modality.IMAGE: "image/"}


def mime_type_of(head: bytes) -> str | None:
    """The MIME type that the first `HEAD_BYTES` bytes tell; None: none of the kinds in `EXTENSIONS`."""
    kind: str | None = None
    if head[:4] in (b"RIFF", b"RIFX"):
        kind = {b"WAVE": WAV, b"WEBP": "image/webp"}.get(head[8:12])
    elif head.startswith(b"fLaC"):
        kind = "audio/flac"
    elif head.startswith(b"OggS"):
        kind = "audio/ogg"
    elif head.startswith(b"\x89PNG\r\n\x1a\n"):
        kind = PNG
    elif head.startswith(b"\xff\xd8\xff"):
        kind = "image/jpeg"
    # MPEG audio: an ID3 tag, or a frame's sync word with a layer that is not the reserved one.
    elif head.startswith(b"ID3") or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 0x06):
        kind = "audio/mpeg"
    return kind


def carrier_mime_type(head: bytes, modality: Modality) -> str:
    """The MIME type of a speech or image carrier.

    Raises:
        ValueError: for no bytes, an unknown kind, and a kind of another modality.
    """
    if not head:
        raise ValueError("is empty: give a file with something in it")
    kind = mime_type_of(head)
    if kind is None:
        raise ValueError(f"begins with {head[:8]!r}, which is no kind that can be read: give {_READABLE[modality]}")
    if not kind.startswith(_FAMILY[modality]):
        raise ValueError(f"holds {kind}, which is no {modality}: give {_READABLE[modality]}")
    return kind
