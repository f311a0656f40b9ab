"""Services with faults in Describe, answers, request ids or digests; each breaks one rule."""

from __future__ import annotations

import itertools
import math
import os
from typing import Any

from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason
from tests.orchestrator.extras.conform.faults import fails
from tests.orchestrator.extras.conform.reference_service import RATE, ReferenceService

# Faults in Describe.


@fails("describe-names-the-service", "card-is-within-the-bounds")
class Nameless(ReferenceService):
    def card(self) -> pb.DescribeResponse:
        card = super().card()
        card.ClearField("name")
        return card


@fails("digest-is-a-sha256")
class DigestIsAVersion(ReferenceService):
    def digest(self) -> str:
        return "v1.2.3"


@fails("conditions-are-declared", "card-is-within-the-bounds")
class DeclaresTwice(ReferenceService):
    def card(self) -> pb.DescribeResponse:
        card = super().card()
        card.conditions.append(card.conditions[0])
        return card


@fails("limits-are-declared", "card-is-within-the-bounds")
class LimitIsNan(ReferenceService):
    def card(self) -> pb.DescribeResponse:
        card = super().card()
        card.limits.max_audio_seconds = math.nan
        return card


@fails("card-is-within-the-bounds")
class NamesAVoiceWithAnEscape(ReferenceService):
    def card(self) -> pb.DescribeResponse:
        card = super().card()
        card.voices.add(name="\x1b[2J")
        return card


@fails("digest-is-stable")
class DigestChanges(ReferenceService):
    def __init__(self) -> None:
        super().__init__()
        self.calls = itertools.count()

    async def Describe(self, request: pb.DescribeRequest, context: Any) -> pb.DescribeResponse:  # noqa: N802
        card = super().card()
        if next(self.calls):
            card.digest = "cd" * 32
        return card


# Faults in answers.


@fails("declared-conditions-answer")
class DeclaresUnsupportedCondition(ReferenceService):
    def card(self) -> pb.DescribeResponse:
        card = super().card()
        card.conditions.add(input=pb.MODALITY_IMAGE, output=pb.MODALITY_SPEECH, support=pb.SUPPORT_NATIVE)
        return card


@fails("speech-answers-contain-audio")
class AnswersSpeechWithTextOnly(ReferenceService):
    def sound(self) -> list[pb.Audio]:
        return []


@fails("undeclared-conditions-are-refused")
class AnswersUndeclaredCondition(ReferenceService):
    def check_condition(self, request: pb.GenerateRequest) -> None:
        pass


@fails("streams-end-with-one-complete")
class NeverCompletes(ReferenceService):
    def answer(self, request: pb.GenerateRequest) -> list[pb.GenerateResponse]:
        return super().answer(request)[:-1]


@fails("streams-end-with-one-complete")
class CompletesTwice(ReferenceService):
    def answer(self, request: pb.GenerateRequest) -> list[pb.GenerateResponse]:
        answer = super().answer(request)
        return [*answer, answer[-1]]


@fails("streams-end-with-one-complete")
class SendsDeltaAfterComplete(ReferenceService):
    def answer(self, request: pb.GenerateRequest) -> list[pb.GenerateResponse]:
        answer = super().answer(request)
        return [*answer, answer[0]]


@fails("streams-end-with-one-complete")
class SendsEventsWithoutContent(ReferenceService):
    def answer(self, request: pb.GenerateRequest) -> list[pb.GenerateResponse]:
        return [pb.GenerateResponse(), *super().answer(request)]


class ChangesComplete(ReferenceService):
    def complete(self, sound: list[pb.Audio]) -> pb.Complete:
        complete = super().complete(sound)
        self.change(complete)
        return complete

    def change(self, complete: pb.Complete) -> None:
        raise NotImplementedError


@fails("finish-reason-is-set")
class GivesNoFinishReason(ChangesComplete):
    def change(self, complete: pb.Complete) -> None:
        complete.ClearField("finish_reason")


@fails("answers-contain-the-digest")
class AnswersWithAnotherDigest(ChangesComplete):
    def change(self, complete: pb.Complete) -> None:
        complete.digest = "ef" * 32


