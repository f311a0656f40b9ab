"""The example model of the README: short, complete, and served unchanged."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality
from tests.helpers.serve_process import Served

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "shout_model.py"


@pytest.fixture(scope="module")
def shout() -> Iterator[Served]:
    program = Path(sys.executable).with_name("omnigap-serve")
    command = [str(program), "examples.shout_model:ShoutAdapter", "--exit-with-parent"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    served = Served(f"{ready['host']}:{ready['port']}", process)
    yield served
    served.stop()


def test_it_is_under_40_lines() -> None:
    assert len(EXAMPLE.read_text().splitlines()) < 40


def test_every_declared_condition_is_answered(shout: Served) -> None:
    native = [c for c in shout.describe().conditions if c.support == pb.SUPPORT_NATIVE]
    assert [(c.input, c.output) for c in native] == [
        (pb.MODALITY_TEXT, pb.MODALITY_TEXT),
        (pb.MODALITY_TEXT, pb.MODALITY_SPEECH),
    ]
    assert shout.ask("sos").text == "SOS!"
    assert shout.ask("sos", output=Modality.SPEECH).text == "SOS!"


def test_its_speech_is_morse_code_of_its_text(shout: Served) -> None:
    clip = shout.ask("SOS", output=Modality.SPEECH).audio
    assert clip is not None
    dot = int(0.06 * clip.sample_rate)
    loud = [float(np.abs(clip.samples[start : start + dot]).max()) > 0.1 for start in range(0, len(clip.samples), dot)]
    marks = "".join("=" if on else "." for on in loud)
    assert marks.startswith("=.=.=...===.===.===...=.=.=...")
