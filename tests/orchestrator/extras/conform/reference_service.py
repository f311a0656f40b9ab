"""A service that follows the contract in plain gRPC, without the server of the project."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from grpc_status import rpc_status

from omnigap.channel import SERVER_OPTIONS
from omnigap.errors import ContractError
from omnigap.media import AudioLimits, ImageLimits, decode_audio, decode_image
from omnigap.v1 import model_service_pb2 as pb
from omnigap.v1 import model_service_pb2_grpc as pb_grpc
from omnigap.vocabulary import ERROR_DOMAIN, Reason

RATE = 8_000
SERVICE = "omnigap.v1.ModelService"
INPUTS = {"text": pb.MODALITY_TEXT, "audio": pb.MODALITY_SPEECH, "image": pb.MODALITY_IMAGE}
NATIVE = tuple((i, o) for i in INPUTS.values() for o in (pb.MODALITY_TEXT, pb.MODALITY_SPEECH))[:-1]
MAX_AUDIO_S, MAX_PIXELS, MAX_CHARS = 2.0, 100_000, 200

CODES = {
    Reason.BUSY: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.UNSUPPORTED_CONDITION: grpc.StatusCode.UNIMPLEMENTED,
    Reason.DIGEST_MISMATCH: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.REQUEST_ID_REUSED: grpc.StatusCode.ALREADY_EXISTS,
}


@dataclass
class StoredAnswer:
    """The answer to one request id, which is stored when its first call starts."""

    payload: bytes
    answer: asyncio.Future[list[pb.GenerateResponse]]


class ReferenceService(pb_grpc.ModelServiceServicer):
    """Answers five of six conditions. Each method implements one rule, so that a subclass can break only that rule."""

    slots = 12
    work_s = 0.002
    patience_s = 30.0

    def __init__(self) -> None:
        self.free = self.slots
        self.stored: dict[str, StoredAnswer] = {}
        self.port = 0
        self.server = grpc.aio.server(options=SERVER_OPTIONS)
        self.health = Health()

    async def start(self) -> str:
        pb_grpc.add_ModelServiceServicer_to_server(self, self.server)
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self.server)
        self.register_reflection()
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        await self.server.start()
        return f"127.0.0.1:{self.port}"

    def register_reflection(self) -> None:
        reflection.enable_server_reflection((SERVICE, reflection.SERVICE_NAME), self.server)

    def digest(self) -> str:
        return "ab" * 32

    def card(self) -> pb.DescribeResponse:
        native = [pb.Capability(input=i, output=o, support=pb.SUPPORT_NATIVE) for i, o in NATIVE]
        return pb.DescribeResponse(
            name="reference",
            digest=self.digest(),
            conditions=native,
            limits=pb.Limits(max_audio_seconds=MAX_AUDIO_S, max_image_pixels=MAX_PIXELS, max_text_chars=MAX_CHARS),
            max_concurrent=2,
            output_sample_rate_hz=RATE,
        )

    async def Describe(self, request: pb.DescribeRequest, context: Any) -> pb.DescribeResponse:  # noqa: N802
        return self.card()

    async def Generate(self, request: pb.GenerateRequest, context: Any) -> AsyncIterator[pb.GenerateResponse]:  # noqa: N802
        try:
            self.check(request)
            for response in await self.find_or_work(request, context):
                yield response
        except ContractError as error:
            await self.refuse(context, error)

    async def refuse(self, context: Any, error: ContractError) -> None:
        code = CODES.get(error.reason, grpc.StatusCode.INVALID_ARGUMENT)
        detail = any_pb2.Any()
        detail.Pack(error_details_pb2.ErrorInfo(reason=error.reason, domain=ERROR_DOMAIN))
        status = rpc_status.to_status(status_pb2.Status(code=code.value[0], message=error.message, details=[detail]))
        await context.abort(status.code, status.details, status.trailing_metadata)

    # Validation of requests.

    def check(self, request: pb.GenerateRequest) -> None:
        self.check_shape(request)
        self.check_condition(request)
        self.check_digest(request)
        self.check_text(request)
        for part in request.parts:
            if part.HasField("audio"):
                self.check_audio(part.audio)
            elif part.HasField("image"):
                self.check_image(part.image)

    def check_shape(self, request: pb.GenerateRequest) -> None:
        if request.output not in (pb.MODALITY_TEXT, pb.MODALITY_SPEECH):
            raise ContractError(Reason.BAD_REQUEST, "output is neither text nor speech")
        if not request.parts or not all(part.WhichOneof("content") for part in request.parts):
            raise ContractError(Reason.BAD_REQUEST, "a part is missing or empty")

    def check_condition(self, request: pb.GenerateRequest) -> None:
        if (INPUTS[str(request.parts[0].WhichOneof("content"))], request.output) not in NATIVE:
            raise ContractError(Reason.UNSUPPORTED_CONDITION, "i2s is not answered here")

    def check_digest(self, request: pb.GenerateRequest) -> None:
        if request.expected_digest not in ("", self.digest()):
            raise ContractError(Reason.DIGEST_MISMATCH, f"this service is {self.digest()}")

    def check_text(self, request: pb.GenerateRequest) -> None:
        if sum(len(part.text) for part in request.parts) > MAX_CHARS:
            raise ContractError(Reason.TOO_LARGE, f"more than {MAX_CHARS} characters")

    def check_audio(self, audio: pb.Audio) -> None:
        limits = AudioLimits(max_seconds=MAX_AUDIO_S)
        decode_audio(
            audio.data, audio.mime_type, sample_rate=audio.sample_rate_hz, channels=audio.channels, limits=limits
        )

    def check_image(self, image: pb.Image) -> None:
        decode_image(image.data, image.mime_type, limits=ImageLimits(max_pixels=MAX_PIXELS))

    # Answers.

    async def find_or_work(self, request: pb.GenerateRequest, context: Any) -> list[pb.GenerateResponse]:
        payload = request.SerializeToString(deterministic=True)
        stored = self.stored.get(request.request_id)
        if stored is None:
            answer: asyncio.Future[list[pb.GenerateResponse]] = asyncio.ensure_future(self.work(request, context))
            if request.request_id:
                self.stored[request.request_id] = StoredAnswer(payload, answer)
                answer.add_done_callback(lambda done: self.forget_failed(request.request_id, done))
            return await answer
        if stored.payload != payload:
            raise ContractError(Reason.REQUEST_ID_REUSED, "the id had another payload")
        return await stored.answer

    def forget_failed(self, request_id: str, done: asyncio.Future[list[pb.GenerateResponse]]) -> None:
        if done.cancelled() or done.exception() is not None:
            del self.stored[request_id]

    async def work(self, request: pb.GenerateRequest, context: Any) -> list[pb.GenerateResponse]:
        if not self.free:
            self.overloaded()
            raise ContractError(Reason.BUSY, f"{self.slots} calls are running")
        self.free -= 1
        try:
            await asyncio.sleep(self.work_s)
        except asyncio.CancelledError:
            self.abandoned(context)
            raise
        finally:
            self.free += 1
        return list(self.answer(request))

    def overloaded(self) -> None:
        """Called for each call over the slots."""

    def abandoned(self, context: Any) -> None:
        """Called for each call whose caller cancelled, or whose deadline passed."""

    def answer(self, request: pb.GenerateRequest) -> list[pb.GenerateResponse]:
        sound = self.sound() if request.output == pb.MODALITY_SPEECH else []
        text = pb.GenerateResponse(delta=pb.Delta(text="Five."))
        pieces = [pb.GenerateResponse(delta=pb.Delta(audio=piece)) for piece in sound]
        return [text, *pieces, pb.GenerateResponse(complete=self.complete(sound))]

    def sound(self) -> list[pb.Audio]:
        data = b"\x00\x10\x00\xf0" * 400
        return [pb.Audio(data=data, mime_type="audio/pcm", sample_rate_hz=RATE, channels=1) for _ in range(2)]

    def complete(self, sound: list[pb.Audio]) -> pb.Complete:
        seconds = sum(len(piece.data) for piece in sound) / 2 / RATE
        return pb.Complete(
            finish_reason=pb.FINISH_REASON_STOP,
            usage=pb.Usage(output_audio_seconds=seconds),
            timings=pb.Timings(compute_s=self.work_s),
            digest=self.digest(),
        )


class Health(health_pb2_grpc.HealthServicer):
    """Reports SERVING while `serving` is set."""

    serving = True

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        status = health_pb2.HealthCheckResponse
        return status(status=status.SERVING if self.serving else status.NOT_SERVING)
