"""The cascade asked to transcribe: it gives what it heard or read, and answers nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from omnigap.media import AudioClip
from omnigap.vocabulary import Modality
from omnigap_services.adapter import Request
from omnigap_services.cascade.transcribing import asks_to_transcribe

if TYPE_CHECKING:
    from tests.services.conftest import Served

FRANCE = "What is the capital of France?"
CHOICES = "Which sport is played at Wimbledon?\nA. golf\nB. tennis"
HEAR = "Transcribe the recording word for word. Write only what is said, and do not answer it."
READ = "Transcribe the text in the image word for word. Write only what is written there, and do not answer it."


def test_it_writes_down_what_it_reads_line_by_line(cascade: Served, draw: Callable[[str], Image.Image]) -> None:
    assert cascade.ask(draw(FRANCE), READ).text == FRANCE
    assert cascade.ask(draw(CHOICES), READ).text == CHOICES


def test_what_it_hears_and_writes_down_is_what_it_answers(cascade: Served, say: Callable[..., AudioClip]) -> None:
    clip = say(FRANCE)
    heard = cascade.ask(clip, HEAR).text
    assert f"question: {heard}\n" == cascade.ask(clip).reasoning
    assert cascade.ask(heard).text == cascade.ask(clip).text


def test_from_a_blank_carrier_it_writes_nothing(cascade: Served) -> None:
    assert cascade.ask(Image.new("RGB", (400, 200), "white"), READ).text == ""
    assert cascade.ask(AudioClip(np.zeros(16_000, dtype=np.float32), 16_000), HEAR).text == ""


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        (HEAR, True),
        (READ, True),
        ("Write down, word for word, what you hear.", True),
        ("Give it back verbatim.", True),
        ("Answer with one word.", False),
        ("Translate word for word.", False),
        ("", False),
    ],
)
def test_the_request_is_known_by_its_typed_words(typed: str, asked: bool) -> None:
    parts = ("carrier", typed) if typed else ("carrier",)
    assert asks_to_transcribe(Request(parts=parts, output=Modality.TEXT)) is asked


def test_words_of_the_question_itself_are_no_request() -> None:
    assert not asks_to_transcribe(Request(parts=("What does it mean to transcribe?",), output=Modality.TEXT))
