"""The `piper` service: text to speech with Piper voices; the same text always gives the same samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from omnigap.digest import digest_of
from omnigap.errors import ContractError
from omnigap.media import AudioClip, resample
from omnigap.vocabulary import Condition, Modality, Reason, primary_language
from omnigap_services.adapter import NATIVE, Adapter, Card, Completion, Request, Turn, Voice
from omnigap_services.audio import is_silent, match_language
from omnigap_services.options import OptionsError, read_options
from omnigap_services.piper.files import find_voices
from omnigap_services.piper.options import FIXED_LENGTH, OWN_WORDS_PER_MINUTE, RATES_WPM, SERVICE, PiperOptions
from omnigap_services.piper.voice import LoadedVoice
from omnigap_services.source import source_hash
from omnigap_services.weights import file_hash


class PiperAdapter(Adapter):
    """piper-tts behind the Generate server.

    piper-tts is GPL and its espeak-ng keeps global state, so it runs in a process that does nothing else.
    """

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._options = read_options(PiperOptions, SERVICE, options)

    def load(self) -> Card:
        loaded = [LoadedVoice(files, self._options) for files in find_voices(self._options)]
        self._voices = {voice.name: voice for voice in loaded}
        # One rate for all voices, as the card declares one.
        self._sample_rate = max(voice.sample_rate for voice in loaded)
        self._default, self._default_speaker = self._chosen_default()
        return self._card(loaded)

    def warm_up(self) -> Request:
        # Digits are read in every language.
        return Request(parts=("1 2 3",), output=Modality.SPEECH)

    def generate(self, batch: Sequence[Turn]) -> None:
        for turn in batch:
            try:
                self._speak(turn)
            except Exception as error:  # onnxruntime's have no common base class; the other turns go on
                turn.fail(error)

    def _speak(self, turn: Turn) -> None:
        request = turn.request
        text = " ".join(request.texts)
        voice, speaker = self._voice_of(request)
        seed = self._options.seed if request.decoding.seed is None else request.decoding.seed
        audible = False
        for samples in voice.speak(text, speaker, self._slowness(request), seed):
            if turn.cancelled:
                return
            if not audible:
                # The text that was spoken is a TTS service's own text.
                turn.write(text)
            audible |= not is_silent(samples)
            clip = resample(AudioClip(samples, voice.sample_rate), self._sample_rate)
            turn.speak(clip.samples, clip.sample_rate)
        if not audible:
            raise ContractError(Reason.MODEL_ERROR, f"the audio for {text[:80]!r} is silent: use another voice")
        turn.complete(Completion())

    def _voice_of(self, request: Request) -> tuple[LoadedVoice, int | None]:
        """The requested voice, else the default if it speaks the request's language, else the first that does."""
        if request.voice:
            return self._named(request.voice)
        language = primary_language(request.language)
        if not language or primary_language(self._default.language) == language:
            return self._default, self._default_speaker
        tags = {voice.language: voice for voice in reversed(self._voices.values())}
        found = match_language(request.language, [voice.language for voice in self._voices.values()])
        if found is None:
            spoken = ", ".join(dict.fromkeys(voice.language for voice in self._voices.values()))
            raise ContractError(
                Reason.BAD_REQUEST,
                f"no voice speaks {request.language!r}, only {spoken}: add one to the service's option voices",
            )
        return tags[found], None

    def _named(self, name: str) -> tuple[LoadedVoice, int | None]:
        # The server has checked the name against the card.
        voice, _, speaker = name.partition("#")
        if voice == self._default.name and not speaker:
            return self._default, self._default_speaker
        return self._voices[voice], self._voices[voice].speakers[speaker] if speaker else None

    def _slowness(self, request: Request) -> float:
        """The factor on the voice's length_scale that gives about the requested rate."""
        rate = request.words_per_minute or self._options.words_per_minute
        if rate is None:
            return 1.0
        slowest, fastest = RATES_WPM
        if not slowest <= rate <= fastest:
            text = f"words_per_minute is {rate:g}: {SERVICE} speaks {slowest} to {fastest}"
            raise ContractError(Reason.BAD_REQUEST, text)
        # seconds = own seconds * (FIXED_LENGTH + (1 - FIXED_LENGTH) * slowness), solved for the slowness.
        return (OWN_WORDS_PER_MINUTE / rate - FIXED_LENGTH) / (1 - FIXED_LENGTH)

    def _chosen_default(self) -> tuple[LoadedVoice, int | None]:
        # Also VOICE#SPEAKER, as the card lists it.
        name, _, asked = (self._options.voice or next(iter(self._voices))).partition("#")
        if name not in self._voices:
            known = ", ".join(self._voices)
            raise OptionsError(f"service {SERVICE}: option 'voice' is {name!r}: the option voices has {known}")
        voice = self._voices[name]
        asked = asked if self._options.speaker is None else str(self._options.speaker)
        if not asked:
            return voice, None
        if asked in voice.speakers:
            return voice, voice.speakers[asked]
        if asked.isdecimal() and int(asked) in voice.speakers.values():
            return voice, int(asked)
        known = ", ".join(list(voice.speakers)[:20]) or "no others"
        raise OptionsError(
            f"service {SERVICE}: option 'speaker' is {asked!r}: the voice {name} has"
            f" {len(voice.speakers) or 1} speaker(s): {known}"
        )

    def _card(self, loaded: Sequence[LoadedVoice]) -> Card:
        options = self._options
        hashes = {path.name: file_hash(path) for voice in loaded for path in (voice.files.model, voice.files.config)}
        speaker = self._default_speaker
        return Card(
            name=SERVICE,
            conditions={Condition(Modality.TEXT, Modality.SPEECH): NATIVE},
            # By name, so that a voice has the same digest in a folder and in the hub's cache.
            weights_revision=f"sha256:{digest_of(hashes)}",
            weights_source="; ".join(voice.files.source for voice in loaded),
            settings={
                "voice": self._default.name,
                "voices": ",".join(self._voices),
                "speaker": "" if speaker is None else str(speaker),
                "words_per_minute": str(options.words_per_minute or ""),
                "seed": str(options.seed),
                "noise_scale": "" if options.noise_scale is None else str(options.noise_scale),
                "noise_w": "" if options.noise_w is None else str(options.noise_w),
                "threads": str(options.threads),
                "code.audio": source_hash("omnigap_services.audio"),
            },
            libraries=("piper-tts", "onnxruntime", "soxr"),
            voices=tuple(
                Voice(name, voice.language)
                for voice in loaded
                for name in (voice.name, *(f"{voice.name}#{speaker}" for speaker in voice.speakers))
            ),
            languages=tuple(dict.fromkeys(voice.language for voice in loaded)),
            workers=options.workers,
            max_queue=options.max_queue,
            output_sample_rate_hz=self._sample_rate,
            max_text_chars=options.max_text_chars,
        )
