"""The `openai-asr` service: audio in, its text out, by a server that speaks OpenAI's API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError

import numpy as np

from omnigap.errors import ContractError
from omnigap.media import encode_pcm16, encode_wav
from omnigap.media.audio import Samples
from omnigap.vocabulary import Condition, Modality, Reason, primary_language
from omnigap_services.adapter import NATIVE, Adapter, Card, Completion, Turn
from omnigap_services.audio import SILENCE_PEAK, clip_of, serving
from omnigap_services.openai_server.connection import Connection
from omnigap_services.openai_server.endpoint import read_key
from omnigap_services.openai_server.transcription.answer import Transcript, read_transcript
from omnigap_services.openai_server.transcription.options import SERVICE, read_transcription_options
from omnigap_services.source import source_hash

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
