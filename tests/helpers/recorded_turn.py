"""A turn of a model with text output that records its answer, to call `generate` without a server."""

from __future__ import annotations

from typing import Any

from omnigap.vocabulary import Modality
from omnigap_services.adapter import Completion, DecodingOptions, InputPart, Request

GREEDY = DecodingOptions(max_new_tokens=16)


class RecordedTurn:
    """A turn that records what it gets."""

    def __init__(self, *parts: InputPart, decoding: DecodingOptions = GREEDY, system_prompt: str = "") -> None:
        self.request = Request(parts=parts, output=Modality.TEXT, decoding=decoding, system_prompt=system_prompt)
        self.cancelled = False
        self.text, self.thinking = "", ""
        self.completion: Completion | None = None
        self.error: Exception | None = None

    def write(self, text: str) -> None:
        self.text += text

    def reason(self, text: str) -> None:
        self.thinking += text

    def speak(self, samples: Any, sample_rate: int) -> None:
        raise AssertionError("a model with text output spoke")

    def complete(self, completion: Completion) -> None:
        self.completion = completion

    def fail(self, error: Exception) -> None:
        self.error = error
