"""Converts between the vocabulary and the protobuf enums."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Architecture, Condition, FinishReason, Modality, Support

_Value = TypeVar("_Value")


def modality_to_proto(modality: Modality) -> pb.Modality.ValueType:
    return pb.Modality.Value(f"MODALITY_{modality.name}")


def modality_from_proto(value: pb.Modality.ValueType) -> Modality:
    """Raises ValueError for unspecified and unknown values, like the other `*_from_proto` functions."""
    return Modality[_known(pb.Modality.Name, value, "MODALITY_")]


def condition_from_proto(capability: pb.Capability) -> Condition:
    return Condition(modality_from_proto(capability.input), modality_from_proto(capability.output))


def support_to_proto(support: Support) -> pb.Support.ValueType:
    return pb.Support.Value(f"SUPPORT_{support.name}")


def support_from_proto(value: pb.Support.ValueType) -> Support:
    return Support[_known(pb.Support.Name, value, "SUPPORT_")]


def architecture_to_proto(architecture: Architecture | None) -> pb.Architecture.ValueType:
    return pb.Architecture.Value(f"ARCHITECTURE_{architecture.name if architecture else 'UNSPECIFIED'}")


def architecture_from_proto(value: pb.Architecture.ValueType) -> Architecture | None:
    """None for UNSPECIFIED, which ASR, TTS and OCR services send; raises ValueError for unknown values."""
    name = pb.Architecture.Name(value).removeprefix("ARCHITECTURE_")
    return None if name == "UNSPECIFIED" else Architecture[name]


def known_architecture(value: pb.Architecture.ValueType) -> Architecture | None:
    """As `architecture_from_proto`, and None for a value that the contract does not define: an old stored card."""
    try:
        return architecture_from_proto(value)
    except ValueError:
        return None


def finish_to_proto(reason: FinishReason) -> pb.FinishReason.ValueType:
    return pb.FinishReason.Value(f"FINISH_REASON_{reason.name}")


def finish_from_proto(value: pb.FinishReason.ValueType) -> FinishReason:
    return FinishReason[_known(pb.FinishReason.Name, value, "FINISH_REASON_")]


def _known(name_of: Callable[[_Value], str], value: _Value, prefix: str) -> str:
    """Name of an enum value without its prefix; raises ValueError for unspecified and unknown values."""
    name = name_of(value).removeprefix(prefix)
    # Proto3 gives an unset field the value 0, so UNSPECIFIED means that the sender did not set it.
    if name == "UNSPECIFIED":
        raise ValueError(f"the value is {prefix}UNSPECIFIED: set the field")
    return name
