"""What a user may set about the `openai-speech` service."""

from __future__ import annotations

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
from omnigap_services.audio import is_silent, serving, speed_of
from omnigap_services.openai_server.answer import audio_diagnostics
from omnigap_services.openai_server.connection import Connection
from omnigap_services.openai_server.endpoint import CALL_OPTIONS, EndpointOptions, check_address, read_key
from omnigap_services.options import OptionsError, read_options
from omnigap_services.source import source_hash

SERVICE = "openai-speech"

# Fields of the body that the adapter writes by itself: no option may overwrite them.
RESERVED = frozenset({"model", "input", "voice", "response_format", "speed", "stream", "stream_format"})


class SpeechOptions(EndpointOptions):
    """Options of the `openai-speech` service, beside those of `EndpointOptions`.

    Attributes:
        voices: names that the server knows; the first speaks where a request names none.
        language_voices: by language, who speaks where a request names no voice, as { ko = "jf_alpha" }.
        languages: that it speaks, as BCP-47 tags; items in another one are refused. Empty: any.
        audio_format: `wav`, whose header tells the rate, or `pcm`, 16 bits and mono, at `pcm_sample_rate_hz`.
        pcm_sample_rate_hz: of `pcm`, where the answer's Content-Type does not tell it.
        output_sample_rate_hz: that speech goes out at; one whose own rate differs is resampled.
        words_per_minute: what the voice speaks at speed 1; 0: not known, and requests for a rate are refused.
        speed: where a request brings no rate; left out: it is not sent.
        instructions: how to speak, for servers that take them.
        seed_field: root field that the seed goes into, for servers that take one; empty: it is not sent.
        seed: where a request brings none and there is a field for it.
        extra_body: further root fields, part of the digest and shown to everyone: no place for a secret.
        max_text_chars: of one question.
    """

    not_in_the_digest: ClassVar[frozenset[str]] = CALL_OPTIONS | {"max_text_chars"}

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
    def _own_fields_only(cls, body: dict[str, Any]) -> dict[str, Any]:
        if taken := RESERVED.intersection(body):
            raise ValueError(f"{', '.join(sorted(taken))} is written by the adapter: set the option of that name")
        return body


def read_speech_options(options: Mapping[str, object]) -> SpeechOptions:
    """The options, checked.

    Raises:
        OptionsError: for unknown keys, values that do not fit, and voices that are not listed.
    """
    found = read_options(SpeechOptions, SERVICE, options)
    check_address(SERVICE, found)
    if unknown := set(found.language_voices.values()) - set(found.voices):
        raise OptionsError(
            f"service {SERVICE}: option language_voices names {', '.join(sorted(unknown))}: list them in voices too"
        )
    return found


# The bytes of a speech answer as audio: a WAV file, also one whose header was written before its end, or bare PCM.

_LIMITS = AudioLimits(max_seconds=3_600.0)
_RATE = re.compile(r"\brate\s*=\s*(\d+)", re.IGNORECASE)
_FRAME_BYTES = 2


