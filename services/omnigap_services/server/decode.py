"""From a checked message to the request that adapters see: media decoded within the card's limits, audio resampled."""

from __future__ import annotations

from omnigap.errors import ContractError
from omnigap.media import AudioClip, AudioLimits, ImageLimits, decode_audio, decode_image, resample
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, Reason
from omnigap_services.adapter import Card, DecodingOptions, InputPart, Request


def decode_request(message: pb.GenerateRequest, card: Card, output: Modality) -> Request:
    """Decodes every part; takes long for media, so not on the event loop.

    Raises:
        ContractError: BAD_MEDIA or TOO_LARGE. The limits hold for all parts of a request together: many small files
            must not unfold to what one is not allowed to.
    """
    parts: list[InputPart] = []
    seconds, pixels = 0.0, 0
    for part in message.parts:
        if part.HasField("audio"):
            clip = _audio(part.audio, card)
            seconds += clip.seconds
            parts.append(clip)
        elif part.HasField("image"):
            image = decode_image(
                part.image.data, part.image.mime_type, limits=ImageLimits(max_pixels=card.max_image_pixels)
            )
            pixels += image.width * image.height
            parts.append(image)
        else:
            parts.append(part.text)
        _check_sum("seconds of audio", seconds, card.max_audio_seconds)
        _check_sum("pixels", pixels, card.max_image_pixels)
    return Request(
        parts=tuple(parts),
        output=output,
        system_prompt=message.system_prompt,
        decoding=_decoding(message.decoding),
        voice=message.voice.name if message.voice.name else None,
        words_per_minute=message.voice.words_per_minute if message.voice.HasField("words_per_minute") else None,
        language=message.language,
    )


def _audio(audio: pb.Audio, card: Card) -> AudioClip:
    clip = decode_audio(
        audio.data,
        audio.mime_type,
        sample_rate=audio.sample_rate_hz,
        channels=audio.channels,
        limits=AudioLimits(max_seconds=card.max_audio_seconds),
    )
    return resample(clip, card.input_sample_rate_hz)


def _check_sum(unit: str, total: float, limit: float) -> None:
    # The resampler may round a clip of exactly the limit up by a sample.
    if total > limit * 1.001:
        raise ContractError(Reason.TOO_LARGE, f"the request's parts hold {total:g} {unit}, over {limit:g}: send fewer")


def _decoding(message: pb.Decoding) -> DecodingOptions:
    """Set fields only: unset ones stay None, which is not 0."""
    if not message.ByteSize():
        return DecodingOptions()
    fields = {descriptor.name: value for descriptor, value in message.ListFields() if descriptor.name != "extra"}
    return DecodingOptions(**fields, extra=dict(message.extra))
