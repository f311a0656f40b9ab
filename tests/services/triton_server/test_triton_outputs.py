"""Responses that no model of these tests sends, read without a server."""

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
    ids=["two tokens", "three tokens", "incomplete"],
)
def test_a_character_of_several_tokens_is_sent_whole_from_cumulative_texts(sent: list[str], pieces: list[str]) -> None:
    options = TritonOptions(model="m", outputs={"text": "out"}, text_out="so_far")  # type: ignore[arg-type]
    reader = OutputReader(options, Modality.TEXT)
    found = [reader.add({"out": np.array([text.encode()], dtype=object)}).text for text in sent]
    assert [*found, reader.finish().text] == pieces
