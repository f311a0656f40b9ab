"""What a user may set about the `openai-asr` service."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field, field_validator

from omnigap.errors import ContractError
from omnigap.media import encode_pcm16, encode_wav
from omnigap.media.audio import Samples
from omnigap.vocabulary import Condition, Modality, Reason, primary_language
from omnigap_services.adapter import NATIVE, Adapter, Card, Completion, Turn
from omnigap_services.audio import SILENCE_PEAK, clip_of, compression_ratio, serving
from omnigap_services.openai_server.connection import Connection
from omnigap_services.openai_server.endpoint import EndpointOptions, check_address, read_key
from omnigap_services.options import OptionsError, read_options
from omnigap_services.source import source_hash

SERVICE = "openai-asr"

# Written by the adapter, or able to lead the transcript to the answer: no option may set them.
RESERVED = frozenset({"model", "file", "language", "response_format", "temperature", "prompt", "stream", "keywords"})


class TranscriptionOptions(EndpointOptions):
    """Options of the `openai-asr` service, beside those of `EndpointOptions`.

    Attributes:
        language: where the request names none.
        languages: that the model hears, as BCP-47 tags; items in another one are refused, whatever their region is.
            Empty: any.
        send_language: whether the language is told to the server.
        response_format: `verbose_json` brings statistics; some models know `json` alone.
        extra_body: further form fields, part of the digest and shown to everyone: no place for a secret.
    """

    language: str = Field(default="en", min_length=2)
    languages: tuple[str, ...] = ()
    send_language: bool = True
    response_format: Literal["verbose_json", "json"] = "verbose_json"
    extra_body: dict[str, Any] = Field(default_factory=dict)

    @field_validator("extra_body")
    @classmethod
    def _own_fields_only(cls, body: dict[str, Any]) -> dict[str, Any]:
        if taken := RESERVED.intersection(body):
            raise ValueError(f"{', '.join(sorted(taken))} cannot be set: the scorer is told the language and no more")
        return body


def read_transcription_options(options: Mapping[str, object]) -> TranscriptionOptions:
    """The options, checked.

    Raises:
        OptionsError: for unknown keys, values that do not fit, and a default language that is not listed.
    """
    found = read_options(TranscriptionOptions, SERVICE, options)
    check_address(SERVICE, found)
    if found.languages and serving(found.language, found.languages) is None:
        raise OptionsError(
            f"service {SERVICE}: option language is {found.language!r}, which is not in languages"
            f" ({', '.join(found.languages)}): set it to one of them"
        )
    return found


# From a transcription's JSON to a text and the default scorer's statistics, as far as the server tells them.


@dataclass(frozen=True, slots=True)
class Transcript:
    """What the server heard.

    Attributes:
        language: as the server names it, a code or an English word; empty where it does not tell.
        tokens: of the text; 0 where it does not tell.
    """

    text: str
    language: str
    tokens: int
    diagnostics: Mapping[str, float]


def read_transcript(payload: str) -> Transcript:
    """Reads `json` and `verbose_json` alike.

    Raises:
        ContractError: UPSTREAM_UNAVAILABLE for a body that is cut off, MODEL_ERROR for JSON without a text.
    """
    try:
        found = json.loads(payload)
    except ValueError as error:
        text = f"the server's answer is no JSON, cut off perhaps ({error}), and begins {payload[:80]!r}"
        raise ContractError(Reason.UPSTREAM_UNAVAILABLE, text) from None
    if not isinstance(found, dict) or not isinstance(found.get("text"), str):
        raise ContractError(Reason.MODEL_ERROR, f"the server's answer holds no text, and begins {payload[:80]!r}")
    text = found["text"].strip()
    segments = [part for part in found.get("segments") or () if isinstance(part, dict)]
    language = found.get("language")
    return Transcript(
        text=text,
        language=language if isinstance(language, str) else "",
        tokens=sum(_tokens(part) for part in segments),
        diagnostics={"compression_ratio": compression_ratio(text), **_statistics(segments)},
    )


def _statistics(segments: list[dict[str, Any]]) -> dict[str, float]:
    """The mean log probability by tokens, the end mark counted, and the first segment's no-speech probability."""
    found: dict[str, float] = {}
    logprobs = [number for part in segments if (number := _number(part.get("avg_logprob"))) is not None]
    if segments and len(logprobs) == len(segments):
        weights = [_tokens(part) + 1 for part in segments]
        total = sum(value * weight for value, weight in zip(logprobs, weights, strict=True))
        found["avg_logprob"] = total / sum(weights)
    silence = _number(segments[0].get("no_speech_prob")) if segments else None
    return found if silence is None else {**found, "no_speech_prob": silence}


