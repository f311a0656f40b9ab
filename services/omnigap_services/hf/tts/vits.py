"""VITS voices: MMS-TTS in a thousand languages, and others with speakers by number."""

from __future__ import annotations

import importlib
import json
from importlib import metadata
from typing import Any

import torch

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_services.hf.tts.text import fit_to_alphabet
from omnigap_services.hf.tts.voice import SERVICE, TtsOptions, Utterance, VoiceModel, Waveform, mono
from omnigap_services.options import OptionsError
from omnigap_services.torch_utils.checkpoint import Weights
from omnigap_services.torch_utils.device import Placement


class VitsVoice(VoiceModel):
    """VITS reads letters (or phonemes, with the package phonemizer) and draws durations and timbre from noise."""

    changes_speed = True
    takes = frozenset({"speed"})

    def __init__(self, weights: Weights, options: TtsOptions, placement: Placement) -> None:
        from transformers import AutoTokenizer, VitsModel

        self.model = self.loaded(VitsModel, weights, options, placement)
        self._tokenizer = AutoTokenizer.from_pretrained(weights.folder)
        config = self.model.config
        self.sample_rate = int(config.sampling_rate)
        self.reads_letters = not self._tokenizer.phonemize
        self._uroman = None
        self._speakers = _speakers(options, int(config.num_speakers))
        self.voices = tuple(self._speakers)
        self._letters = frozenset(self._tokenizer.encoder) - {self._tokenizer.pad_token, self._tokenizer.unk_token}
        if self.reads_letters:
            # Of its own alphabet, whatever the script; it has to say a few of them before anybody asks.
            self.trial = "".join(sorted(letter for letter in self._letters if letter.isalpha())[:5])
        self._own_speed = float(config.speaking_rate)
        self.facts = {
            "speakers": json.dumps(self._speakers, sort_keys=True),
            **{name: str(getattr(config, name)) for name in ("noise_scale", "noise_scale_duration", "speaking_rate")},
        }
        if self._tokenizer.phonemize:
            self.facts["espeak"] = _phonemizers_espeak()
            self.libraries = (_distribution_of("phonemizer"),)
        elif self._tokenizer.is_uroman:
            self._uroman = _uroman()
            self.libraries = (_distribution_of("uroman"),)

    def speak(self, line: Utterance) -> Waveform:
        inputs = self._tokenizer(self._text(line.text), return_tensors="pt")
        if not inputs["input_ids"].shape[1] or not self._says_something(inputs["input_ids"]):
            raise ContractError(Reason.BAD_REQUEST, f"there is nothing to say in {line.text[:80]!r}: send words")
        # The attribute is read by every version of the model; the argument of the same name is newer.
        self.model.speaking_rate = self._own_speed * line.speed
        speaker: dict[str, Any] = {"speaker_id": self._speakers[line.voice]} if self._speakers else {}
        with torch.inference_mode():
            output = self.model(**inputs.to(self.model.device), **speaker)
        length = int(output.sequence_lengths[0])
        return Waveform(mono(output.waveform[0, :length]))

    def _says_something(self, ids: Any) -> bool:
        """Blanks alone, which stand between all letters, say nothing."""
        return bool((ids != 0).any()) if self._tokenizer.add_blank else True

    def _text(self, text: str) -> str:
        tokenizer = self._tokenizer
        if tokenizer.phonemize:
            return text
        if self._uroman is not None and not text.isascii():
            text = str(self._uroman.romanize_string(text))
        if tokenizer.normalize:
            text = tokenizer.normalize_text(text)
        return fit_to_alphabet(text, lambda character: character in self._letters)


def _uroman() -> Any:
    """The writer of other scripts in Latin letters, which voices of such languages were trained on.

    Raises:
        OptionsError: where it is not installed.
    """
    try:
        return importlib.import_module("uroman").Uroman()
    except ImportError as error:
        raise OptionsError(
            f"service {SERVICE}: option 'model': this voice reads its language in Latin letters: pip install uroman,"
            " which writes them"
        ) from error


def _phonemizers_espeak() -> str:
    """Version of the espeak library that phonemizer writes phonemes with, as "1.52.0".

    Raises:
        OptionsError: where either is not there.
    """
    try:
        version = importlib.import_module("phonemizer.backend").EspeakBackend.version()
    except (ImportError, RuntimeError) as error:
        raise OptionsError(
            f"service {SERVICE}: option 'model': this voice was trained on phonemes: pip install phonemizer, and"
            f" install espeak-ng, which write them ({error})"
        ) from error
    return ".".join(map(str, version))


def _distribution_of(module: str) -> str:
    """Which installed distribution brings a module: forks bring it under its own name."""
    return metadata.packages_distributions().get(module, [module])[0]


def _speakers(options: TtsOptions, count: int) -> dict[str, int]:
    """Speaker numbers by name; none for a model of one speaker."""
    if count <= 1:
        if options.voices:
            raise OptionsError(
                f"service {SERVICE}: option 'voices' is set, but this model has one speaker: leave it out"
            )
        return {}
    if not options.voices:
        return {str(number): number for number in range(count)}
    found = {}
    for name, number in options.voices.items():
        if not number.isdigit() or int(number) >= count:
            raise OptionsError(
                f"service {SERVICE}: option 'voices' gives {name} the speaker {number!r}: 0 to {count - 1}"
            )
        found[name] = int(number)
    return found
