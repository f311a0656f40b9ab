"""Bark: three models one after the other, in the voice of a preset that its checkpoint brings."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_services.hf.tts.voice import SERVICE, TtsOptions, Utterance, VoiceModel, Waveform, mono
from omnigap_services.options import OptionsError
from omnigap_services.torch_utils.checkpoint import Weights, content_hash, load_whole
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

    def speak(self, line: Utterance) -> Waveform:
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
        return Waveform(samples, cut=tokens >= self._longest)


def _moved(value: Any, device: Any) -> Any:
    """Tensors on the device, also within the preset's own table."""
    if isinstance(value, torch.Tensor):
        return value.to(device)
    if hasattr(value, "items"):
        return {name: _moved(inner, device) for name, inner in value.items()}
    return value


# Every other voice of transformers, driven by its own text-to-audio pipeline: CSM, Dia, SeamlessM4T and so on.

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

    def speak(self, line: Utterance) -> Waveform:
        speaker = self._voices.get(line.voice, "")
        text = _MARKS[self._type].format(speaker, line.text) if self._type in _MARKS and speaker else line.text
        with torch.inference_mode():
            made = self._pipe(text, generate_kwargs={**self._generate, **self._numbered(speaker)})
        samples = mono(made["audio"])
        longest = _most_frames(self._pipe, self._generate, self._type) if self._frame else 0
        return Waveform(samples, cut=bool(longest) and round(len(samples) / self._frame) >= longest)

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