@fails("usage-and-timings-are-finite")
class NanDiagnostics(ChangesComplete):
    def change(self, complete: pb.Complete) -> None:
        complete.diagnostics["avg_logprob"] = math.nan


@fails("usage-and-timings-are-finite")
class CountsWithoutSense(ChangesComplete):
    def change(self, complete: pb.Complete) -> None:
        complete.usage.output_tokens = 2**32 - 1


@fails("audio-duration-matches-the-bytes")
class ReportsNoDuration(ChangesComplete):
    def change(self, complete: pb.Complete) -> None:
        complete.usage.ClearField("output_audio_seconds")


class ChangesAudio(ReferenceService):
    def sound(self) -> list[pb.Audio]:
        pieces = super().sound()
        self.change(pieces)
        return pieces

    def change(self, pieces: list[pb.Audio]) -> None:
        raise NotImplementedError


@fails("audio-has-the-declared-format")
class ChangesRateBetweenChunks(ChangesAudio):
    def change(self, pieces: list[pb.Audio]) -> None:
        pieces[1].sample_rate_hz = 2 * RATE


@fails("audio-has-the-declared-format")
class SendsAudioWithoutRate(ChangesAudio):
    def change(self, pieces: list[pb.Audio]) -> None:
        for piece in pieces:
            piece.ClearField("sample_rate_hz")


@fails("audio-has-the-declared-format")
class SendsAudioAsWav(ChangesAudio):
    def change(self, pieces: list[pb.Audio]) -> None:
        for piece in pieces:
            piece.mime_type = "audio/wav"


@fails("audio-has-the-declared-format")
class DeclaresNoRate(ReferenceService):
    def card(self) -> pb.DescribeResponse:
        card = super().card()
        card.ClearField("output_sample_rate_hz")
        return card


@fails("audio-chunks-contain-whole-samples")
class SplitsASample(ChangesAudio):
    def change(self, pieces: list[pb.Audio]) -> None:
        pieces[1].data = pieces[0].data[-1:] + pieces[1].data
        pieces[0].data = pieces[0].data[:-1]


@fails("text-answers-contain-no-audio")
class SendsAudioInTextAnswers(ReferenceService):
    def answer(self, request: pb.GenerateRequest) -> list[pb.GenerateResponse]:
        answer = super().answer(request)
        if request.output == pb.MODALITY_TEXT:
            answer.insert(1, pb.GenerateResponse(delta=pb.Delta(audio=self.sound()[0])))
        return answer


# Faults in digests and request ids.


@fails("other-digest-is-refused")
class IgnoresExpectedDigest(ReferenceService):
    def check_digest(self, request: pb.GenerateRequest) -> None:
        pass


@fails("own-digest-is-accepted")
class RefusesItsOwnDigest(ReferenceService):
    def check_digest(self, request: pb.GenerateRequest) -> None:
        if request.expected_digest:
            raise ContractError(Reason.DIGEST_MISMATCH, "never the right one")


@fails("reused-id-is-refused")
class IgnoresIds(ReferenceService):
    async def find_or_work(self, request: pb.GenerateRequest, context: Any) -> list[pb.GenerateResponse]:
        return await self.work(request, context)


@fails("repeated-id-replays-the-answer", "simultaneous-duplicates-share-an-answer", "reused-id-is-refused")
class IgnoresIdsAndSamples(IgnoresIds):
    def answer(self, request: pb.GenerateRequest) -> list[pb.GenerateResponse]:
        answer = super().answer(request)
        answer[0].delta.text = os.urandom(4).hex()
        return answer


@fails("repeated-id-replays-the-answer")
class RefusesToReplay(ReferenceService):
    async def find_or_work(self, request: pb.GenerateRequest, context: Any) -> list[pb.GenerateResponse]:
        stored = self.stored.get(request.request_id)
        payload = request.SerializeToString(deterministic=True)
        if stored is not None and stored.payload == payload and stored.answer.done():
            raise ContractError(Reason.REQUEST_ID_REUSED, "answered before")
        return await super().find_or_work(request, context)
