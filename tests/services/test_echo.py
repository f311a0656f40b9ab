"""The `echo` service: answers in the requested modality, and fails as configured."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from omnigap.card import is_shipped_model
from omnigap.errors import ContractError
from omnigap.media import AudioClip
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, Reason
from tests.helpers.serve_process import Serve, Served

CLIP = AudioClip(np.full(8_000, 0.1, np.float32), 16_000)


@pytest.fixture(scope="module")
def echo(serve: Serve) -> Served:
    return serve("echo")


@pytest.mark.parametrize(
    ("carrier", "text"),
    [
        ("What is it?", "What is it?"),
        (CLIP, "audio of 0.50 seconds"),
        (Image.new("RGB", (30, 20)), "image of 30 x 20 pixels"),
    ],
)
def test_it_answers_every_input_in_both_outputs(echo: Served, carrier: str | AudioClip, text: str) -> None:
    written = echo.ask(carrier)
    assert (written.text, written.audio) == (text, None)
    spoken = echo.ask(carrier, output=Modality.SPEECH)
    assert spoken.text == text
    assert spoken.audio is not None
    assert spoken.audio.seconds == 0.25


def test_audio_differs_between_requests_and_is_reproducible(echo: Served) -> None:
    def sound(*parts: str | AudioClip, **fields: object) -> bytes:
        audio = echo.ask(*parts, output=Modality.SPEECH, **fields).audio
        assert audio is not None
        return audio.samples.tobytes()

    requests = [
        (("a",), {}),
        (("b",), {}),
        (("a", "b"), {}),
        ((CLIP,), {}),
        (("a",), {"decoding": pb.Decoding(seed=1)}),
        (("a",), {"decoding": pb.Decoding(seed=2)}),
        (("a",), {"voice": pb.VoiceSettings(name="x")}),
        (("a",), {"system_prompt": "b"}),
    ]
    sounds = [sound(*parts, **fields) for parts, fields in requests]
    assert len(set(sounds)) == len(requests)
    assert sound("a") == sounds[0]


def test_only_matching_requests_fail(serve: Serve) -> None:
    served = serve("echo", {"fail_with": "UPSTREAM_UNAVAILABLE", "fail_matching": "unlucky"})
    with pytest.raises(ContractError) as caught:
        served.ask("an unlucky question")
    assert caught.value.reason is Reason.UPSTREAM_UNAVAILABLE
    assert served.ask("another question").text == "another question"


def test_a_fixed_answer_can_be_silent(serve: Serve) -> None:
    served = serve("echo", {"answer": "forty two", "silent": True, "architecture": "moe"})
    reply = served.ask("What is it?", output=Modality.SPEECH)
    assert reply.text == "forty two"
    assert reply.audio is not None
    assert reply.audio.seconds == 0
    assert served.describe().architecture == pb.ARCHITECTURE_MOE
    assert is_shipped_model(served.describe())


def test_the_digest_covers_answers_but_not_delays(serve: Serve, echo: Served) -> None:
    assert serve("echo", {"answer": "x"}).describe().digest != echo.describe().digest
    assert serve("echo", {"delay_s": 0.01, "fail_with": "BUSY"}).describe().digest == echo.describe().digest
