"""The `espeak` service: deterministic text to speech, 16 kHz mono, with several voices and rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field

from omnigap.errors import ContractError
from omnigap.vocabulary import Condition, Modality, Reason, primary_language
from omnigap_services.adapter import NATIVE, Adapter, Card, Completion, Request, Turn, Voice
from omnigap_services.espeak import library
from omnigap_services.options import Options, read_options

# The voices that the shipped ASR checkpoint knows, then other accents, other timbres and other languages.
_VOICES = (
    *(Voice(name, "en-US") for name in library.SHIPPED_VOICES),
    Voice("en-us+f1", "en-US"),
    Voice("en-us+m3", "en-US"),
    Voice("en", "en-GB"),
    Voice("en+f3", "en-GB"),
    Voice("en-gb-scotland", "en-GB"),
    Voice("ko", "ko"),
    Voice("ko+f3", "ko"),
    Voice("cmn", "cmn"),
    Voice("de", "de"),
    Voice("es", "es"),
    Voice("fr", "fr"),
    Voice("hi", "hi"),
    Voice("it", "it"),
    Voice("ja", "ja"),
    Voice("pt-br", "pt-BR"),
)
_SLOWEST, _FASTEST = library.RATES_WPM


class EspeakOptions(Options):
    """Options of the `espeak` service: the voice and rate of requests that name none."""

    voice: str = library.DEFAULT_VOICE
    words_per_minute: int = Field(default=library.DEFAULT_RATE_WPM, ge=_SLOWEST, le=_FASTEST)
    max_queue: int = Field(default=256, ge=0)


class EspeakAdapter(Adapter):
    """libespeak-ng behind the Generate server.

    The library is GPL and keeps global state, so it runs in one thread of a process that does nothing else.
    """

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._set = read_options(EspeakOptions, "espeak", options)

    def load(self) -> Card:
        return Card(
            name="espeak",
            conditions={Condition(Modality.TEXT, Modality.SPEECH): NATIVE},
            settings={
                "espeak_ng": library.library_version(),
                "voice": self._set.voice,
                "words_per_minute": str(self._set.words_per_minute),
            },
            libraries=("espeakng-loader", "soxr"),
            voices=_VOICES,
            languages=tuple(dict.fromkeys(voice.language for voice in _VOICES)),
            max_queue=self._set.max_queue,
            output_sample_rate_hz=library.SAMPLE_RATE,
        )

    def generate(self, batch: Sequence[Turn]) -> None:
        for turn in batch:
            try:
                self._speak(turn)
            except (ContractError, library.EspeakError) as error:
                turn.fail(error)

    def _speak(self, turn: Turn) -> None:
        request = turn.request
        text = " ".join(request.texts)
        # Without a restart, the samples would depend on the utterances before.
        library.restart()
        samples = library.synthesise(text, self._voice(request), self._rate(request))
        if not samples.any():
            raise ContractError(Reason.BAD_REQUEST, f"the text {text[:80]!r} contains nothing to speak: send words")
        # The text that was spoken is a TTS service's own text.
        turn.write(text)
        turn.speak(samples, library.SAMPLE_RATE)
        turn.complete(Completion())

    def _voice(self, request: Request) -> str:
        """The requested voice, else the first one of the request's language, else the default."""
        if request.voice:
            return request.voice
        language = primary_language(request.language)
        if not language or self._set.voice.split("-")[0].split("+")[0] == language:
            return self._set.voice
        for voice in _VOICES:
            if primary_language(voice.language) == language:
                return voice.name
        spoken = ", ".join(dict.fromkeys(voice.language for voice in _VOICES))
        raise ContractError(
            Reason.BAD_REQUEST, f"no voice speaks {request.language!r}: one of {spoken}, or name a voice"
        )

    def _rate(self, request: Request) -> int:
        rate = request.words_per_minute
        if rate is None:
            return self._set.words_per_minute
        if not _SLOWEST <= rate <= _FASTEST:
            text = f"words_per_minute is {rate:g}: espeak speaks {_SLOWEST} to {_FASTEST}"
            raise ContractError(Reason.BAD_REQUEST, text)
        return round(rate)
