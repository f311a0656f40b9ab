"""Responses that no model of these tests sends, read without a server."""

from __future__ import annotations

import numpy as np
import pytest

from omnigap.errors import ContractError
from omnigap.vocabulary import Modality, Reason
from omnigap_services.triton_server.options import TritonOptions
from omnigap_services.triton_server.outputs import OutputReader


@pytest.mark.parametrize(
    ("sent", "pieces"),
    [
        (["Caf", "Caf\ufffd", "Café", "Café!"], ["Caf", "", "é", "!", ""]),
        (["a\ufffd\ufffd", "a한"], ["a", "한", ""]),
        (["so\ufffd"], ["so", "\ufffd"]),
    ],
    ids=["two tokens", "three tokens", "incomplete"],
)
def test_a_character_of_several_tokens_is_sent_whole_from_cumulative_texts(sent: list[str], pieces: list[str]) -> None:
    options = TritonOptions(model="m", outputs={"text": "out"}, text_out="so_far")  # type: ignore[arg-type]
    reader = OutputReader(options, Modality.TEXT)
    found = [reader.add({"out": np.array([text.encode()], dtype=object)}).text for text in sent]
    assert [*found, reader.finish().text] == pieces


SPEECH = TritonOptions(
    model="m",
    outputs={"text": "out", "audio": "pcm", "sample_rate": "rate"},  # type: ignore[arg-type]
    output_sample_rate_hz=24_000,
)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf"), 1e12, 3_999.0])
def test_a_rate_that_is_none_is_a_model_error(rate: float) -> None:
    with pytest.raises(ContractError, match="a sample rate is 4000 to 192000 Hz") as caught:
        OutputReader(SPEECH, Modality.SPEECH).add({"pcm": np.zeros(10, np.float32), "rate": np.array([rate])})
    assert caught.value.reason is Reason.MODEL_ERROR


def test_audio_that_does_not_end_is_too_large() -> None:
    reader = OutputReader(SPEECH, Modality.SPEECH)
    hour = {"pcm": np.zeros(3_600 * 4_000, np.float32), "rate": np.array([4_000])}
    assert reader.add(hour).audio is None
    with pytest.raises(ContractError, match="did not end") as caught:
        reader.add({"pcm": np.zeros(1, np.float32), "rate": np.array([4_000])})
    assert caught.value.reason is Reason.TOO_LARGE
