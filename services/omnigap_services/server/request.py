"""Checks a request against the card, then decodes it: media within the card's limits, audio at its sample rate."""

from __future__ import annotations

import math
from typing import Literal

from omnigap.convert import modality_from_proto
from omnigap.errors import ContractError, quoted
from omnigap.limits import MAX_LANGUAGE_CHARS, MAX_NAME_CHARS
from omnigap.media import AudioClip, AudioLimits, ImageLimits, decode_audio, decode_image, resample
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import OUTPUTS, Condition, Modality, Reason, Support
from omnigap_services.adapter import Card, DecodingOptions, InputPart, Request

MAX_PARTS = 64
MAX_REQUEST_ID_CHARS = 1_024
MAX_MIME_TYPE_CHARS = 255
"""https://www.rfc-editor.org/rfc/rfc6838#section-4.2: 127 characters on each side of the slash."""
MAX_EXTRA = 64
MAX_EXTRA_CHARS = 20_000
"""Of one value in `decoding.extra`, which may be a JSON schema."""

# Voices that an error lists.
_SHOWN_VOICES = 20

_MODALITY_OF_PART = {"text": Modality.TEXT, "audio": Modality.SPEECH, "image": Modality.IMAGE}

_Field = Literal["temperature", "top_p", "repetition_penalty", "max_new_tokens", "beam_size"]
# The upper limits only exclude values that are certainly mistakes.
_DECODING_RANGES: tuple[tuple[_Field, float, float], ...] = (
    ("temperature", 0, 100),
    ("top_p", 0, 1),
    ("repetition_penalty", 0, 100),
    ("max_new_tokens", 1, 2**32),
    ("beam_size", 1, 1_000),
)


def check_request(message: pb.GenerateRequest, card: Card, digest: str) -> Condition:
    """The condition that a request asks for. Cheap, and done before any media are decoded.

    Raises:
        ContractError: BAD_REQUEST, TOO_LARGE, UNSUPPORTED_CONDITION or DIGEST_MISMATCH.
    """
    _check_sizes(message)
    condition = Condition(_input_of(message), _output_of(message))
    _check_texts(message, card)
    _check_decoding(message.decoding)
    _check_voice(message, card, condition)
    if message.expected_digest and message.expected_digest != digest:
        expected = quoted(message.expected_digest)
        text = f"expected_digest is {expected} but {card.name} is {digest}: describe the service again"
        raise ContractError(Reason.DIGEST_MISMATCH, text)
    capability = card.conditions.get(condition)
    if capability is None or capability.support is Support.UNSUPPORTED:
        able = [c.name for c, found in card.conditions.items() if found.support is not Support.UNSUPPORTED]
        why = capability.reason if capability and capability.reason else f"it supports {', '.join(able) or 'nothing'}"
        raise ContractError(Reason.UNSUPPORTED_CONDITION, f"{card.name} does not support {condition}: {why}")
    return condition


def _check_sizes(message: pb.GenerateRequest) -> None:
    """Bounds on everything but texts and media, which the card limits. Nothing is quoted: it may be megabytes long."""
    _check_size("parts", len(message.parts), MAX_PARTS, "entries")
    _check_size("request_id", len(message.request_id), MAX_REQUEST_ID_CHARS)
    _check_size("voice.name", len(message.voice.name), MAX_NAME_CHARS)
    _check_size("language", len(message.language), MAX_LANGUAGE_CHARS)
    _check_size("expected_digest", len(message.expected_digest), MAX_NAME_CHARS)
    for number, part in enumerate(message.parts):
        kind = part.WhichOneof("content")
        if kind in ("audio", "image"):
            mime_type = part.audio.mime_type if kind == "audio" else part.image.mime_type
            _check_size(f"parts[{number}].{kind}.mime_type", len(mime_type), MAX_MIME_TYPE_CHARS)
    extra = message.decoding.extra
    if not extra:
        return
    _check_size("decoding.extra", len(extra), MAX_EXTRA, "entries")
    for name, value in extra.items():
        _check_size("a name in decoding.extra", len(name), MAX_NAME_CHARS)
        _check_size(f"decoding.extra[{quoted(name)}]", len(value), MAX_EXTRA_CHARS)


