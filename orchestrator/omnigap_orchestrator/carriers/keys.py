"""Keys of made carriers: what a carrier was made from, so that the same is never made twice."""

from __future__ import annotations

from dataclasses import asdict

from omnigap.digest import digest_of
from omnigap_orchestrator.carriers.blank import BLANK_VERSION
from omnigap_orchestrator.carriers.fonts import font_digest
from omnigap_orchestrator.carriers.render import LAYOUT_VERSION, ImageStyle


def image_carrier_key(text: str, style: ImageStyle) -> str:
    """Digest over the text, the style and the font's file (read once), and the layout's version.

    Raises:
        CarrierError: for a font that is not there.
    """
    look = asdict(style) | {"font": font_digest(style.font)}
    return digest_of({"carrier": "image", "text": text, "style": look, "layout": LAYOUT_VERSION})


def blank_carrier_key(sha256: str) -> str:
    """Digest over the medium whose place a blank one takes, and how blanks are made."""
    return digest_of({"carrier": "blank", "of": sha256, "version": BLANK_VERSION})


def speech_carrier_key(text: str, voice: str | None, words_per_minute: float | None, tts_digest: str) -> str:
    """Digest over the text, the voice and its rate (None: the service's own) and the TTS service's digest."""
    rate = None if words_per_minute is None else float(words_per_minute)
    return digest_of({"carrier": "speech", "text": text, "voice": voice, "rate": rate, "tts": tts_digest})
