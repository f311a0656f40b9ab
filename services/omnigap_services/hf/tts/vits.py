"""VITS: MMS-TTS in about a thousand languages, and checkpoints with numbered speakers."""

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
    """VITS reads letters (or phonemes, with the package phonemizer), and draws durations and timbre from noise."""

    supports_speed = True
    used_options = frozenset({"speed"})

    def __init__(self, weights: Weights, options: TtsOptions, placement: Placement) -> None:
        from transformers import AutoTokenizer, VitsModel

        self.model = self.load_model(VitsModel, weights, options, placement)
        self._tokenizer = AutoTokenizer.from_pretrained(weights.folder)
        config = self.model.config
        self.sample_rate = int(config.sampling_rate)
        self.letters_only = not self._tokenizer.phonemize
        self._romaniser = None
        self._speakers = _speakers(options, int(config.num_speakers))
        self.voices = tuple(self._speakers)
        self._letters = frozenset(self._tokenizer.encoder) - {self._tokenizer.pad_token, self._tokenizer.unk_token}
        if self.letters_only:
            # From the checkpoint's own alphabet: "Hello." has no letters of, say, a Cyrillic one.
            self.warm_up_text = "".join(sorted(letter for letter in self._letters if letter.isalpha())[:5])
        self._own_rate = float(config.speaking_rate)
        self.settings = {
            "speakers": json.dumps(self._speakers, sort_keys=True),
            **{name: str(getattr(config, name)) for name in ("noise_scale", "noise_scale_duration", "speaking_rate")},
        }
        # Both libraries change what is read, so their versions are in the digest.
        if self._tokenizer.phonemize:
            self.settings["espeak"] = _espeak_version()
            self.libraries = (_distribution_of("phonemizer"),)
        elif self._tokenizer.is_uroman:
            self._romaniser = _load_uroman()
            self.libraries = (_distribution_of("uroman"),)

    def synthesise(self, utterance: Utterance) -> Waveform:
        inputs = self._tokenizer(self._text(utterance.text), return_tensors="pt")
        if not inputs["input_ids"].shape[1] or not self._has_letters(inputs["input_ids"]):
            raise ContractError(Reason.BAD_REQUEST, f"there is nothing to say in {utterance.text[:80]!r}: send words")
        # The attribute works in every supported version; the argument of the same name is newer.
        self.model.speaking_rate = self._own_rate * utterance.speed
        speaker: dict[str, Any] = {"speaker_id": self._speakers[utterance.voice]} if self._speakers else {}
        with torch.inference_mode():
            output = self.model(**inputs.to(self.model.device), **speaker)
        length = int(output.sequence_lengths[0])
        return Waveform(mono(output.waveform[0, :length]))

    def _has_letters(self, ids: torch.Tensor) -> bool:
        # With `add_blank` the tokenizer puts a blank (id 0) between all letters, also if no letter is left.
        return bool((ids != 0).any()) if self._tokenizer.add_blank else True

    def _text(self, text: str) -> str:
        tokenizer = self._tokenizer
        if tokenizer.phonemize:
            return text
        # The tokenizer romanises as well, but only after the check of the alphabet, which would refuse the script.
        if self._romaniser is not None and not text.isascii():
            text = str(self._romaniser.romanize_string(text))
        if tokenizer.normalize:
            text = tokenizer.normalize_text(text)
        return fit_to_alphabet(text, lambda character: character in self._letters)


def _load_uroman() -> Any:
    """Converter to Latin letters, for checkpoints that were trained on romanised text.

    Raises:
        OptionsError: uroman is not installed.
    """
    try:
        return importlib.import_module("uroman").Uroman()
    except ImportError as error:
        raise OptionsError(
            f"service {SERVICE}: option 'model': this voice was trained on romanised text: pip install uroman, which"
            " converts it"
        ) from error


def _espeak_version() -> str:
    """Version of the espeak library that phonemizer uses, as "1.52.0".

    Raises:
        OptionsError: phonemizer or espeak is not installed.
    """
    try:
        version = importlib.import_module("phonemizer.backend").EspeakBackend.version()
    except (ImportError, RuntimeError) as error:
        raise OptionsError(
            f"service {SERVICE}: option 'model': this voice was trained on phonemes: pip install phonemizer, and"
            f" install espeak-ng, which it needs ({error})"
        ) from error
    return ".".join(map(str, version))


def _distribution_of(module: str) -> str:
    """The installed distribution that provides a module; a fork (phonemizer-fork) has another name than the module."""
    return metadata.packages_distributions().get(module, [module])[0]


def _speakers(options: TtsOptions, count: int) -> dict[str, int]:
    """Speaker numbers by name; empty for a model of one speaker.

    Raises:
        OptionsError: `voices` does not fit the number of speakers.
    """
    if count <= 1:
        if options.voices:
            raise OptionsError(f"service {SERVICE}: option 'voices' is set, but this model has one speaker: remove it")
        return {}
    if not options.voices:
        return {str(number): number for number in range(count)}
    found = {}
    for name, number in options.voices.items():
        if not number.isdigit() or int(number) >= count:
            raise OptionsError(
                f"service {SERVICE}: option 'voices' gives {name} the speaker {number!r}: use 0 to {count - 1}"
            )
        found[name] = int(number)
    return found
