"""The `openai-speech` service: text in, the same text as speech out, by a server with `/v1/audio/speech`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from omnigap.errors import ContractError
from omnigap.media import AudioClip, AudioLimits, decode_audio, resample
from omnigap.media.audio import PCM, WAV
from omnigap.vocabulary import Condition, Modality, Reason
from omnigap_services.adapter import NATIVE, Adapter, Card, Completion, Request, Turn, Voice
from omnigap_services.audio import is_silent, match_language, speed_for
from omnigap_services.openai_server.answer import audio_diagnostics
from omnigap_services.openai_server.body_errors import check_body
from omnigap_services.openai_server.body_limit import check_size
from omnigap_services.openai_server.connection import Connection
from omnigap_services.openai_server.endpoint import CALL_OPTIONS, EndpointOptions, check_address, read_key
from omnigap_services.options import OptionsError, read_options
from omnigap_services.source import source_hash

SERVICE = "openai-speech"

RESERVED = frozenset({"model", "input", "voice", "response_format", "speed", "stream", "stream_format"})
"""Fields of the body that the adapter writes; options may not overwrite them."""

# The range of `speed` in OpenAI's API.
_SPEEDS = (0.25, 4.0)

# One hour; a server that sends more did not end its answer.
_LIMITS = AudioLimits(max_seconds=3_600.0)

_RATE = re.compile(r"\brate\s*=\s*(\d{1,9})", re.IGNORECASE)

# Of one mono sample of 16 bits.
_SAMPLE_BYTES = 2


class SpeechOptions(EndpointOptions):
    """Options of the `openai-speech` service; extends `EndpointOptions`.

    Attributes:
        voices: names on the server; the first is used if a request names none.
        language_voices: by language, the voice if a request names none, as { ko = "jf_alpha" }.
        languages: languages it speaks, as BCP-47 tags; items in another one are refused. Empty: any.
        audio_format: `wav`, with the rate in its header, or `pcm`: 16 bits, mono, at `pcm_sample_rate_hz`.
        pcm_sample_rate_hz: of `pcm`, if the answer's Content-Type does not have it.
        output_sample_rate_hz: of the service's audio; audio at another rate is resampled.
        words_per_minute: the voice's rate at speed 1; 0: unknown, and requests for a rate are refused.
        speed: used if a request sets no rate; unset: not sent.
        instructions: how to speak, for servers that support it.
        seed_field: root field for the seed, for servers that support one; empty: not sent.
        seed: used if a request brings none and there is a field for it.
        extra_body: further root fields; part of the digest and shown to everyone, so no place for a secret.
        max_text_chars: longest text of one request.
    """

    not_in_digest: ClassVar[frozenset[str]] = CALL_OPTIONS | {"max_text_chars"}

    voices: tuple[str, ...] = Field(default=("alloy",), min_length=1)
    language_voices: dict[str, str] = Field(default_factory=dict)
    languages: tuple[str, ...] = ()
    audio_format: Literal["wav", "pcm"] = "wav"
    pcm_sample_rate_hz: int = Field(default=24_000, ge=4_000, le=192_000)
    output_sample_rate_hz: int = Field(default=24_000, ge=4_000, le=192_000)
    words_per_minute: float = Field(default=0.0, ge=0, le=1_000)
    speed: float | None = Field(default=None, ge=0.25, le=4.0)
    instructions: str = ""
    seed_field: str = ""
    seed: int = Field(default=0, ge=0)
    extra_body: dict[str, Any] = Field(default_factory=dict)
    max_text_chars: int = Field(default=4_000, ge=1, le=100_000)

    @field_validator("extra_body")
    @classmethod
    def _no_reserved_fields(cls, body: dict[str, Any]) -> dict[str, Any]:
        if taken := RESERVED.intersection(body):
            raise ValueError(f"{', '.join(sorted(taken))} is written by the adapter: set the option of that name")
        return body


def read_speech_options(options: Mapping[str, object]) -> SpeechOptions:
    """The options, checked.

    Raises:
        OptionsError: unknown keys, invalid values, and voices that are not listed.
    """
    found = read_options(SpeechOptions, SERVICE, options)
    check_address(SERVICE, found)
    if unknown := set(found.language_voices.values()) - set(found.voices):
        raise OptionsError(
            f"service {SERVICE}: option language_voices names {', '.join(sorted(unknown))}: list them in voices too"
        )
    return found


@dataclass(frozen=True, slots=True)
class _Answer:
    """A response of the server; `clip` is None if it has no samples."""

    clip: AudioClip | None
    retries: int


class SpeechAdapter(Adapter):
    """A proxy. It owns no device, so it has one worker for each simultaneous call."""

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._options = read_speech_options(options)
        self._key = read_key(SERVICE, self._options)
        self._connection: Connection | None = None

    def load(self) -> Card:
        options = self._options
        self._connection = Connection(options, self._key)
        self._connection.wait_until_ready()
        return Card(
            name=options.name or options.model,
            conditions={Condition(Modality.TEXT, Modality.SPEECH): NATIVE},
            weights_revision=options.revision,
            # The code of this package decides what a carrier sounds like (format, resampling), so it is in the digest.
            settings={**options.settings(), "code.openai_server": source_hash("omnigap_services.openai_server")},
            libraries=("openai", "soxr"),
            voices=tuple(Voice(name, self._language_of(name)) for name in options.voices),
            languages=options.languages,
            workers=options.concurrency,
            max_concurrent=options.concurrency,
            max_queue=options.max_queue,
            output_sample_rate_hz=options.output_sample_rate_hz,
            max_text_chars=options.max_text_chars,
        )

    def _language_of(self, voice: str) -> str:
        """The voice's language in `language_voices`, else the first of `languages`."""
        given = [language for language, name in self._options.language_voices.items() if name == voice]
        return (given or [*self._options.languages, ""])[0]

    def generate(self, batch: Sequence[Turn]) -> None:
        for turn in batch:
            try:
                self._speak(turn)
            except ContractError as error:
                turn.fail(error)

    def _speak(self, turn: Turn) -> None:
        assert self._connection is not None, "generate before load"
        options = self._options
        text = " ".join(turn.request.texts)
        try:
            answer = self._connection.run(self._post(self._body(turn.request, text)), lambda: turn.cancelled)
        except CancelledError:
            return
        clip = answer.clip
        # Unlike a model's silent answer this is an error: the clip would be a carrier without a question.
        if clip is None or is_silent(clip.samples):
            raise ContractError(Reason.MODEL_ERROR, f"the server's audio for {text[:80]!r} is silent: check its log")
        resampled = resample(clip, options.output_sample_rate_hz)
        turn.write(text)
        turn.speak(resampled.samples, resampled.sample_rate)
        turn.complete(Completion(diagnostics={**audio_diagnostics(clip, text), "retries": float(answer.retries)}))

    async def _post(self, body: dict[str, Any]) -> _Answer:
        assert self._connection is not None
        options, fields = self._options, dict(body)
        # Fields beyond the three go into extra_body: the client's parameters are those of OpenAI only.
        response = await self._connection.client.audio.speech.with_raw_response.create(
            model=fields.pop("model"), input=fields.pop("input"), voice=fields.pop("voice"), extra_body=fields
        )
        check_size(response.http_response)
        content_type = response.headers.get("content-type", "")
        clip = read_speech(response.content, content_type, options.audio_format, options.pcm_sample_rate_hz)
        return _Answer(clip, response.retries_taken)

    def _body(self, request: Request, text: str) -> dict[str, Any]:
        """The JSON object that is posted to `/audio/speech`.

        Raises:
            ContractError: BAD_REQUEST for a language or a rate that is not supported.
        """
        options = self._options
        body: dict[str, Any] = {
            "model": options.model,
            "input": text,
            "voice": request.voice or self._voice_for(request.language),
            "response_format": options.audio_format,
            **options.extra_body,
        }
        if (speed := self._speed(request.words_per_minute)) is not None:
            body["speed"] = speed
        if options.instructions:
            body["instructions"] = options.instructions
        # The API has no seed; servers that take one have different names for it.
        if options.seed_field:
            requested = request.decoding.seed
            body[options.seed_field] = options.seed if requested is None else requested
        return body

    def _voice_for(self, language: str) -> str:
        options = self._options
        if not language:
            return options.voices[0]
        if options.languages and match_language(language, (*options.languages, *options.language_voices)) is None:
            known = ", ".join(options.languages)
            text = f"no voice speaks {language!r}, only {known}: set languages or language_voices"
            raise ContractError(Reason.BAD_REQUEST, text)
        found = match_language(language, options.language_voices)
        return options.voices[0] if found is None else options.language_voices[found]

    def _speed(self, words_per_minute: float | None) -> float | None:
        if words_per_minute is None:
            return self._options.speed
        own = self._options.words_per_minute
        if not own:
            text = f"words_per_minute is {words_per_minute:g}, but the voice's own rate is unknown: "
            raise ContractError(Reason.BAD_REQUEST, text + "set words_per_minute in the service's options")
        return round(speed_for(words_per_minute, own, _SPEEDS), 4)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