def read_speech(
    data: bytes, content_type: str, audio_format: Literal["wav", "pcm"], pcm_sample_rate_hz: int
) -> AudioClip | None:
    """The audio at its own rate; None where there is no sample in it.

    Args:
        content_type: of the HTTP answer; `audio/pcm;rate=24000` tells the rate of bare PCM.

    Raises:
        ContractError: MODEL_ERROR for bytes that are no such audio.
    """
    # Bare PCM may begin with any byte.
    if "json" in content_type or (audio_format == "wav" and data[:1] == b"{"):
        raise ContractError(Reason.MODEL_ERROR, f"the server sent no audio but {data[:200]!r}")
    try:
        if audio_format == "pcm":
            found = _RATE.search(content_type)
            rate = int(found[1]) if found else pcm_sample_rate_hz
            whole = data[: len(data) // _FRAME_BYTES * _FRAME_BYTES]
            return decode_audio(whole, PCM, sample_rate=rate, channels=1, limits=_LIMITS) if whole else None
        file = _with_sizes(data)
        return decode_audio(file, WAV, limits=_LIMITS) if file else None
    except ContractError as error:
        raise ContractError(Reason.MODEL_ERROR, f"the server's audio cannot be read: {error.message}") from None


def _with_sizes(data: bytes) -> bytes:
    """A WAV file with the sizes that it has; empty where it holds no sample.

    Servers that stream write the header before they know how long it gets: sizes of 0, or of four gigabytes.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return data  # decoding says what is wrong with it
    place = 12
    while place + 8 <= len(data):
        name, size = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "little")
        body = place + 8
        if name == b"data":
            there = len(data) - body
            size = there if size == 0 or size > there else size
            if size < _FRAME_BYTES:
                return b""
            head = data[:4] + (body - 8 + size).to_bytes(4, "little") + data[8 : place + 4] + size.to_bytes(4, "little")
            return head + data[body : body + size]
        place = body + size + size % 2
    return data


# The `openai-speech` service: a text in, the same text as speech out, by a server that speaks OpenAI's API.

_SPEEDS = (0.25, 4.0)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came back; no clip where there was no sample in it."""

    clip: AudioClip | None
    retries: int


class SpeechAdapter(Adapter):
    """A proxy: it owns no device, so as many threads call it as calls may be under way."""

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._set = read_speech_options(options)
        self._key = read_key(SERVICE, self._set)
        self._connection: Connection | None = None

    def load(self) -> Card:
        options = self._set
        self._connection = Connection(options, self._key)
        self._connection.wait_until_there()
        return Card(
            name=options.name or options.model,
            conditions={Condition(Modality.TEXT, Modality.SPEECH): NATIVE},
            weights_revision=options.revision,
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
        """The language that the options give a voice; their first one where they give none."""
        given = [language for language, name in self._set.language_voices.items() if name == voice]
        return (given or [*self._set.languages, ""])[0]

    def generate(self, batch: Sequence[Turn]) -> None:
        for turn in batch:
            try:
                self._speak(turn)
            except ContractError as error:
                turn.fail(error)

    def _speak(self, turn: Turn) -> None:
        assert self._connection is not None, "generate before load"
        options = self._set
        text = " ".join(turn.request.texts)
        try:
            answer = self._connection.run(self._post(self._body(turn.request, text)), lambda: turn.cancelled)
        except CancelledError:
            return
        clip = answer.clip
        if clip is None or is_silent(clip.samples):
            raise ContractError(Reason.MODEL_ERROR, f"the server made no sound of {text[:80]!r}: look at its log")
        spoken = resample(clip, options.output_sample_rate_hz)
        turn.write(text)
        turn.speak(spoken.samples, spoken.sample_rate)
        turn.complete(Completion(diagnostics={**audio_diagnostics(clip, text), "retries": float(answer.retries)}))

    async def _post(self, body: dict[str, Any]) -> _Answer:
        assert self._connection is not None
        options, fields = self._set, dict(body)
        response = await self._connection.client.audio.speech.with_raw_response.create(
            model=fields.pop("model"), input=fields.pop("input"), voice=fields.pop("voice"), extra_body=fields
        )
        kind = response.headers.get("content-type", "")
        clip = read_speech(response.content, kind, options.audio_format, options.pcm_sample_rate_hz)
        return _Answer(clip, response.retries_taken)

    def _body(self, request: Request, text: str) -> dict[str, Any]:
        """The JSON object that is posted to `/audio/speech`.

        Raises:
            ContractError: BAD_REQUEST for a language that is not spoken, and a rate that cannot be told.
        """
        options = self._set
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
        if options.seed_field:
            asked = request.decoding.seed
            body[options.seed_field] = options.seed if asked is None else asked
        return body

    def _voice_for(self, asked: str) -> str:
        options = self._set
        if not asked:
            return options.voices[0]
        if options.languages and serving(asked, (*options.languages, *options.language_voices)) is None:
            spoken = ", ".join(options.languages)
            text = f"no voice speaks {asked!r}: the options list {spoken}, set languages or language_voices"
            raise ContractError(Reason.BAD_REQUEST, text)
        given = serving(asked, options.language_voices)
        return options.voices[0] if given is None else options.language_voices[given]

    def _speed(self, words_per_minute: float | None) -> float | None:
        if words_per_minute is None:
            return self._set.speed
        own = self._set.words_per_minute
        if not own:
            text = (
                f"words_per_minute is {words_per_minute:g}, but the voice's own rate is not known: set words_per_minute"
            )
            raise ContractError(Reason.BAD_REQUEST, text)
        return round(speed_of(words_per_minute, own, _SPEEDS), 4)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
