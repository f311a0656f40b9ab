"""What a user may set about the cascade."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from omnigap_services.asr.options import AsrOptions
from omnigap_services.options import Options

KNOWLEDGE = Path(__file__).parent / "knowledge.jsonl"
"""The shipped facts, one `{"text", "answer"}` a line."""


class CascadeOptions(Options):
    """Options of the `cascade` service.

    Attributes:
        tts: `host:port` of the TTS service; empty: the cascade can not speak.
        tts_wait_s: how long loading waits for that service.
        asr_checkpoint: what it hears with, as the `asr` service's `checkpoint`; empty: the same shipped one.
        asr_revision, asr_device, asr_compute_type, asr_beam_size: as the `asr` service's.
        knowledge: JSON Lines file of facts.
        min_match: retrieval score, 0 to 1, under which the answer is "I don't know."
        image_side: longer images are shrunk to this many pixels before text is sought in them.
        asr_threads: as the `asr` service's `cpu_threads`.
        ocr_threads: more than one shortens a single answer and costs more work in all.
        max_batch_size: questions that are worked on at once.
    """

    tts: str = ""
    tts_wait_s: float = Field(default=60.0, ge=0)
    asr_checkpoint: str = ""
    asr_revision: str | None = None
    asr_device: Literal["auto", "cpu", "cuda"] = "auto"
    asr_compute_type: str = "auto"
    asr_beam_size: int = Field(default=5, ge=1, le=20)
    knowledge: Path = KNOWLEDGE
    min_match: float = Field(default=0.42, ge=0, le=1)
    image_side: int = Field(default=960, ge=64, le=4096)
    asr_threads: int = Field(default=0, ge=0, le=256)
    ocr_threads: int = Field(default=1, ge=1, le=64)
    max_batch_size: int = Field(default=8, ge=1, le=64)

    def hearing(self) -> AsrOptions:
        """The options of the engine that hears."""
        return AsrOptions.model_validate(
            {
                "checkpoint": self.asr_checkpoint,
                "revision": self.asr_revision,
                "device": self.asr_device,
                "compute_type": self.asr_compute_type,
                "beam_size": self.asr_beam_size,
                "cpu_threads": self.asr_threads,
                "max_batch_size": self.max_batch_size,
            }
        )
