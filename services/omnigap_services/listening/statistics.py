"""Numbers about a transcript that its text alone tells."""

from __future__ import annotations

import zlib


def compression_ratio(text: str) -> float:
    """Bytes of the text over their zlib size, as Whisper defines it: loops compress well. 0 for no text."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0
