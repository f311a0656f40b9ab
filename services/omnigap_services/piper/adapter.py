"""The `piper` service: text to speech with Piper voices; the same text always gives the same samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from omnigap.digest import digest_of
from omnigap.errors import ContractError
from omnigap.media import AudioClip, resample
from omnigap.vocabulary import Condition, Modality, Reason, primary_language
from omnigap_services.adapter import NATIVE, Adapter, Card, Completion, Request, Turn, Voice
from omnigap_services.audio import is_silent, match_language, speed_for
from omnigap_services.options import OptionsError, read_options
from omnigap_services.piper.files import find_voices
from omnigap_services.piper.options import FIXED_LENGTH, OWN_WORDS_PER_MINUTE, RATES_WPM, SERVICE, PiperOptions
from omnigap_services.piper.voice import UNKNOWN_LANGUAGE, LoadedVoice
from omnigap_services.source import source_hash

# Of the factors on a voice's own rate.
_SPEEDS = (RATES_WPM[0] / OWN_WORDS_PER_MINUTE, RATES_WPM[1] / OWN_WORDS_PER_MINUTE)
# Request seeds are signed 64-bit numbers, and the generator of the noise takes no negative one.
_SEEDS = 2**63


class PiperAdapter(Adapter):
    """piper-tts behind the Generate server.

    piper-tts is GPL and its espeak-ng keeps global state, so it runs in a process that does nothing else.
    """

    without_tiny = "a voice of Piper takes about 60 MB and no GPU: docs/models/piper.md"

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._options = read_options(PiperOptions, SERVICE, options)

    def load(self) -> Card:
        loaded = [LoadedVoice(files, self._options) for files in find_voices(self._options)]
        self._voices = {voice.name: voice for voice in loaded}
        # What requests and the option `voice` may name, with the number of the speaker.
        self._named: dict[str, tuple[LoadedVoice, int | None]] = {voice.name: (voice, None) for voice in loaded}
        for voice in loaded:
            for speaker, number in voice.speakers.items():
                self._named.setdefault(f"{voice.name}#{speaker}", (voice, number))
        # One rate for all voices, as the card declares one.
        self._sample_rate = max(voice.sample_rate for voice in loaded)
        self._default, self._default_speaker = self._chosen_default()
        return self._card(loaded)

    def warm_up(self) -> Request:
        return Request(parts=(self._default.sample,), output=Modality.SPEECH)

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
        for samples in voice.speak(text, speaker, self._slowness(request), seed % _SEEDS):
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
        if request.voice and request.voice != self._default.name:
            # The server has checked the name against the card.
            return self._named[request.voice]
        if request.voice:
            return self._default, self._default_speaker
        language = primary_language(request.language)
        if not language or primary_language(self._default.language) == language:
            return self._default, self._default_speaker
        tags: dict[str, LoadedVoice] = {}
        for voice in self._voices.values():
            tags.setdefault(voice.language, voice)
        # A voice whose files state no language may speak any.
        found = match_language(request.language, tags) or next((tag for tag in tags if tag == UNKNOWN_LANGUAGE), None)
        if found is None:
            raise ContractError(
                Reason.BAD_REQUEST,
                f"no voice speaks {request.language!r}, only {', '.join(tags)}: add one to the service's option voices",
            )
        return tags[found], None

    def _slowness(self, request: Request) -> float:
        """The factor on the voice's length_scale that gives about the requested rate."""
        rate = request.words_per_minute or self._options.words_per_minute
        if rate is None:
            return 1.0
        speed = speed_for(rate, OWN_WORDS_PER_MINUTE, _SPEEDS)
        # seconds = own seconds * (FIXED_LENGTH + (1 - FIXED_LENGTH) * slowness), solved for the slowness.
        return (1 / speed - FIXED_LENGTH) / (1 - FIXED_LENGTH)

    def _chosen_default(self) -> tuple[LoadedVoice, int | None]:
        # Also VOICE#SPEAKER, as the card lists it.
        name, wanted = self._options.voice or next(iter(self._voices)), self._options.speaker
        if name not in self._named:
            known = ", ".join(list(self._named)[:20])
            raise OptionsError(f"service {SERVICE}: option 'voice' is {name!r}: the option voices has {known}")
        voice, speaker = self._named[name]
        if wanted is None:
            return voice, speaker
        if speaker is not None:
            text = f"option 'speaker' is {wanted!r}, and option 'voice' is {name!r}, which names one too: remove one"
            raise OptionsError(f"service {SERVICE}: {text}")
        if isinstance(wanted, str) and wanted in voice.speakers:
            return voice, voice.speakers[wanted]
        if isinstance(wanted, int) and wanted in voice.speakers.values():
            return voice, wanted
        known = ", ".join(f"{each!r} (number {number})" for each, number in list(voice.speakers.items())[:20])
        raise OptionsError(
            f"service {SERVICE}: option 'speaker' is {wanted!r}: the voice {name} has"
            f" {len(voice.speakers) or 1} speaker(s): {known or 'no others'}"
        )

    def _card(self, loaded: Sequence[LoadedVoice]) -> Card:
        options = self._options
        hashes = {name: found for voice in loaded for name, found in voice.hashes.items()}
        speaker, tags = self._default_speaker, [voice.language for voice in loaded]
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
            languages=tuple(dict.fromkeys(tag for tag in tags if tag != UNKNOWN_LANGUAGE)),
            workers=options.workers,
            max_queue=options.max_queue,
            output_sample_rate_hz=self._sample_rate,
            max_text_chars=options.max_text_chars,
        )