def read_speech(
    data: bytes, content_type: str, audio_format: Literal["wav", "pcm"], pcm_sample_rate_hz: int
) -> AudioClip | None:
    """The audio of a response at its own rate; None if it has no samples.

    Args:
        content_type: of the HTTP response; `audio/pcm;rate=24000` has the rate of raw PCM.

    Raises:
        ContractError: MODEL_ERROR for bytes that are not such audio; its own reason for an error in JSON.
    """
    # Some servers answer an error with status 200. Raw PCM may begin with any byte, a brace included.
    if "json" in content_type or (audio_format == "wav" and data[:1] == b"{"):
        _check_json(data)
        raise ContractError(Reason.MODEL_ERROR, f"the server sent no audio but {data[:200]!r}")
    try:
        if audio_format == "pcm":
            found = _RATE.search(content_type)
            rate = int(found[1]) if found else pcm_sample_rate_hz
            # Without half a sample at the end.
            samples = data[: len(data) // _SAMPLE_BYTES * _SAMPLE_BYTES]
            return decode_audio(samples, PCM, sample_rate=rate, channels=1, limits=_LIMITS) if samples else None
        file = _with_real_sizes(data)
        return decode_audio(file, WAV, limits=_LIMITS) if file else None
    except ContractError as error:
        raise ContractError(Reason.MODEL_ERROR, f"the server's audio cannot be read: {error.message}") from None


def _check_json(data: bytes) -> None:
    """Raises ContractError with its own reason for an error that a server describes as JSON."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(found, dict):
        check_body(found)


def _with_real_sizes(data: bytes) -> bytes:
    """A WAV file with correct sizes in its header; empty if it has no samples.

    Servers that stream write the header before they know the length, with sizes of 0 or of two or four gigabytes.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return data  # the decoder reports what is wrong
    position = 12
    # Chunks: a name of four bytes, a little-endian size of four, and a body padded to an even length.
    while position + 8 <= len(data):
        name, size = data[position : position + 4], int.from_bytes(data[position + 4 : position + 8], "little")
        body = position + 8
        if name == b"data":
            available = len(data) - body
            size = available if size == 0 or size > available else size
            if size < _SAMPLE_BYTES:
                return b""
            riff_size = (body - 8 + size).to_bytes(4, "little")
            head = data[:4] + riff_size + data[8 : position + 4] + size.to_bytes(4, "little")
            return head + data[body : body + size]
        position = body + size + size % 2
    return data
