"""The `openai-asr` service: speech in, its transcript out, by a server with `/v1/audio/transcriptions`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, field_validator

from omnigap.errors import ContractError
from omnigap.media import encode_pcm16, encode_wav
from omnigap.media.audio import Samples
from omnigap.vocabulary import Condition, Modality, Reason, primary_language
from omnigap_services.adapter import NATIVE, Adapter, Card, Completion, Turn
from omnigap_services.audio import SILENCE_PEAK, compression_ratio, match_language, single_clip
from omnigap_services.chunking import MAX_SILENCE_S, without_silence
from omnigap_services.openai_server.body_errors import check_body
from omnigap_services.openai_server.body_limit import check_size
from omnigap_services.openai_server.connection import Connection
from omnigap_services.openai_server.endpoint import EndpointOptions, check_address, read_key
from omnigap_services.options import OptionsError, read_options
from omnigap_services.source import source_hash

SERVICE = "openai-asr"

RESERVED = frozenset({"model", "file", "language", "response_format", "temperature", "prompt", "stream", "keywords"})
"""Fields that the adapter writes, or that could steer the transcript towards the answer; options may not set them."""

_SAMPLE_RATE = 16_000
_MAX_CLIP_S = 600.0


class TranscriptionOptions(EndpointOptions):
    """Options of the `openai-asr` service; extends `EndpointOptions`.

    Attributes:
        language: used if the request names none.
        languages: languages of the model, as BCP-47 tags; items in another language are refused, regions are ignored.
            Empty: any.
        send_language: send the language to the server.
        response_format: `verbose_json` has statistics; some models support `json` only.
        extra_body: further form fields; part of the digest and shown to everyone, so no place for a secret.
    """

    language: str = Field(default="en", min_length=2)
    languages: tuple[str, ...] = ()
    send_language: bool = True
    response_format: Literal["verbose_json", "json"] = "verbose_json"
    extra_body: dict[str, Any] = Field(default_factory=dict)

    @field_validator("extra_body")
    @classmethod
    def _no_reserved_fields(cls, body: dict[str, Any]) -> dict[str, Any]:
        if taken := RESERVED.intersection(body):
            raise ValueError(f"{', '.join(sorted(taken))} cannot be set: the scorer gets the language and nothing else")
        return body


def read_transcription_options(options: Mapping[str, object]) -> TranscriptionOptions:
    """The options, checked.

    Raises:
        OptionsError: unknown keys, invalid values, and a default language that is not listed.
    """
    found = read_options(TranscriptionOptions, SERVICE, options)
    check_address(SERVICE, found)
    if found.languages and match_language(found.language, found.languages) is None:
        raise OptionsError(
            f"service {SERVICE}: option language is {found.language!r}, which is not in languages"
            f" ({', '.join(found.languages)}): set it to one of them"
        )
    return found


@dataclass(frozen=True, slots=True)
class Transcript:
    """A transcript of the server.

    Attributes:
        language: as the server names it, a code or an English word; empty if it does not.
        tokens: of the text; 0 if the server does not list them.
    """

    text: str
    language: str
    tokens: int
    diagnostics: Mapping[str, float]


class TranscriptionAdapter(Adapter):
    """A proxy of an ASR scorer: temperature 0, the language is given, no prompt."""

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._options = read_transcription_options(options)
        self._key = read_key(SERVICE, self._options)
        self._connection: Connection | None = None

    def load(self) -> Card:
        options = self._options
        self._connection = Connection(options, self._key)
        self._connection.wait_until_ready()
        return Card(
            name=options.name or options.model,
            conditions={Condition(Modality.SPEECH, Modality.TEXT): NATIVE},
            weights_revision=options.revision,
            settings={
                **options.settings(),
                "temperature": "0.0",
                "silence_peak": str(SILENCE_PEAK),
                "max_silence_s": str(MAX_SILENCE_S),
                "code.audio": source_hash("omnigap_services.audio", "omnigap_services.chunking"),
                "code.openai_server": source_hash("omnigap_services.openai_server"),
            },
            libraries=("openai",),
            languages=options.languages,
            workers=options.concurrency,
            max_concurrent=options.concurrency,
            max_queue=options.max_queue,
            input_sample_rate_hz=_SAMPLE_RATE,
            max_audio_seconds=_MAX_CLIP_S,
        )

    def generate(self, batch: Sequence[Turn]) -> None:
        for turn in batch:
            try:
                self._transcribe(turn)
            except ContractError as error:
                turn.fail(error)

    def _transcribe(self, turn: Turn) -> None:
        assert self._connection is not None, "generate before load"
        request = turn.request
        samples = single_clip(request)
        if (request.decoding.beam_size or 1) > 1:
            text = f"decoding.beam_size is {request.decoding.beam_size}, but the API has no beam search: leave it unset"
            raise ContractError(Reason.BAD_REQUEST, text)
        language = self._language(request.language)
        duration = {"duration_s": len(samples) / _SAMPLE_RATE}
        # Digital silence is not sent; the values are those that the default ASR service reports for it.
        samples = without_silence(samples)
        if not len(samples):
            silence = {"avg_logprob": 0.0, "no_speech_prob": 1.0, "compression_ratio": 0.0}
            turn.complete(Completion(diagnostics={**silence, **duration}, detected_language=language))
            return
        try:
            transcript = self._connection.run(self._post(samples, language), lambda: turn.cancelled)
        except CancelledError:
            return
        turn.write(transcript.text)
        turn.complete(
            Completion(
                output_tokens=transcript.tokens,
                diagnostics={**transcript.diagnostics, **duration},
                detected_language=transcript.language or language,
            )
        )

    async def _post(self, samples: Samples, language: str) -> Transcript:
        assert self._connection is not None
        options = self._options
        given = {"language": language} if options.send_language else {}
        response = await self._connection.client.audio.transcriptions.with_raw_response.create(
            # Servers take the format from the file's name.
            file=("clip.wav", encode_wav(encode_pcm16(samples), _SAMPLE_RATE), "audio/wav"),
            model=options.model,
            response_format=options.response_format,
            # Greedy; OpenAI's whisper-1 still raises the temperature itself where it is unsure.
            temperature=0.0,
            extra_body={**given, **options.extra_body},
        )
        check_size(response.http_response)
        transcript = read_transcript(response.text)
        diagnostics = {**transcript.diagnostics, "retries": float(response.retries_taken)}
        return dataclasses.replace(transcript, diagnostics=diagnostics)

    def _language(self, requested: str) -> str:
        """The two-letter code of the language, as such servers expect it."""
        language = requested or self._options.language
        if self._options.languages and match_language(language, self._options.languages) is None:
            known = ", ".join(self._options.languages)
            text = f"language {language!r} is not in the option languages ({known}): add it, or use another scorer"
            raise ContractError(Reason.BAD_REQUEST, text)
        return primary_language(language)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


def read_transcript(payload: str) -> Transcript:
    """Reads `json` and `verbose_json`.

    Raises:
        ContractError: UPSTREAM_UNAVAILABLE for a body that is truncated, MODEL_ERROR for JSON without a text, its own
            reason for an error in the body.
    """
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError) as error:
        text = f"the server's answer is not valid JSON, maybe truncated ({error}); it begins {payload[:80]!r}"
        raise ContractError(Reason.UPSTREAM_UNAVAILABLE, text) from None
    if isinstance(found, dict):
        check_body(found)
    if not isinstance(found, dict) or not isinstance(found.get("text"), str):
        raise ContractError(Reason.MODEL_ERROR, f"the server's answer has no text; it begins {payload[:80]!r}")
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
    """Mean log probability of a token, and the no-speech probability of the first segment, if the server has them."""
    found: dict[str, float] = {}
    logprobs = [number for part in segments if (number := _number(part.get("avg_logprob"))) is not None]
    if segments and len(logprobs) == len(segments):
        # Whisper averages over a segment's tokens and its end mark, so the segments are weighted by that number.
        weights = [_tokens(part) + 1 for part in segments]
        total = sum(value * weight for value, weight in zip(logprobs, weights, strict=True))
        found["avg_logprob"] = total / sum(weights)
    no_speech = _number(segments[0].get("no_speech_prob")) if segments else None
    return found if no_speech is None else {**found, "no_speech_prob": no_speech}


def _tokens(segment: dict[str, Any]) -> int:
    tokens = segment.get("tokens")
    return len(tokens) if isinstance(tokens, list) else 0


def _number(value: object) -> float | None:
    # bool is a subclass of int.
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
