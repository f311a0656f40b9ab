"""The `hf-tts` service: a text in, the same text as speech out, at the voice's own rate."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from omnigap.errors import ContractError
from omnigap.vocabulary import Condition, FinishReason, Modality, Reason
from omnigap_services.adapter import NATIVE, Adapter, Card, Completion, Request, Turn, Voice
from omnigap_services.audio import is_silent, serving, speed_of
from omnigap_services.hf.tts.loading import LoadedVoice, load_voice
from omnigap_services.hf.tts.text import spell_out
from omnigap_services.hf.tts.voice import SERVICE, TtsOptions, Utterance
from omnigap_services.options import OptionsError, read_options
from omnigap_services.source import source_hash
from omnigap_services.torch_utils.generation import CancellationHook, GenerationCancelledError, seeded
from omnigap_services.torch_utils.oom import split_on_oom

_SPEEDS = (0.2, 5.0)


class TtsAdapter(Adapter):
    """One transformers voice. The same request gives the same samples: its noise is drawn from its own seed."""

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._set = read_options(TtsOptions, SERVICE, options)

    def load(self) -> Card:
        self._loaded = load_voice(self._set)
        self._watch = CancellationHook(self._loaded.voice.model)
        voices = self._loaded.voice.voices
        if self._set.voice and self._set.voice not in voices:
            known = ", ".join(voices) or "none by name"
            raise OptionsError(f"service {SERVICE}: option 'voice' is {self._set.voice!r}, but this model has {known}")
        return self._card(self._loaded)

    def warm_up(self) -> Request:
        return Request(parts=(self._loaded.voice.trial,), output=Modality.SPEECH)

    def generate(self, batch: Sequence[Turn]) -> None:
        for turn in batch:
            split_on_oom([turn], self._speak, lambda turn, error: turn.fail(error), largest="the text's length")

    def _speak(self, turns: Sequence[Turn]) -> None:
        (turn,) = turns
        request, voice = turn.request, self._loaded.voice
        text = " ".join(request.texts)
        try:
            line = self._line(request, text)
            with seeded(self._seed(request)), self._watch.over(lambda: turn.cancelled):
                sound = voice.speak(line)
        except GenerationCancelledError:
            return
        except ContractError as error:
            turn.fail(error)
            return
        if is_silent(sound.samples):
            turn.fail(ContractError(Reason.MODEL_ERROR, f"the voice made no sound of {text[:80]!r}: take another seed"))
            return
        turn.write(text)
        turn.speak(sound.samples, voice.sample_rate)
        turn.complete(Completion(finish_reason=FinishReason.LENGTH if sound.cut else FinishReason.STOP))

    def _line(self, request: Request, text: str) -> Utterance:
        language = self._language(request.language)
        if self._spells():
            try:
                text = spell_out(text, language)
            except LookupError as error:
                raise ContractError(Reason.BAD_REQUEST, str(error)) from error
        voices = self._loaded.voice.voices
        name = request.voice or self._set.voice or (voices[0] if voices else "")
        if request.voice and not voices:
            raise ContractError(
                Reason.BAD_REQUEST, f"voice {request.voice!r} is asked for, but this model has one voice without a name"
            )
        return Utterance(text, name, language, self._speed(request.words_per_minute))

    def _spells(self) -> bool:
        return self._loaded.voice.reads_letters if self._set.spell_out == "auto" else self._set.spell_out == "yes"

    def _spelling_libraries(self) -> tuple[str, ...]:
        return ("num2words",) if self._spells() else ()

    def _language(self, asked: str) -> str:
        if not asked:
            return self._set.languages[0]
        if (found := serving(asked, self._set.languages)) is not None:
            return found
        spoken = ", ".join(self._set.languages)
        raise ContractError(
            Reason.BAD_REQUEST, f"the voice speaks {spoken}, not {asked!r}: set languages, or take another voice"
        )

    def _speed(self, words_per_minute: float | None) -> float:
        if words_per_minute is None:
            return self._set.speed
        own = self._set.words_per_minute
        if not self._loaded.voice.changes_speed or not own:
            why = (
                "its rate is not known: set words_per_minute" if self._loaded.voice.changes_speed else "it has one rate"
            )
            text = f"words_per_minute is {words_per_minute:g}, but the voice cannot speak at a rate that is told: {why}"
            raise ContractError(Reason.BAD_REQUEST, text)
        return speed_of(words_per_minute, own, _SPEEDS)

    def _seed(self, request: Request) -> int:
        asked = request.decoding.seed
        return self._set.seed if asked is None else asked

    def _card(self, loaded: LoadedVoice) -> Card:
        options, voice = self._set, loaded.voice
        return Card(
            name=options.name or loaded.weights.name,
            conditions={Condition(Modality.TEXT, Modality.SPEECH): NATIVE},
            weights_revision=loaded.weights.revision,
            settings={
                **voice.facts,
                **loaded.placement.settings(),
                "code.torch_models": source_hash("omnigap_services.torch_utils"),
                "family": loaded.model_type,
                "allow_missing_weights": json.dumps(options.allow_missing_weights),
                "voice": options.voice,
                "languages": ",".join(options.languages),
                "seed": str(options.seed),
                "speed": str(options.speed),
                "words_per_minute": str(options.words_per_minute),
                "spell_out": str(self._spells()),
            },
            libraries=("torch", "transformers", "tokenizers", *voice.libraries, *self._spelling_libraries()),
            voices=tuple(Voice(name, options.languages[0]) for name in voice.voices),
            languages=options.languages,
            max_queue=options.max_queue,
            output_sample_rate_hz=voice.sample_rate,
            max_text_chars=options.max_text_chars,
        )
