"""What one Generate call returned, gathered from its stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import FinishReason


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished answer.

    Attributes:
        own_text: all text deltas joined.
        pcm: signed 16-bit little-endian mono audio; empty where none came.
        sample_rate: of `pcm`, in Hz; 0 without audio.
        latency_s: from sending to the last byte, by the caller's clock.
    """

    own_text: str
    reasoning: str
    pcm: bytes
    sample_rate: int
    finish_reason: FinishReason
    usage: pb.Usage
    timings: pb.Timings
    digest: str
    diagnostics: Mapping[str, float]
    detected_language: str
    latency_s: float
    endpoint: str

    @property
    def audio_seconds(self) -> float:
        return len(self.pcm) / 2 / self.sample_rate if self.sample_rate else 0.0
