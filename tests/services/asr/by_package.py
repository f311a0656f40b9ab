"""The reference for the ASR engine: faster-whisper's own sequential `transcribe`."""

from __future__ import annotations

from omnigap.media.audio import Samples
from omnigap_services.asr.engine import _DECODING, AsrEngine


def transcribe_by_package(engine: AsrEngine, clip: Samples, language: str = "", beam_size: int | None = None) -> str:
    """The text of one clip with the engine's model and decoding options, one window after another."""
    segments, _ = engine._model.transcribe(
        clip,
        language=engine.language_code(language),
        beam_size=beam_size or engine.options.beam_size,
        **_DECODING,
    )
    return "".join(segment.text for segment in segments).strip()
