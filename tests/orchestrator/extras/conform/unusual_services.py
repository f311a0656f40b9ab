"""Services that are unusual in one way, but follow the contract."""

from __future__ import annotations

from omnigap.v1 import model_service_pb2 as pb
from tests.orchestrator.extras.conform.broken_answers import ChangesAudio
from tests.orchestrator.extras.conform.faults import warns
from tests.orchestrator.extras.conform.reference_service import ReferenceService


@warns("card-is-within-the-bounds")
class ClaimsEndlessConcurrency(ReferenceService):
    def card(self) -> pb.DescribeResponse:
        card = super().card()
        card.max_batch_size = 2**32 - 1
        return card


@warns("reflection-lists-the-service")
class WithoutReflection(ReferenceService):
    def register_reflection(self) -> None:
        pass


@warns("audio-is-not-silent")
class Silent(ChangesAudio):
    def change(self, pieces: list[pb.Audio]) -> None:
        for piece in pieces:
            piece.data = bytes(len(piece.data))


@warns("audio-is-not-silent")
class AnswersWithEmptyAudio(ChangesAudio):
    def change(self, pieces: list[pb.Audio]) -> None:
        for piece in pieces:
            piece.data = b""


@warns("conditions-are-declared")
class AssistedWithoutReason(ReferenceService):
    def card(self) -> pb.DescribeResponse:
        card = super().card()
        card.conditions[0].support = pb.SUPPORT_ASSISTED
        return card


@warns("limits-are-declared")
class DeclaresNoConcurrency(ReferenceService):
    def card(self) -> pb.DescribeResponse:
        card = super().card()
        card.ClearField("max_concurrent")
        return card
