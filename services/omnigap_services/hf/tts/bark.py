"""Bark: three models one after the other, in the voice of a preset that its checkpoint brings."""

from __future__ import annotations

import json
from typing import Any

import torch

from omnigap_services.hf.tts.options import SERVICE, TtsOptions
from omnigap_services.hf.tts.voice import Line, Sound, VoiceModel, mono
from omnigap_services.options import OptionsError
from omnigap_services.torch_models.device import Placement
from omnigap_services.torch_models.revision import Weights


class BarkVoice(VoiceModel):
    """Bark draws all its tokens; without a preset every seed is another speaker."""

    def __init__(self, weights: Weights, options: TtsOptions, placement: Placement) -> None:
        from transformers import BarkModel, BarkProcessor

        self.model = BarkModel.from_pretrained(weights.folder, dtype=placement.torch_dtype).eval().to(placement.device)
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
        self.facts = {
            "generate": json.dumps(self._generate, sort_keys=True),
            "presets": json.dumps(self._presets, sort_keys=True),
        }

    def speak(self, line: Line) -> Sound:
        inputs = self._processor(line.text, voice_preset=self._presets.get(line.voice), return_tensors="pt")
        with torch.inference_mode():
            made = self.model.generate(**_moved(dict(inputs), self.model.device), **self._generate)
        return Sound(mono(made))


def _moved(value: Any, device: Any) -> Any:
    """Tensors on the device, also within the preset's own table."""
    if isinstance(value, torch.Tensor):
        return value.to(device)
    if hasattr(value, "items"):
        return {name: _moved(inner, device) for name, inner in value.items()}
    return value
