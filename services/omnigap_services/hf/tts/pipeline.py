"""Every other voice of transformers, driven by its own text-to-audio pipeline: CSM, Dia, SeamlessM4T and so on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from omnigap_services.hf.tts.options import SERVICE, TtsOptions
from omnigap_services.hf.tts.voice import Line, Sound, VoiceModel, mono
from omnigap_services.options import OptionsError
from omnigap_services.torch_utils.checkpoint import Weights, content_hash, load_whole
from omnigap_services.torch_utils.device import Placement

# Families that speak in turns take their speaker as a mark before the text.
_MARKS = {"csm": "[{}]{}", "dia": "[{}] {}"}
_DEFAULT_MARKS = {"csm": ("0",), "dia": ("S1",)}

# Families that take a speaker's number; their language is set by generate = { tgt_lang = "eng" }.
_NUMBERED = ("seamless_m4t", "seamless_m4t_v2")


class PipelineVoice(VoiceModel):
    """A voice that the library's pipeline knows how to drive."""

    takes = frozenset({"generate", "max_new_tokens"})

    def __init__(self, weights: Weights, options: TtsOptions, placement: Placement, model_type: str) -> None:
        from transformers import AutoModelForTextToWaveform, DiaForConditionalGeneration, pipeline

        kind = DiaForConditionalGeneration if model_type == "dia" else AutoModelForTextToWaveform
        # Loaded here: the pipeline would not say what the checkpoint lacks.
        self.model = self.loaded(kind, weights, options, placement)
        folder = str(weights.folder)
        self._pipe = pipeline(
            "text-to-audio",
            model=self.model,
            tokenizer=folder,
            processor=folder,
            dtype=placement.torch_dtype,
            device=torch.device(placement.device),
        )
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
        self._frame = _samples_of_a_frame(self._pipe, self.sample_rate)
        self.facts = {
            "pipeline": "text-to-audio",
            "generate": json.dumps(self._generate, sort_keys=True),
            "speakers": json.dumps(self._voices, sort_keys=True),
            **_codec_beside(self._pipe, options),
        }

    def speak(self, line: Line) -> Sound:
        speaker = self._voices.get(line.voice, "")
        text = _MARKS[self._type].format(speaker, line.text) if self._type in _MARKS and speaker else line.text
        with torch.inference_mode():
            made = self._pipe(text, generate_kwargs={**self._generate, **self._numbered(speaker)})
        samples = mono(made["audio"])
        longest = _most_frames(self._pipe, self._generate, self._type) if self._frame else 0
        return Sound(samples, cut=bool(longest) and round(len(samples) / self._frame) >= longest)

    def _numbered(self, speaker: str) -> dict[str, Any]:
        return {"speaker_id": int(speaker)} if self._type in _NUMBERED and speaker else {}


def _samples_of_a_frame(pipe: Any, sample_rate: int) -> float:
    """Samples of sound that one step of the model makes, where its codec tells; else 0."""
    beside = getattr(getattr(pipe, "processor", None), "audio_tokenizer", None)
    if beside is not None:
        return float(beside.config.hop_length)
    codec = getattr(pipe.model, "codec_model", None)
    rate = getattr(getattr(codec, "config", None), "frame_rate", None)
    return sample_rate / float(rate) if rate else 0.0


def _most_frames(pipe: Any, generate: Mapping[str, Any], model_type: str) -> int:
    """Frames of a line that was cut off at its limit, whoever set that; 0 where the text's length has a part in it."""
    own = pipe.model.generation_config
    tokens, length = generate.get("max_new_tokens"), generate.get("max_length")
    if not tokens and not length:
        tokens, length = own.max_new_tokens, own.max_length
    if not tokens and not length:
        tokens = pipe._default_generation_config.max_new_tokens
    if model_type == "dia":
        # Its codebooks end one after the other, and a step at the beginning, with max_length two, makes no sound.
        return int(tokens - max(pipe.model.config.delay_pattern) - 1 if tokens else (length or 0) - 2)
    return int(tokens or 0)


def _codec_beside(pipe: Any, options: TtsOptions) -> dict[str, str]:
    """Which codec the processor took, for families such as Dia whose checkpoint names that of another checkpoint.

    Raises:
        OptionsError: where that one lacks weights.
    """
    codec = getattr(getattr(pipe, "processor", None), "audio_tokenizer", None)
    if codec is None:
        return {}
    name, commit = str(codec.config._name_or_path), getattr(codec.config, "_commit_hash", None)
    revision = f"{name}@{commit}" if commit else f"sha256:{content_hash(Path(name))}"
    # The processor has loaded it without a word about what it lacks: once more, to be told.
    load_whole(
        type(codec).from_pretrained,
        Weights(Path(name), name, revision),
        SERVICE,
        "model",
        options.allow_missing_weights,
        **({"revision": commit} if commit else {}),
    )
    return {"codec": revision}
