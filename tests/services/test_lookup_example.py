"""The model of docs/own-container.md, served from its folder as the page does, without an engine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from omnigap.vocabulary import Modality
from tests.helpers.serve_process import Served

FOLDER = Path(__file__).parents[2] / "examples" / "own-container"
PROGRAM = str(Path(sys.executable).with_name("omnigap-serve"))
MODEL = "lookup_model:LookupAdapter"


@contextmanager
def _served(*options: str) -> Iterator[Served]:
    command = [PROGRAM, MODEL, "--exit-with-parent", *(word for text in options for word in ("--options", text))]
    process = subprocess.Popen(command, cwd=FOLDER, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    served = Served(f"{ready['host']}:{ready['port']}", process)
    try:
        yield served
    finally:
        served.stop()


@pytest.fixture(scope="module")
def lookup() -> Iterator[Served]:
    with _served("min_similarity = 60", "") as served:
        yield served


def test_a_similar_question_has_the_stored_answer(lookup: Served) -> None:
    assert lookup.ask("what is the capital city of France").text == "Paris"
    assert lookup.ask("12 + 7 =").text == "I do not know."


def test_its_speech_is_one_tone_for_each_character(lookup: Served) -> None:
    clip = lookup.ask("What is the capital of France?", output=Modality.SPEECH).audio
    assert clip is not None
    assert clip.seconds == pytest.approx(len("Paris") / 20)


def test_an_option_changes_the_answers_and_the_digest(lookup: Served) -> None:
    with _served("min_similarity = 60", "min_similarity = 95") as other:
        assert other.ask("what is the capital city of France").text == "I do not know."
        assert other.describe().digest != lookup.describe().digest


def test_an_option_that_it_does_not_have_is_refused() -> None:
    command = [PROGRAM, MODEL, "--options", "similarity = 60"]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode != 0
    assert "unknown option 'similarity', did you mean 'min_similarity'? (known: min_similarity, answers)" in done.stderr
