"""The `openai-speech` service: a text in, the same text as speech out, by a server that speaks OpenAI's API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Any

from omnigap.errors import ContractError
from omnigap.media import AudioClip, resample
from omnigap.vocabulary import Condition, Modality, Reason
from omnigap_services.adapter import NATIVE, Adapter, Card, Completion, Request, Turn, Voice
from omnigap_services.audio import is_silent, serving, speed_of
from omnigap_services.openai_server.answer import about_audio
from omnigap_services.openai_server.connection import Connection
from omnigap_services.openai_server.endpoint import read_key
from omnigap_services.openai_server.speech.options import SERVICE, read_speech_options
from omnigap_services.openai_server.speech.sound import read_sound
from omnigap_services.source import source_hash

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
        turn.complete(Completion(diagnostics={**about_audio(clip, text), "retries": float(answer.retries)}))

    async def _post(self, body: dict[str, Any]) -> _Answer:
        assert self._connection is not None
        options, fields = self._set, dict(body)
        response = await self._connection.client.audio.speech.with_raw_response.create(
            model=fields.pop("model"), input=fields.pop("input"), voice=fields.pop("voice"), extra_body=fields
        )
        kind = response.headers.get("content-type", "")
        clip = read_sound(response.content, kind, options.audio_format, options.pcm_sample_rate_hz)
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
