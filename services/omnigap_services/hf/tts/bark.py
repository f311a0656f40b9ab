"""Bark: three models one after the other, in the voice of a preset that its checkpoint brings."""

from __future__ import annotations

import json
import math
from typing import Any

import torch

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_services.hf.tts.options import SERVICE, TtsOptions
from omnigap_services.hf.tts.voice import Line, Sound, VoiceModel, mono
from omnigap_services.options import OptionsError
from omnigap_services.torch_utils.checkpoint import Weights
from omnigap_services.torch_utils.device import Placement

_ROUNDING = 0.01


class BarkVoice(VoiceModel):
    """Bark draws all its tokens; without a preset every seed is another speaker."""

    takes = frozenset({"generate", "max_new_tokens"})

    def __init__(self, weights: Weights, options: TtsOptions, placement: Placement) -> None:
        from transformers import BarkModel, BarkProcessor

        self.model = self.loaded(BarkModel, weights, options, placement)
        self._processor = BarkProcessor.from_pretrained(weights.folder)
        self.sample_rate = int(self.model.generation_config.sample_rate)
        brought = [name for name in self._processor.speaker_embeddings or () if name != "repo_or_path"]
        if strange := sorted(set(options.voices.values()) - set(brought)):
            raise OptionsError(
                f"service {SERVICE}: option 'voices' names the presets {', '.join(strange)}, but the checkpoint brings"
                f" {', '.join(brought) or 'none'}"
            )
        self._presets = dict(options.voices) or {name: name for name in brought}
        self.voices = tuple(self._presets)
        self._generate = dict(options.generate)
        if options.max_new_tokens:
            self._generate["semantic_max_new_tokens"] = options.max_new_tokens
        semantic = self.model.generation_config.semantic_config
        self._most_read = int(semantic["max_input_semantic_length"])
        self._longest = int(self._generate.get("semantic_max_new_tokens") or semantic["max_new_tokens"])
        self._tokens_per_s = float(semantic["semantic_rate_hz"])
        self.facts = {
            "generate": json.dumps(self._generate, sort_keys=True),
            "presets": json.dumps(self._presets, sort_keys=True),
        }

    def speak(self, line: Line) -> Sound:
        inputs = self._processor(line.text, voice_preset=self._presets.get(line.voice), return_tensors="pt")
        if (count := int(inputs["attention_mask"].sum())) > self._most_read:
            # The model would leave out the rest without a word.
            told = f"the text has {count} tokens, and the voice reads {self._most_read}: shorten it"
            raise ContractError(Reason.TOO_LARGE, told)
        with torch.inference_mode():
            made = self.model.generate(**_moved(dict(inputs), self.model.device), **self._generate)
        samples = mono(made)
        # Its codec's frames are longer than its tokens, so that the last token may be half there.
        tokens = math.ceil(len(samples) / self.sample_rate * self._tokens_per_s - _ROUNDING)
        return Sound(samples, cut=tokens >= self._longest)


def _moved(value: Any, device: Any) -> Any:
    """Tensors on the device, also within the preset's own table."""
    if isinstance(value, torch.Tensor):
        return value.to(device)
    if hasattr(value, "items"):
        return {name: _moved(inner, device) for name, inner in value.items()}
    return value
