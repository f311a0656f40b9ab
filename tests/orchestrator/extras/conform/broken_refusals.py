"""Services that let through what they must refuse, or refuse it in the wrong way."""

from __future__ import annotations

from typing import Any

import grpc
from faults import noticed_by
from honest_service import Honest

from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason


@noticed_by("no-parts-is-a-bad-request", "empty-part-is-a-bad-request")
class CrashesWithoutContent(Honest):
    def check_shape(self, request: pb.GenerateRequest) -> None:
        if request.output not in (pb.MODALITY_TEXT, pb.MODALITY_SPEECH):
            super().check_shape(request)


@noticed_by("image-output-is-a-bad-request", "unset-output-is-a-bad-request")
class TakesAnyOutputForText(Honest):
    def check_shape(self, request: pb.GenerateRequest) -> None:
        if request.output != pb.MODALITY_SPEECH:
            request.output = pb.MODALITY_TEXT
        super().check_shape(request)


@noticed_by("long-text-is-too-large")
class ReadsAnyLength(Honest):
    def check_text(self, request: pb.GenerateRequest) -> None:
        pass


@noticed_by("nan-audio-is-bad-media")
class HearsNan(Honest):
    def check_audio(self, audio: pb.Audio) -> None:
        try:
            super().check_audio(audio)
        except ContractError as error:
            if "NaN" not in error.message:
                raise


@noticed_by("long-audio-is-too-large")
class HearsForEver(Honest):
    def check_audio(self, audio: pb.Audio) -> None:
        try:
            super().check_audio(audio)
        except ContractError as error:
            if error.reason is not Reason.TOO_LARGE:
                raise


@noticed_by(
    "empty-audio-is-bad-media",
    "audio-without-samples-is-bad-media",
    "mislabelled-audio-is-bad-media",
    "unknown-audio-type-is-bad-media",
    "pcm-without-a-rate-is-bad-media",
)
class HearsWhateverComes(Honest):
    def check_audio(self, audio: pb.Audio) -> None:
        if audio.mime_type == "audio/wav" and len(audio.data) > 100:
            super().check_audio(audio)


@noticed_by("image-bomb-is-too-large")
class UnfoldsBombs(Honest):
    def check_image(self, image: pb.Image) -> None:
        try:
            super().check_image(image)
        except ContractError as error:
            if error.reason is not Reason.TOO_LARGE:
                raise


@noticed_by("mislabelled-image-is-bad-media", "unknown-image-type-is-bad-media")
class TrustsNoMimeType(Honest):
    def check_image(self, image: pb.Image) -> None:
        image.mime_type = "image/png"
        super().check_image(image)


@noticed_by("truncated-image-is-bad-media", "empty-image-is-bad-media")
class CallsBrokenImagesBadRequests(Honest):
    def check_image(self, image: pb.Image) -> None:
        try:
            super().check_image(image)
        except ContractError as error:
            if "do not decode as image/png" in error.message:
                raise ContractError(Reason.BAD_REQUEST, error.message) from error
            raise


@noticed_by("foreign-digest-is-refused")
class RefusesWithoutErrorInfo(Honest):
    async def refuse(self, context: Any, error: ContractError) -> None:
        if error.reason is Reason.DIGEST_MISMATCH:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, error.message)
        await super().refuse(context, error)
