"""What a user may set about the OCR service."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from omnigap_services.options import Options


class OcrOptions(Options):
    """Options of the `ocr` service.

    Attributes:
        image_side: longer images are shrunk to this many pixels before text is sought in them.
        recognition_model: an ONNX file of a PP-OCR recogniser with its characters inside, for scripts that the one of
            the wheel cannot write, such as Hangul; unset: the wheel's.
        threads: more than one shortens a single answer and costs more work in all.
    """

    image_side: int = Field(default=2000, ge=64, le=8192)
    recognition_model: Path | None = None
    threads: int = Field(default=1, ge=1, le=64)
    max_queue: int = Field(default=256, ge=1)
