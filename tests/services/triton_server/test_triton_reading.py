"""Responses read without a server: what no model of these tests sends."""

from __future__ import annotations

import numpy as np
import pytest

from omnigap.vocabulary import Modality
from omnigap_services.triton_server.options import TritonOptions
from omnigap_services.triton_server.outputs import OutputReader


@pytest.mark.parametrize(
    ("sent", "pieces"),
    [
        (["Caf", "Caf\ufffd", "Café", "Café!"], ["Caf", "", "é", "!", ""]),
        (["a\ufffd\ufffd", "a한"], ["a", "한", ""]),
        (["so\ufffd"], ["so", "\ufffd"]),
    ],
    ids=["two tokens", "three tokens", "never whole"],
)
def test_a_character_of_several_tokens_waits_for_its_last_in_texts_so_far(sent: list[str], pieces: list[str]) -> None:
    options = TritonOptions(model="m", outputs={"text": "out"}, text_out="so_far")  # type: ignore[arg-type]
    reader = OutputReader(options, Modality.TEXT)
    found = [reader.take({"out": np.array([text.encode()], dtype=object)}).text for text in sent]
    assert [*found, reader.rest().text] == pieces