def _check_size(field: str, size: int, limit: int, unit: str = "characters") -> None:
    if size > limit:
        raise ContractError(Reason.TOO_LARGE, f"{field} has {size} {unit}, and the limit is {limit}: shorten it")


def _input_of(message: pb.GenerateRequest) -> Modality:
    """Speech or image if a part contains one, else text."""
    if not message.parts:
        raise _bad("parts is empty: send the carrier as the first part")
    found = {Modality.TEXT}
    for number, part in enumerate(message.parts):
        kind = part.WhichOneof("content")
        if kind is None:
            raise _bad(f"parts[{number}] is empty: set its text, audio or image")
        if kind == "text" and not part.text.strip():
            raise _bad(f"parts[{number}].text is empty: leave the part out")
        found.add(_MODALITY_OF_PART[kind])
    # Text next to media is the typed instruction, so it does not decide the input modality.
    media = found - {Modality.TEXT}
    if len(media) > 1:
        raise _bad("parts hold audio and images: a condition has one input modality, send one kind")
    return media.pop() if media else Modality.TEXT


def _output_of(message: pb.GenerateRequest) -> Modality:
    try:
        output = modality_from_proto(message.output)
    except ValueError as error:
        raise _bad(f"output {message.output} is unknown or unset: send MODALITY_TEXT or MODALITY_SPEECH") from error
    if output not in OUTPUTS:
        raise _bad(f"output is {output}: ask for MODALITY_TEXT or MODALITY_SPEECH")
    return output


def _check_texts(message: pb.GenerateRequest, card: Card) -> None:
    chars = len(message.system_prompt) + sum(len(part.text) for part in message.parts)
    if chars > card.max_text_chars:
        text = f"the request has {chars} characters of text, and the limit is {card.max_text_chars}: shorten it"
        raise ContractError(Reason.TOO_LARGE, text)


def _check_decoding(decoding: pb.Decoding) -> None:
    for field, low, high in _DECODING_RANGES:
        value = getattr(decoding, field)
        # `not low <= value` instead of `value < low`: NaN fails every comparison, and must be refused too.
        if decoding.HasField(field) and not low <= value <= high:
            raise _bad(f"decoding.{field} is {value}: send {low:g} to {high:g}, or leave it unset")


def _check_voice(message: pb.GenerateRequest, card: Card, condition: Condition) -> None:
    voice = message.voice
    if voice.HasField("words_per_minute") and not 0 < voice.words_per_minute < math.inf:
        raise _bad(f"voice.words_per_minute is {voice.words_per_minute}: send a finite number above 0")
    # A card without voices does not restrict the name: the adapter may pass it on to a server.
    known = [known.name for known in card.voices]
    if condition.output is Modality.SPEECH and voice.HasField("name") and known and voice.name not in known:
        more = f" and {len(known) - _SHOWN_VOICES} more" if len(known) > _SHOWN_VOICES else ""
        listed = ", ".join(known[:_SHOWN_VOICES]) + more
        raise _bad(f"voice {quoted(voice.name)} is unknown to {card.name}: send one of {listed}")


def _bad(text: str) -> ContractError:
    return ContractError(Reason.BAD_REQUEST, text)


def decode_request(message: pb.GenerateRequest, card: Card, output: Modality) -> Request:
    """Decodes every part. Media take long, so they are decoded in a thread and not on the event loop.

    Raises:
        ContractError: BAD_MEDIA or TOO_LARGE.
    """
    parts: list[InputPart] = []
    # The limits hold for all parts together: many small files must not decode to more than one file may.
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
    # Here and not in the adapter, so that every model of a run gets audio from the same resampler.
    return resample(clip, card.input_sample_rate_hz)


def _check_sum(unit: str, total: float, limit: float) -> None:
    # The resampler may round a clip of exactly the limit up by one sample.
    if total > limit * 1.001:
        raise ContractError(
            Reason.TOO_LARGE, f"the parts have {total:g} {unit} together, and the limit is {limit:g}: send less"
        )


def _decoding(message: pb.Decoding) -> DecodingOptions:
    """Only the fields that are set: unset ones stay None, which is different from 0."""
    if not message.ByteSize():
        return DecodingOptions()
    fields = {descriptor.name: value for descriptor, value in message.ListFields() if descriptor.name != "extra"}
    return DecodingOptions(**fields, extra=dict(message.extra))
