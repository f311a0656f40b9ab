"""Speaking: the TTS service over gRPC. The voice lives in its own process, never in the cascade's."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import grpc
import numpy as np

from omnigap.convert import modality_to_proto
from omnigap.errors import ContractError
from omnigap.limits import CHANNEL_OPTIONS
from omnigap.media import pcm16_to_float
from omnigap.media.audio import PCM, Samples
from omnigap.rpc_errors import from_rpc_error
from omnigap.v1 import model_service_pb2 as pb
from omnigap.v1.model_service_pb2_grpc import ModelServiceStub
from omnigap.vocabulary import Modality, Reason


@dataclass(frozen=True, slots=True)
class Voicing:
    """Mono audio as the TTS sent it: float32, shape (n,), and its rate in Hz."""

    samples: Samples
    sample_rate: int


class Mouth:
    """A client of a TTS service (text in, speech out). `say` may be called from many threads."""

    def __init__(self, address: str, wait_s: float) -> None:
        """Connects and asks the service who it is.

        Raises:
            ContractError: UPSTREAM_UNAVAILABLE where nothing answers at the address within `wait_s` seconds.
        """
        self._address = address
        self._channel = grpc.insecure_channel(
            address,
            # A proxy of the environment must not catch what stays on this network.
            options=[*CHANNEL_OPTIONS, ("grpc.enable_http_proxy", 0)],
        )
        self._stub = ModelServiceStub(self._channel)  # type: ignore[no-untyped-call]
        try:
            self.card: pb.DescribeResponse = self._stub.Describe(
                pb.DescribeRequest(), wait_for_ready=True, timeout=max(wait_s, 0.1)
            )
        except grpc.RpcError as error:
            self._channel.close()
            raise ContractError(
                Reason.UPSTREAM_UNAVAILABLE,
                f"no TTS service answers at {address} ({from_rpc_error(error).message}): start one there, or set tts",
            ) from error

    def say(self, text: str, voice: str | None, words_per_minute: float | None, timeout_s: float = 60.0) -> Voicing:
        """The audio of a text. The service must still be the one that was there at the start: its digest is ours.

        Raises:
            ContractError: the TTS service's own error, UPSTREAM_UNAVAILABLE where it is away, INCOMPLETE_STREAM where
                its answer has no end.
        """
        request = pb.GenerateRequest(
            request_id=uuid.uuid4().hex,
            parts=[pb.InputPart(text=text)],
            output=modality_to_proto(Modality.SPEECH),
            voice=pb.VoiceSettings(name=voice, words_per_minute=words_per_minute),
            expected_digest=self.card.digest,
        )
        pieces: list[Samples] = []
        rate, complete = 0, False
        try:
            for response in self._stub.Generate(request, timeout=timeout_s):
                if response.HasField("complete"):
                    complete = True
                elif response.delta.HasField("audio"):
                    rate = self._check_format(response.delta.audio)
                    pieces.append(pcm16_to_float(response.delta.audio.data))
        except grpc.RpcError as error:
            raise self._as_ours(from_rpc_error(error)) from error
        if not complete:
            raise ContractError(
                Reason.INCOMPLETE_STREAM, f"the TTS service at {self._address} ended without `complete`"
            )
        return Voicing(np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.float32), rate)

    def close(self) -> None:
        self._channel.close()

    def _check_format(self, audio: pb.Audio) -> int:
        if audio.mime_type.split(";")[0] != PCM or audio.channels != 1 or not audio.sample_rate_hz:
            raise ContractError(
                Reason.BAD_MEDIA,
                f"the TTS service at {self._address} sent {audio.mime_type} with {audio.channels} channels at"
                f" {audio.sample_rate_hz} Hz: the cascade takes {PCM}, mono",
            )
        return int(audio.sample_rate_hz)

    def _as_ours(self, error: ContractError) -> ContractError:
        if error.reason is Reason.DIGEST_MISMATCH:
            text = f"the TTS service at {self._address} has changed since this cascade started: restart the cascade"
            return ContractError(Reason.UPSTREAM_UNAVAILABLE, text)
        if error.reason in (Reason.TRANSPORT, Reason.NOT_READY, Reason.DRAINING, Reason.BUSY):
            text = f"the TTS service at {self._address} is away or busy: {error.message}"
            return ContractError(Reason.UPSTREAM_UNAVAILABLE, text)
        return error
