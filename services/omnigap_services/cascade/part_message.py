"""A request as a part gets it over the wire, and what comes back as an answer: the reverse of the server's decoding."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np

from omnigap.convert import finish_from_proto, modality_to_proto
from omnigap.errors import ContractError
from omnigap.media import AudioClip, encode_pcm16, encode_png, pcm16_to_float
from omnigap.media.audio import PCM, Samples
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason
from omnigap_services.adapter import Completion, DecodingOptions, InputPart, Request


def message_of(request: Request, expected_digest: str) -> pb.GenerateRequest:
    """The message of a request; the part must still be the one of this digest. Without an id: nothing is replayed."""
    return pb.GenerateRequest(
        system_prompt=request.system_prompt,
        parts=[_part(part) for part in request.parts],
        output=modality_to_proto(request.output),
        decoding=_decoding(request.decoding),
        voice=pb.VoiceSettings(name=request.voice, words_per_minute=request.words_per_minute),
        language=request.language,
        expected_digest=expected_digest,
    )


def _part(part: InputPart) -> pb.InputPart:
    if isinstance(part, str):
        return pb.InputPart(text=part)
    if isinstance(part, AudioClip):
        audio = pb.Audio(data=encode_pcm16(part.samples), mime_type=PCM, sample_rate_hz=part.sample_rate, channels=1)
        return pb.InputPart(audio=audio)
    return pb.InputPart(image=pb.Image(data=encode_png(part), mime_type="image/png"))


def _decoding(options: DecodingOptions) -> pb.Decoding:
    """Set fields only: what is None stays unset."""
    values = {field.name: getattr(options, field.name) for field in fields(options)}
    return pb.Decoding(**{name: value for name, value in values.items() if value is not None})


@dataclass(frozen=True, slots=True)
class PartAnswer:
    """What a part answered.

    Attributes:
        samples: mono float32, shape (n,); empty where it did not speak.
        sample_rate: of `samples`, in Hz; 0 without audio.
    """

    text: str
    samples: Samples
    sample_rate: int
    completion: Completion


@dataclass(slots=True)
class Gathered:
    """The pieces of one stream so far."""

    texts: list[str] = field(default_factory=list)
    pieces: list[Samples] = field(default_factory=list)
    sample_rate: int = 0
    complete: pb.Complete | None = None

    def hear(self, audio: pb.Audio) -> Samples:
        """Keeps a piece of audio and gives its samples.

        Raises:
            ContractError: BAD_MEDIA for audio that is no mono PCM, or changes its rate on the way.
        """
        if audio.mime_type.split(";")[0].strip() != PCM or audio.channels > 1 or not audio.sample_rate_hz:
            raise ContractError(
                Reason.BAD_MEDIA,
                f"sent {audio.mime_type} with {audio.channels} channels at {audio.sample_rate_hz} Hz: answers travel"
                f" as mono {PCM} with their rate",
            )
        if self.sample_rate not in (0, audio.sample_rate_hz):
            rates = f"{self.sample_rate} to {audio.sample_rate_hz} Hz"
            raise ContractError(Reason.BAD_MEDIA, f"its sample rate changed within one answer, {rates}")
        self.sample_rate = audio.sample_rate_hz
        samples = pcm16_to_float(audio.data)
        self.pieces.append(samples)
        return samples

    def answer(self) -> PartAnswer:
        """The whole answer.

        Raises:
            ContractError: INCOMPLETE_STREAM without `complete`, MODEL_ERROR where that gives no finish reason.
        """
        done = self.complete
        if done is None:
            raise ContractError(Reason.INCOMPLETE_STREAM, "its stream ended without `complete`")
        try:
            finish = finish_from_proto(done.finish_reason)
        except ValueError as error:
            raise ContractError(Reason.MODEL_ERROR, f"its answer gave no finish reason ({error})") from error
        return PartAnswer(
            text="".join(self.texts),
            samples=np.concatenate(self.pieces) if self.pieces else np.zeros(0, dtype=np.float32),
            sample_rate=self.sample_rate,
            completion=Completion(
                finish_reason=finish,
                input_tokens=done.usage.input_tokens,
                output_tokens=done.usage.output_tokens,
                audio_tokens=done.usage.audio_tokens,
                diagnostics=dict(done.diagnostics),
                detected_language=done.detected_language,
            ),
        )
