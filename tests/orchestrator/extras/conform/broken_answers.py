"""Services that describe themselves wrongly, answer wrongly, or mistake their ids and digests; each breaks one rule."""

from __future__ import annotations

import itertools
import math
import os
from typing import Any

from faults import noticed_by
from honest_service import RATE, Honest

from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason

# What it says of itself.


@noticed_by("describe-names-the-service")
class Nameless(Honest):
    def card(self) -> pb.DescribeResponse:
        card = super().card()
        card.ClearField("name")
        return card


@noticed_by("digest-is-a-sha256")
class DigestOfItsOwnKind(Honest):
    def digest(self) -> str:
        return "v1.2.3"


@noticed_by("conditions-are-declared")
class DeclaresTwice(Honest):
    def card(self) -> pb.DescribeResponse:
        card = super().card()
        card.conditions.append(card.conditions[0])
        return card


@noticed_by("limits-are-declared")
class LimitIsNan(Honest):
    def card(self) -> pb.DescribeResponse:
        card = super().card()
        card.limits.max_audio_seconds = math.nan
        return card


@noticed_by("describe-repeats-the-digest")
class DescribesWithTheTime(Honest):
    def __init__(self) -> None:
        super().__init__()
        self.calls = itertools.count()

    async def Describe(self, request: pb.DescribeRequest, context: Any) -> pb.DescribeResponse:  # noqa: N802
        card = super().card()
        if next(self.calls):
            card.digest = "cd" * 32
        return card


# How it answers.


@noticed_by("declared-conditions-answer")
class DeclaresMoreThanItCan(Honest):
    def card(self) -> pb.DescribeResponse:
        card = super().card()
        card.conditions.add(input=pb.MODALITY_IMAGE, output=pb.MODALITY_SPEECH, support=pb.SUPPORT_NATIVE)
        return card


@noticed_by("undeclared-conditions-are-refused")
class AnswersMoreThanItDeclares(Honest):
    def check_condition(self, request: pb.GenerateRequest) -> None:
        pass


@noticed_by("streams-end-with-one-complete")
class NeverCompletes(Honest):
    def answer(self, request: pb.GenerateRequest) -> list[pb.GenerateResponse]:
        return super().answer(request)[:-1]


@noticed_by("streams-end-with-one-complete")
class CompletesTwice(Honest):
    def answer(self, request: pb.GenerateRequest) -> list[pb.GenerateResponse]:
        answer = super().answer(request)
        return [*answer, answer[-1]]


@noticed_by("streams-end-with-one-complete")
class GoesOnAfterComplete(Honest):
    def answer(self, request: pb.GenerateRequest) -> list[pb.GenerateResponse]:
        answer = super().answer(request)
        return [*answer, answer[0]]


class ChangesComplete(Honest):
    def complete(self, sound: list[pb.Audio]) -> pb.Complete:
        complete = super().complete(sound)
        self.change(complete)
        return complete

    def change(self, complete: pb.Complete) -> None:
        raise NotImplementedError


@noticed_by("finish-reason-is-set")
class GivesNoFinishReason(ChangesComplete):
    def change(self, complete: pb.Complete) -> None:
        complete.ClearField("finish_reason")


@noticed_by("answers-carry-the-digest")
class AnswersWithAnotherDigest(ChangesComplete):
    def change(self, complete: pb.Complete) -> None:
        complete.digest = "ef" * 32


@noticed_by("figures-are-numbers")
class NanDiagnostics(ChangesComplete):
    def change(self, complete: pb.Complete) -> None:
        complete.diagnostics["avg_logprob"] = math.nan


@noticed_by("audio-seconds-agree-with-the-bytes")
class CountsNoSeconds(ChangesComplete):
    def change(self, complete: pb.Complete) -> None:
        complete.usage.ClearField("output_audio_seconds")


class ChangesSound(Honest):
    def sound(self) -> list[pb.Audio]:
        pieces = super().sound()
        self.change(pieces)
        return pieces

    def change(self, pieces: list[pb.Audio]) -> None:
        raise NotImplementedError


@noticed_by("audio-has-the-declared-format")
class ChangesRateOnTheWay(ChangesSound):
    def change(self, pieces: list[pb.Audio]) -> None:
        pieces[1].sample_rate_hz = 2 * RATE


@noticed_by("audio-has-the-declared-format")
class SendsAudioWithoutItsRate(ChangesSound):
    def change(self, pieces: list[pb.Audio]) -> None:
        for piece in pieces:
            piece.ClearField("sample_rate_hz")


@noticed_by("audio-has-the-declared-format")
class CallsItWav(ChangesSound):
    def change(self, pieces: list[pb.Audio]) -> None:
        for piece in pieces:
            piece.mime_type = "audio/wav"


@noticed_by("audio-has-the-declared-format")
class DeclaresNoRate(Honest):
    def card(self) -> pb.DescribeResponse:
        card = super().card()
        card.ClearField("output_sample_rate_hz")
        return card


@noticed_by("audio-pieces-hold-whole-samples")
class CutsASampleInTwo(ChangesSound):
    def change(self, pieces: list[pb.Audio]) -> None:
        pieces[1].data = pieces[0].data[-1:] + pieces[1].data
        pieces[0].data = pieces[0].data[:-1]


@noticed_by("text-answers-carry-no-audio")
class SpeaksUnasked(Honest):
    def answer(self, request: pb.GenerateRequest) -> list[pb.GenerateResponse]:
        answer = super().answer(request)
        if request.output == pb.MODALITY_TEXT:
            answer.insert(1, pb.GenerateResponse(delta=pb.Delta(audio=self.sound()[0])))
        return answer


# Digests and ids.


@noticed_by("foreign-digest-is-refused")
class IgnoresExpectedDigest(Honest):
    def check_digest(self, request: pb.GenerateRequest) -> None:
        pass


@noticed_by("own-digest-is-accepted")
class RefusesItsOwnDigest(Honest):
    def check_digest(self, request: pb.GenerateRequest) -> None:
        if request.expected_digest:
            raise ContractError(Reason.DIGEST_MISMATCH, "never the right one")


@noticed_by("reused-id-is-refused")
class IgnoresIds(Honest):
    async def find_or_work(self, request: pb.GenerateRequest, context: Any) -> list[pb.GenerateResponse]:
        return await self.work(request, context)


@noticed_by("repeated-id-replays-the-answer", "simultaneous-duplicates-share-an-answer", "reused-id-is-refused")
class IgnoresIdsAndSamples(IgnoresIds):
    def answer(self, request: pb.GenerateRequest) -> list[pb.GenerateResponse]:
        answer = super().answer(request)
        answer[0].delta.text = os.urandom(4).hex()
        return answer


@noticed_by("repeated-id-replays-the-answer")
class RefusesToReplay(Honest):
    async def find_or_work(self, request: pb.GenerateRequest, context: Any) -> list[pb.GenerateResponse]:
        kept = self.kept.get(request.request_id)
        payload = request.SerializeToString(deterministic=True)
        if kept is not None and kept.payload == payload and kept.answer.done():
            raise ContractError(Reason.REQUEST_ID_REUSED, "asked before")
        return await super().find_or_work(request, context)
