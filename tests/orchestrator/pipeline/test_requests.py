"""Decoding settings and carriers in requests."""

from __future__ import annotations

import pytest

from omnigap.v1 import model_service_pb2 as pb
from omnigap_orchestrator.carriers.carrier_set import Carrier
from omnigap_orchestrator.config.services import DecodingConfig
from omnigap_orchestrator.pipeline.requests import carrier_part, decoding_message


def test_each_replicate_has_its_own_seed() -> None:
    decoding = DecodingConfig(seed=7, temperature=0.0)
    assert [decoding_message(decoding, replicate).seed for replicate in range(3)] == [7, 8, 9]


def test_unset_decoding_settings_are_not_sent() -> None:
    message = decoding_message(DecodingConfig(temperature=0.0), 3)
    assert message == pb.Decoding(temperature=0.0)
    assert not message.HasField("seed")


@pytest.mark.parametrize(("mime_type", "field"), [("audio/wav", "audio"), ("image/png", "image")])
def test_a_medium_is_sent_as_bytes_with_its_type(mime_type: str, field: str) -> None:
    part = carrier_part(Carrier("sha", mime_type), {"sha": b"data"}.__getitem__)
    assert part.WhichOneof("content") == field
    assert (getattr(part, field).data, getattr(part, field).mime_type) == (b"data", mime_type)


def test_a_text_carrier_is_sent_as_text() -> None:
    assert carrier_part(Carrier.typed("What?"), lambda sha: b"").text == "What?"
