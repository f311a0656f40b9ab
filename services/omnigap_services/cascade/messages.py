"""Conversion between the adapter's objects and the messages of the Generate contract, on the calling side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace

from omnigap.answer import Answer
from omnigap.card import weights_identity
from omnigap.convert import architecture_from_proto, condition_from_proto, modality_to_proto, support_from_proto
from omnigap.media import AudioClip, encode_pcm16, encode_png
from omnigap.media.audio import PCM
from omnigap.v1 import model_service_pb2 as pb
from omnigap_services.adapter import Capability, Card, Completion, DecodingOptions, InputPart, Request, Voice


def message_of(request: Request, expected_digest: str) -> pb.GenerateRequest:
    """The message of a request for the service with this digest.

    It has no request id: a stage's answer is never replayed, since the cascade's own server replays the whole answer.
    """
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
    # Lossless formats: a stage must receive the same samples and pixels that the cascade received.
    if isinstance(part, str):
        return pb.InputPart(text=part)
    if isinstance(part, AudioClip):
        audio = pb.Audio(data=encode_pcm16(part.samples), mime_type=PCM, sample_rate_hz=part.sample_rate, channels=1)
        return pb.InputPart(audio=audio)
    return pb.InputPart(image=pb.Image(data=encode_png(part), mime_type="image/png"))


def _decoding(options: DecodingOptions) -> pb.Decoding:
    """Only the fields that are set: an unset field means the service's default, and 0 is a value."""
    # `Decoding` has the same field names in the contract.
    values = {field.name: getattr(options, field.name) for field in fields(options)}
    return pb.Decoding(**{name: value for name, value in values.items() if value is not None})


def completion_of(answer: Answer, stage: str) -> Completion:
    """How a stage's answer ended, with its token counts, and its diagnostics prefixed with the stage's name."""
    return Completion(
        finish_reason=answer.finish_reason,
        input_tokens=answer.usage.input_tokens,
        output_tokens=answer.usage.output_tokens,
        audio_tokens=answer.usage.audio_tokens,
        diagnostics=prefixed(stage, answer.diagnostics),
        detected_language=answer.detected_language,
    )


def prefixed(stage: str, diagnostics: Mapping[str, float]) -> dict[str, float]:
    """Diagnostics under names that say which stage they come from: `asr_avg_logprob`."""
    return {f"{stage}_{name}": value for name, value in diagnostics.items()}


def card_of(description: pb.DescribeResponse) -> Card:
    """A service's card from its Describe response; a limit that the service does not declare gets the card's default.

    Raises:
        ValueError: for a condition or a support level that is not set.
    """
    limits, identity = description.limits, weights_identity(description)
    defaults = Card(name=description.name, conditions={})
    return replace(
        defaults,
        conditions={
            condition_from_proto(found): Capability(support_from_proto(found.support), found.reason)
            for found in description.conditions
        },
        architecture=architecture_from_proto(description.architecture),
        weights_revision=identity,
        weights_source=description.weights_revision.removeprefix(identity).strip(" ()"),
        voices=tuple(Voice(voice.name, voice.language) for voice in description.voices),
        languages=tuple(description.languages),
        max_concurrent=max(1, description.max_concurrent),
        input_sample_rate_hz=limits.input_sample_rate_hz or defaults.input_sample_rate_hz,
        output_sample_rate_hz=description.output_sample_rate_hz,
        max_audio_seconds=limits.max_audio_seconds or defaults.max_audio_seconds,
        max_image_pixels=limits.max_image_pixels or defaults.max_image_pixels,
        max_text_chars=limits.max_text_chars or defaults.max_text_chars,
    )
