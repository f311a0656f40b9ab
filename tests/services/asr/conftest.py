"""The ASR service with the shipped checkpoint, and clips to transcribe."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from omnigap.media import AudioClip

if TYPE_CHECKING:
    from tests.services.conftest import Serve, Served

SENTENCES = (
    "What is the capital of France?",
    "Forty two",
    "The river flows through the old town to the sea.",
    "Option B.",
    "Wednesday",
    "My brother bought a green bicycle last summer.",
    "Marie Curie",
    "I don't know.",
    "Nineteen sixty nine",
)


@pytest.fixture(scope="session")
def asr(serve: Serve) -> Served:
    """The ASR service with its default options."""
    return serve("asr")


@pytest.fixture(scope="session")
def clips(say: Callable[..., AudioClip]) -> list[AudioClip]:
    """Short sentences of different lengths in the shipped voices."""
    voices = ("en-us", "en-us+f3")
    return [say(text, voices[number % 2]) for number, text in enumerate(SENTENCES)]
