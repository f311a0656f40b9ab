"""Requests with all carriers, and a turn that records its answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from omnigap.media.audio import Samples
from omnigap.vocabulary import Modality
from omnigap_services.adapter import Completion, Request
from tests.services.qwen_omni.recorded import eight, picture, tone

__all__ = ["Recorded", "ask", "eight", "picture", "tone"]


@dataclass
class Recorded:
    """A turn that records everything; implements `omnigap_services.adapter.Turn`."""

    request: Request
    cancelled: bool = False
    text: str = ""
    reasoning: str = ""
    audio: Samples | None = None
    completion: Completion | None = None
    error: Exception | None = None
    events: list[str] = field(default_factory=list)

    @property
    def done(self) -> Completion:
        assert self.error is None, self.error
        assert self.completion is not None, "the turn was never completed"
        return self.completion

    @property
    def same(self) -> tuple[str, str, Completion, bytes]:
        """Everything that must not depend on the batch."""
        return self.text, self.reasoning, self.done, b"" if self.audio is None else self.audio.tobytes()

    def write(self, text: str) -> None:
        self._note("write")
        self.text += text

    def reason(self, text: str) -> None:
        self._note("reason")
        self.reasoning += text

    def speak(self, samples: Samples, sample_rate: int) -> None:
        self._note("speak")
        assert sample_rate == 16_000
        assert samples.dtype == np.float32
        assert samples.ndim == 1
        assert self.audio is None, "one clip an answer"
        assert self.request.output is Modality.SPEECH
        self.audio = samples

    def speak_pcm16(self, data: bytes, sample_rate: int) -> None:
        raise AssertionError("samples are sent as float32")

    def complete(self, completion: Completion) -> None:
        self._note("complete")
        self.completion = completion

    def fail(self, error: Exception) -> None:
        self._note("fail")
        self.error = error

    def _note(self, event: str) -> None:
        assert self.completion is None, f"{event} after the end"
        assert self.error is None, f"{event} after {self.error}"
        self.events.append(event)


def ask(adapter: Any, *requests: Request) -> list[Recorded]:
    """Answers all requests in one batch."""
    turns = [Recorded(request) for request in requests]
    adapter.generate(turns)
    return turns
