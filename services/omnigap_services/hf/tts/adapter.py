"""The `hf-tts` service: text in, the same text as speech out, at the model's own sample rate."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from omnigap.errors import ContractError
from omnigap.vocabulary import Condition, FinishReason, Modality, Reason
from omnigap_services.adapter import NATIVE, Adapter, Card, Completion, Request, Turn, Voice
from omnigap_services.audio import is_silent, match_language, speed_for
from omnigap_services.hf.tts.loading import LoadedVoice, load_voice
from omnigap_services.hf.tts.text import spell_out
from omnigap_services.hf.tts.voice import SERVICE, TtsOptions, Utterance
from omnigap_services.options import OptionsError, read_options
from omnigap_services.source import source_hash
from omnigap_services.torch_utils.generation import CancellationHook, GenerationCancelledError, seeded, split_on_oom
from omnigap_services.torch_utils.versions import let_torchvision_import

# Range of factors on the voice's own rate, as in `TtsOptions.speed`.
_SPEEDS = (0.2, 5.0)


class TtsAdapter(Adapter):
    """One TTS model of transformers; equal requests get equal samples, because each draws noise from its own seed."""

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._options = read_options(TtsOptions, SERVICE, options)

    @classmethod
    def build_tiny(cls, options: Mapping[str, object], folder: Path) -> dict[str, object]:
        let_torchvision_import()
        from omnigap_services.hf.tts.tiny import build

        return build(options, folder)

    def load(self) -> Card:
        self._loaded = load_voice(self._options)
        self._cancellation = CancellationHook(self._loaded.voice.model)
        voices = self._loaded.voice.voices
        if self._options.voice and self._options.voice not in voices:
            known = ", ".join(voices) or "no named voices"
            raise OptionsError(
                f"service {SERVICE}: option 'voice' is {self._options.voice!r}, but this model has {known}"
            )
        return self._card(self._loaded)

    def warm_up(self) -> Request:
        return Request(parts=(self._loaded.voice.warm_up_text,), output=Modality.SPEECH)

    def generate(self, batch: Sequence[Turn]) -> None:
        # One by one, see VoiceModel; split_on_oom then only maps the error of a text that does not fit into memory.
        for turn in batch:
            split_on_oom([turn], self._speak, lambda turn, error: turn.fail(error), option="the text's length")

    def _speak(self, turns: Sequence[Turn]) -> None:
        (turn,) = turns
        request, voice = turn.request, self._loaded.voice
        text = " ".join(request.texts)
        try:
            utterance = self._utterance(request, text)
            with seeded(self._seed(request)), self._cancellation.stop_when(lambda: turn.cancelled):
                waveform = voice.synthesise(utterance)
        except GenerationCancelledError:
            return
        except ContractError as error:
            turn.fail(error)
            return
        # A silent clip would be a carrier without a question.
        if is_silent(waveform.samples):
            turn.fail(ContractError(Reason.MODEL_ERROR, f"the audio for {text[:80]!r} is silent: use another seed"))
            return
        # The own text is the request's, not the spelt-out one.
        turn.write(text)
        turn.speak(waveform.samples, voice.sample_rate)
        turn.complete(Completion(finish_reason=FinishReason.LENGTH if waveform.truncated else FinishReason.STOP))

    def _utterance(self, request: Request, text: str) -> Utterance:
        language = self._language(request.language)
        if self._spells_out():
            try:
                text = spell_out(text, language)
            except LookupError as error:
                raise ContractError(Reason.BAD_REQUEST, str(error)) from error
        voices = self._loaded.voice.voices
        if request.voice and not voices:
            raise ContractError(
                Reason.BAD_REQUEST, f"the request names voice {request.voice!r}, but this model has no named voices"
            )
        # The server has checked the request's voice against the card.
        name = request.voice or self._options.voice or (voices[0] if voices else "")
        return Utterance(text, name, language, self._speed(request.words_per_minute))

    def _spells_out(self) -> bool:
        if self._options.spell_out == "auto":
            return self._loaded.voice.letters_only
        return self._options.spell_out == "yes"

    def _language(self, requested: str) -> str:
        if not requested:
            return self._options.languages[0]
        if (found := match_language(requested, self._options.languages)) is not None:
            return found
        spoken = ", ".join(self._options.languages)
        raise ContractError(
            Reason.BAD_REQUEST, f"the voice speaks {spoken}, not {requested!r}: set languages, or use another voice"
        )

    def _speed(self, words_per_minute: float | None) -> float:
        if words_per_minute is None:
            return self._options.speed
        own = self._options.words_per_minute
        if not self._loaded.voice.supports_speed:
            text = f"words_per_minute is {words_per_minute:g}, but this voice has one rate: leave it unset"
            raise ContractError(Reason.BAD_REQUEST, text)
        if not own:
            text = (
                f"words_per_minute is {words_per_minute:g}, but the voice's own rate is unknown: set words_per_minute"
            )
            raise ContractError(Reason.BAD_REQUEST, f"{text} in the service's options")
        return speed_for(words_per_minute, own, _SPEEDS)

    def _seed(self, request: Request) -> int:
        requested = request.decoding.seed
        return self._options.seed if requested is None else requested

    def _card(self, loaded: LoadedVoice) -> Card:
        options, voice = self._options, loaded.voice
        # num2words chooses the words that are read, so its version is in the digest if it is used.
        spelling = ("num2words",) if self._spells_out() else ()
        return Card(
            name=options.name or loaded.weights.name,
            conditions={Condition(Modality.TEXT, Modality.SPEECH): NATIVE},
            weights_revision=loaded.weights.revision,
            weights_source=loaded.weights.source,
            settings={
                **voice.settings,
                **loaded.placement.settings(),
                "code.torch_utils": source_hash("omnigap_services.torch_utils"),
                "family": loaded.model_type,
                "allow_missing_weights": json.dumps(options.allow_missing_weights),
                "voice": options.voice,
                "languages": ",".join(options.languages),
                "seed": str(options.seed),
                "speed": str(options.speed),
                "words_per_minute": str(options.words_per_minute),
                "spell_out": str(self._spells_out()),
            },
            libraries=("torch", "transformers", "tokenizers", *voice.libraries, *spelling),
            voices=tuple(Voice(name, options.languages[0]) for name in voice.voices),
            languages=options.languages,
            max_queue=options.max_queue,
            output_sample_rate_hz=voice.sample_rate,
            max_text_chars=options.max_text_chars,
        )
