"""A request as a part gets it over the wire, and how its answer ended: the reverse of the server's decoding."""

from __future__ import annotations

from dataclasses import fields

from omnigap.client import Answer
from omnigap.convert import modality_to_proto
from omnigap.media import AudioClip, encode_pcm16, encode_png
from omnigap.media.audio import PCM
from omnigap.v1 import model_service_pb2 as pb
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


def completion_of(answer: Answer) -> Completion:
    """How a part's answer ended, with its counts and diagnostics."""
    return Completion(
        finish_reason=answer.finish_reason,
        input_tokens=answer.usage.input_tokens,
        output_tokens=answer.usage.output_tokens,
        audio_tokens=answer.usage.audio_tokens,
        diagnostics=answer.diagnostics,
        detected_language=answer.detected_language,
    )
