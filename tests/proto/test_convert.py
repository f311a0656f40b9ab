"""Every word of the vocabulary has its number on the wire, and every number its word."""

from __future__ import annotations

import pytest

from omnigap import convert
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import CONDITIONS, Architecture, FinishReason, Modality, Support


def test_all_words_go_round() -> None:
    assert [convert.modality_from_proto(convert.modality_to_proto(m)) for m in Modality] == list(Modality)
    assert [convert.support_from_proto(convert.support_to_proto(s)) for s in Support] == list(Support)
    assert [convert.finish_from_proto(convert.finish_to_proto(f)) for f in FinishReason] == list(FinishReason)
    assert [convert.architecture_from_proto(convert.architecture_to_proto(a)) for a in Architecture] == list(
        Architecture
    )


@pytest.mark.parametrize(
    ("wire", "words"),
    [
        (pb.Modality, Modality),
        (pb.Support, Support),
        (pb.FinishReason, FinishReason),
        (pb.Architecture, Architecture),
    ],
)
def test_no_number_of_the_wire_lacks_its_word(wire: object, words: type[Modality]) -> None:
    assert len(wire.keys()) == len(words) + 1  # type: ignore[attr-defined]


def test_a_service_that_is_no_model_has_no_architecture() -> None:
    assert convert.architecture_to_proto(None) == pb.ARCHITECTURE_UNSPECIFIED
    assert convert.architecture_from_proto(pb.ARCHITECTURE_UNSPECIFIED) is None


def test_unset_and_unknown_values_are_refused() -> None:
    for value in (0, 99):
        for read in (convert.modality_from_proto, convert.support_from_proto, convert.finish_from_proto):
            with pytest.raises(ValueError):
                read(value)  # type: ignore[arg-type]


def test_conditions_are_read_from_capabilities() -> None:
    for condition in CONDITIONS:
        capability = pb.Capability(
            input=convert.modality_to_proto(condition.input), output=convert.modality_to_proto(condition.output)
        )
        assert convert.condition_from_proto(capability) == condition