def _tokens(segment: dict[str, Any]) -> int:
    tokens = segment.get("tokens")
    return len(tokens) if isinstance(tokens, list) else 0


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


# The `openai-asr` service: audio in, its text out, by a server that speaks OpenAI's API.

_SAMPLE_RATE = 16_000


class TranscriptionAdapter(Adapter):
    """A proxy of a scorer: temperature 0, the language told, no prompt."""

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._set = read_transcription_options(options)
        self._key = read_key(SERVICE, self._set)
        self._connection: Connection | None = None

    def load(self) -> Card:
        options = self._set
        self._connection = Connection(options, self._key)
        self._connection.wait_until_there()
        return Card(
            name=options.name or options.model,
            conditions={Condition(Modality.SPEECH, Modality.TEXT): NATIVE},
            weights_revision=options.revision,
            settings={
                **options.settings(),
                "temperature": "0.0",
                "silence_peak": str(SILENCE_PEAK),
                "code.audio": source_hash("omnigap_services.audio", "omnigap_services.chunking"),
                "code.openai_server": source_hash("omnigap_services.openai_server"),
            },
            libraries=("openai",),
            languages=options.languages,
            workers=options.concurrency,
            max_concurrent=options.concurrency,
            max_queue=options.max_queue,
            input_sample_rate_hz=_SAMPLE_RATE,
            max_audio_seconds=600.0,
        )

    def generate(self, batch: Sequence[Turn]) -> None:
        for turn in batch:
            try:
                self._hear(turn)
            except ContractError as error:
                turn.fail(error)

    def _hear(self, turn: Turn) -> None:
        assert self._connection is not None, "generate before load"
        request = turn.request
        samples = clip_of(request)
        if (request.decoding.beam_size or 1) > 1:
            text = f"decoding.beam_size is {request.decoding.beam_size}: the API offers none, leave it unset"
            raise ContractError(Reason.BAD_REQUEST, text)
        language = self._language(request.language)
        duration = {"duration_s": len(samples) / _SAMPLE_RATE}
        if float(np.abs(samples).max()) <= SILENCE_PEAK:
            # As the default scorer tells digital silence.
            silence = {"avg_logprob": 0.0, "no_speech_prob": 1.0, "compression_ratio": 0.0}
            turn.complete(Completion(diagnostics={**silence, **duration}, detected_language=language))
            return
        try:
            heard = self._connection.run(self._post(samples, language), lambda: turn.cancelled)
        except CancelledError:
            return
        turn.write(heard.text)
        turn.complete(
            Completion(
                output_tokens=heard.tokens,
                diagnostics={**heard.diagnostics, **duration},
                detected_language=heard.language or language,
            )
        )

    async def _post(self, samples: Samples, language: str) -> Transcript:
        assert self._connection is not None
        options = self._set
        told = {"language": language} if options.send_language else {}
        response = await self._connection.client.audio.transcriptions.with_raw_response.create(
            file=("clip.wav", encode_wav(encode_pcm16(samples), _SAMPLE_RATE), "audio/wav"),
            model=options.model,
            response_format=options.response_format,
            temperature=0.0,
            extra_body={**told, **options.extra_body},
        )
        heard = read_transcript(response.text)
        diagnostics = {**heard.diagnostics, "retries": float(response.retries_taken)}
        return Transcript(heard.text, heard.language, heard.tokens, diagnostics)

    def _language(self, asked: str) -> str:
        """The two letters that such servers know a language by."""
        language = asked or self._set.language
        if self._set.languages and serving(language, self._set.languages) is None:
            known = ", ".join(self._set.languages)
            text = f"language {language!r} is not in the option languages ({known}): add it, or take another scorer"
            raise ContractError(Reason.BAD_REQUEST, text)
        return primary_language(language)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
