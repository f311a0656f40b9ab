"""Every other voice of transformers, driven by its own text-to-audio pipeline: CSM, Dia, SeamlessM4T and so on."""

from __future__ import annotations

import json
from typing import Any

import torch

from omnigap_services.hf.tts.options import SERVICE, TtsOptions
from omnigap_services.hf.tts.voice import Line, Sound, VoiceModel, mono
from omnigap_services.options import OptionsError
from omnigap_services.torch_models.device import Placement
from omnigap_services.torch_models.revision import Weights

# Families that speak in turns take their speaker as a mark before the text.
_MARKS = {"csm": "[{}]{}", "dia": "[{}] {}"}
_DEFAULT_MARKS = {"csm": ("0",), "dia": ("S1",)}

# Families that take a speaker's number; their language is set by generate = { tgt_lang = "eng" }.
_NUMBERED = ("seamless_m4t", "seamless_m4t_v2")


class PipelineVoice(VoiceModel):
    """A voice that the library's pipeline knows how to drive."""

    def __init__(self, weights: Weights, options: TtsOptions, placement: Placement, model_type: str) -> None:
        from transformers import pipeline

        self._pipe = pipeline(
            "text-to-audio",
            model=str(weights.folder),
            dtype=placement.torch_dtype,
            device=torch.device(placement.device),
        )
        self.model = self._pipe.model
        self.model.eval()
        self._type = model_type
        if not self._pipe.sampling_rate:
            raise OptionsError(
                f"service {SERVICE}: option 'model': the pipeline does not tell the rate of {model_type}"
            )
        self.sample_rate = int(self._pipe.sampling_rate)
        takes_speaker = model_type in _MARKS or model_type in _NUMBERED
        if options.voices and not takes_speaker:
            raise OptionsError(f"service {SERVICE}: option 'voices' is set, but {model_type} has no speakers by name")
        self._voices = dict(options.voices) or {mark: mark for mark in _DEFAULT_MARKS.get(model_type, ())}
        self.voices = tuple(self._voices)
        self._generate = dict(options.generate)
        if options.max_new_tokens:
            self._generate["max_new_tokens"] = options.max_new_tokens
        self.facts = {
            "pipeline": "text-to-audio",
            "generate": json.dumps(self._generate, sort_keys=True),
            "speakers": json.dumps(self._voices, sort_keys=True),
        }

    def speak(self, line: Line) -> Sound:
        speaker = self._voices.get(line.voice, "")
        text = _MARKS[self._type].format(speaker, line.text) if self._type in _MARKS and speaker else line.text
        with torch.inference_mode():
            made = self._pipe(text, generate_kwargs={**self._generate, **self._numbered(speaker)})
        return Sound(mono(made["audio"]))

    def _numbered(self, speaker: str) -> dict[str, Any]:
        return {"speaker_id": int(speaker)} if self._type in _NUMBERED and speaker else {}
