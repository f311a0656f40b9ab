"""Requests with all carriers, and a turn that records its answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from omnigap.media import AudioClip
from omnigap.media.audio import Samples
from omnigap.vocabulary import Modality
from omnigap_services.adapter import Completion, InputPart, Request


def tone(seconds: float, pitch_hz: float = 440.0) -> AudioClip:
    time = np.arange(int(16_000 * seconds)) / 16_000
    return AudioClip((0.2 * np.sin(2 * np.pi * pitch_hz * time)).astype(np.float32), 16_000)


def picture(width: int = 128, height: int = 64) -> Image.Image:
    image = Image.new("RGB", (width, height), "white")
    ImageDraw.Draw(image).text((4, 4), "What?", fill="black")
    return image


def eight(output: Modality, **fields: Any) -> list[Request]:
    """Questions of different lengths in every carrier, with and without a typed instruction."""
    questions: list[tuple[InputPart, ...]] = [
        ("What is the capital of France?",),
        (tone(1.0), "Answer with one word."),
        (picture(),),
        ("Hi",),
        (tone(0.4, 220),),
        (picture(96, 96), "What is this?"),
        ("What was the question that you would have liked to be asked today?", "Answer with one word."),
        (tone(1.7, 330), "Ok?"),
    ]
    return [Request(parts, output, **fields) for parts in questions]


@dataclass
class Recorded:
    """A turn that records everything; implements `omnigap_services.adapter.Turn`.

    Attributes:
        watch: called on every event with its name.
        cancel_after: number of events after which the caller cancels.
    """

    request: Request
    cancel_after: int | None = None
    watch: Callable[[str], None] | None = None
    events: list[str] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    clips: list[Samples] = field(default_factory=list)
    completion: Completion | None = None
    error: Exception | None = None

    @property
    def cancelled(self) -> bool:
        return self.cancel_after is not None and len(self.events) >= self.cancel_after

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def audio(self) -> Samples:
        return np.concatenate(self.clips) if self.clips else np.zeros(0, dtype=np.float32)

    @property
    def done(self) -> Completion:
        assert self.error is None, self.error
        assert self.completion is not None, "the turn was never completed"
        return self.completion

    def write(self, text: str) -> None:
        self._note("write")
        self.pieces.append(text)

    def reason(self, text: str) -> None:
        raise AssertionError(f"Qwen-Omni has no reasoning output, but wrote {text!r}")

    def speak(self, samples: Samples, sample_rate: int) -> None:
        assert sample_rate == 24_000
        assert samples.ndim == 1
        self._note("speak")
        self.clips.append(samples)

    def complete(self, completion: Completion) -> None:
        assert self.completion is None, "completed twice"
        self._note("complete")
        self.completion = completion

    def fail(self, error: Exception) -> None:
        self._note("fail")
        self.error = error

    def _note(self, event: str) -> None:
        assert self.completion is None, f"{event} after the end"
        self.events.append(event)
        if self.watch is not None:
            self.watch(event)


def ask(adapter: Any, *requests: Request) -> list[Recorded]:
    """Answers all requests in one batch."""
    turns = [Recorded(request) for request in requests]
    adapter.generate(turns)
    return turns


def ask_each(adapter: Any, requests: Sequence[Request]) -> list[Recorded]:
    """Answers the requests one after another."""
    return [ask(adapter, request)[0] for request in requests]
