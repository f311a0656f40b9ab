"""Vocabulary and protobuf enums have the same members."""

from __future__ import annotations

import pytest

from omnigap import convert
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import CONDITIONS, Architecture, FinishReason, Modality, Support


def test_enums_round_trip() -> None:
    assert [convert.modality_from_proto(convert.modality_to_proto(m)) for m in Modality] == list(Modality)
    assert [convert.support_from_proto(convert.support_to_proto(s)) for s in Support] == list(Support)
    assert [convert.finish_from_proto(convert.finish_to_proto(f)) for f in FinishReason] == list(FinishReason)
    assert [convert.architecture_from_proto(convert.architecture_to_proto(a)) for a in Architecture] == list(
        Architecture
    )


@pytest.mark.parametrize(
    ("enum", "members"),
    [
        (pb.Modality, Modality),
        (pb.Support, Support),
        (pb.FinishReason, FinishReason),
        (pb.Architecture, Architecture),
    ],
)
def test_every_protobuf_value_has_a_vocabulary_member(enum: object, members: type[Modality]) -> None:
    assert len(enum.keys()) == len(members) + 1  # type: ignore[attr-defined]


def test_unspecified_architecture_is_none() -> None:
    assert convert.architecture_to_proto(None) == pb.ARCHITECTURE_UNSPECIFIED
    assert convert.architecture_from_proto(pb.ARCHITECTURE_UNSPECIFIED) is None


def test_unspecified_and_unknown_values_raise() -> None:
    for value in (0, 99):
        for read in (convert.modality_from_proto, convert.support_from_proto, convert.finish_from_proto):
            with pytest.raises(ValueError):
                read(value)  # type: ignore[arg-type]


def test_conditions_from_capabilities() -> None:
    for condition in CONDITIONS:
        capability = pb.Capability(
            input=convert.modality_to_proto(condition.input), output=convert.modality_to_proto(condition.output)
        )
        assert convert.condition_from_proto(capability) == condition
