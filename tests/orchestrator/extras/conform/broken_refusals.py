"""Services that accept invalid requests, or refuse them in the wrong way."""

from __future__ import annotations

from typing import Any

import grpc

from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason
from tests.orchestrator.extras.conform.faults import fails
from tests.orchestrator.extras.conform.reference_service import ReferenceService


@fails("no-parts-is-a-bad-request", "empty-part-is-a-bad-request")
class CrashesWithoutContent(ReferenceService):
    def check_shape(self, request: pb.GenerateRequest) -> None:
        if request.output not in (pb.MODALITY_TEXT, pb.MODALITY_SPEECH):
            super().check_shape(request)


@fails("image-output-is-a-bad-request", "unset-output-is-a-bad-request")
class TreatsAnyOutputAsText(ReferenceService):
    def check_shape(self, request: pb.GenerateRequest) -> None:
        if request.output != pb.MODALITY_SPEECH:
            request.output = pb.MODALITY_TEXT
        super().check_shape(request)


@fails("long-text-is-too-large")
class AcceptsLongText(ReferenceService):
    def check_text(self, request: pb.GenerateRequest) -> None:
        pass


@fails("nan-audio-is-bad-media")
class AcceptsNanAudio(ReferenceService):
    def check_audio(self, audio: pb.Audio) -> None:
        try:
            super().check_audio(audio)
        except ContractError as error:
            if "NaN" not in error.message:
                raise


@fails("long-audio-is-too-large")
class AcceptsLongAudio(ReferenceService):
    def check_audio(self, audio: pb.Audio) -> None:
        try:
            super().check_audio(audio)
        except ContractError as error:
            if error.reason is not Reason.TOO_LARGE:
                raise


@fails(
    "empty-audio-is-bad-media",
    "audio-without-samples-is-bad-media",
    "mislabelled-audio-is-bad-media",
    "unknown-audio-type-is-bad-media",
    "pcm-without-a-rate-is-bad-media",
)
class AcceptsInvalidAudio(ReferenceService):
    def check_audio(self, audio: pb.Audio) -> None:
        if audio.mime_type == "audio/wav" and len(audio.data) > 100:
            super().check_audio(audio)


@fails("image-bomb-is-too-large")
class DecodesBombs(ReferenceService):
    def check_image(self, image: pb.Image) -> None:
        try:
            super().check_image(image)
        except ContractError as error:
            if error.reason is not Reason.TOO_LARGE:
                raise


@fails("mislabelled-image-is-bad-media", "unknown-image-type-is-bad-media")
class IgnoresImageMimeType(ReferenceService):
    def check_image(self, image: pb.Image) -> None:
        image.mime_type = "image/png"
        super().check_image(image)


@fails("truncated-image-is-bad-media", "empty-image-is-bad-media")
class RefusesBrokenImagesAsBadRequest(ReferenceService):
    def check_image(self, image: pb.Image) -> None:
        try:
            super().check_image(image)
        except ContractError as error:
            if "do not decode as image/png" in error.message:
                raise ContractError(Reason.BAD_REQUEST, error.message) from error
            raise


@fails("other-digest-is-refused")
class RefusesWithoutErrorInfo(ReferenceService):
    async def refuse(self, context: Any, error: ContractError) -> None:
        if error.reason is Reason.DIGEST_MISMATCH:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, error.message)
        await super().refuse(context, error)
