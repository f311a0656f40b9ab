"""Services that are odd in one way, but within the contract."""

from __future__ import annotations

from broken_answers import ChangesSound
from faults import doubted_by
from honest_service import Honest

from omnigap.v1 import model_service_pb2 as pb


@doubted_by("reflection-lists-the-service")
class WithoutReflection(Honest):
    def register_reflection(self) -> None:
        pass


@doubted_by("audio-is-not-silent")
class Silent(ChangesSound):
    def change(self, pieces: list[pb.Audio]) -> None:
        for piece in pieces:
            piece.data = bytes(len(piece.data))


@doubted_by("declared-conditions-answer")
class SpeaksWithoutSound(Honest):
    def sound(self) -> list[pb.Audio]:
        return []


@doubted_by("conditions-are-declared")
class HelpedWithoutSayingByWhom(Honest):
    def card(self) -> pb.DescribeResponse:
        card = super().card()
        card.conditions[0].support = pb.SUPPORT_ASSISTED
        return card


@doubted_by("limits-are-declared")
class SaysNoConcurrency(Honest):
    def card(self) -> pb.DescribeResponse:
        card = super().card()
        card.ClearField("max_concurrent")
        return card
