"""TTS models that generate audio tokens: Bark, and all others through the library's text-to-audio pipeline."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import try_to_load_from_cache

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_services.hf.tts.voice import SERVICE, TtsOptions, Utterance, VoiceModel, Waveform, mono
from omnigap_services.options import OptionsError
from omnigap_services.torch_utils.checkpoint import Weights, load_whole
from omnigap_services.torch_utils.device import Placement

# Dialogue models take the speaker as a mark before the text.
_SPEAKER_MARKS = {"csm": "[{}]{}", "dia": "[{}] {}"}
_DEFAULT_SPEAKERS = {"csm": ("0",), "dia": ("S1",)}

# Models with numbered speakers; the language is set with generate = { tgt_lang = "eng" }.
_NUMBERED = ("seamless_m4t", "seamless_m4t_v2")

# Tolerance, in semantic tokens, for the division of samples by the token rate.
_ROUNDING = 0.01


class BarkVoice(VoiceModel):
    """Bark samples its tokens, in three models one after another; without a preset every seed is another speaker."""

    used_options = frozenset({"generate", "max_new_tokens"})

    def __init__(self, weights: Weights, options: TtsOptions, placement: Placement) -> None:
        from transformers import BarkModel, BarkProcessor

        self.model = self.load_model(BarkModel, weights, options, placement)
        self._processor = BarkProcessor.from_pretrained(weights.folder)
        self.sample_rate = int(self.model.generation_config.sample_rate)
        # The table of presets also holds the path of their files.
        available = [name for name in self._processor.speaker_embeddings or () if name != "repo_or_path"]
        if unknown := sorted(set(options.voices.values()) - set(available)):
            raise OptionsError(
                f"service {SERVICE}: option 'voices' names the presets {', '.join(unknown)}, but the checkpoint has"
                f" {', '.join(available) or 'none'}"
            )
        self._presets = dict(options.voices) or {name: name for name in available}
        self.voices = tuple(self._presets)
        self._generate = dict(options.generate)
        if options.max_new_tokens:
            # The semantic model decides the length; the coarse and fine models follow it.
            self._generate["semantic_max_new_tokens"] = options.max_new_tokens
        semantic = self.model.generation_config.semantic_config
        self._max_text_tokens = int(semantic["max_input_semantic_length"])
        self._max_new_tokens = int(self._generate.get("semantic_max_new_tokens") or semantic["max_new_tokens"])
        self._tokens_per_s = float(semantic["semantic_rate_hz"])
        self.settings = {
            "generate": json.dumps(self._generate, sort_keys=True),
            "presets": json.dumps(self._presets, sort_keys=True),
        }

    def synthesise(self, utterance: Utterance) -> Waveform:
        inputs = self._processor(utterance.text, voice_preset=self._presets.get(utterance.voice), return_tensors="pt")
        if (count := int(inputs["attention_mask"].sum())) > self._max_text_tokens:
            # The model would silently drop the rest.
            text = f"the text has {count} tokens, and the voice takes {self._max_text_tokens}: shorten it"
            raise ContractError(Reason.TOO_LARGE, text)
        with torch.inference_mode():
            output = self.model.generate(**_to_device(dict(inputs), self.model.device), **self._generate)
        samples = mono(output)
        # `generate` does not say why it ended, so the number of tokens is derived from the length. Rounded up: the
        # codec's frames are longer than a semantic token, so the last token may be covered by half.
        tokens = math.ceil(len(samples) / self.sample_rate * self._tokens_per_s - _ROUNDING)
        return Waveform(samples, truncated=tokens >= self._max_new_tokens)


def _to_device(value: Any, device: Any) -> Any:
    """Moves tensors, also those in the nested table of a voice preset."""
    if isinstance(value, torch.Tensor):
        return value.to(device)
    if hasattr(value, "items"):
        return {name: _to_device(inner, device) for name, inner in value.items()}
    return value


class PipelineVoice(VoiceModel):
    """Any TTS model that the library's text-to-audio pipeline supports: CSM, Dia, SeamlessM4T and others."""

    used_options = frozenset({"generate", "max_new_tokens"})

    def __init__(self, weights: Weights, options: TtsOptions, placement: Placement, model_type: str) -> None:
        from transformers import AutoModelForTextToWaveform, DiaForConditionalGeneration, pipeline

        model_class = DiaForConditionalGeneration if model_type == "dia" else AutoModelForTextToWaveform
        # Not by the pipeline, which does not report missing weights.
        self.model = self.load_model(model_class, weights, options, placement)
        folder = str(weights.folder)
        self._pipeline = pipeline(
            "text-to-audio",
            model=self.model,
            tokenizer=folder,
            processor=folder,
            dtype=placement.torch_dtype,
            device=torch.device(placement.device),
        )
        self._type = model_type
        if not self._pipeline.sampling_rate:
            raise OptionsError(f"service {SERVICE}: option 'model': the pipeline has no sample rate for {model_type}")
        self.sample_rate = int(self._pipeline.sampling_rate)
        if options.voices and model_type not in _SPEAKER_MARKS and model_type not in _NUMBERED:
            raise OptionsError(f"service {SERVICE}: option 'voices' is set, but {model_type} has no named speakers")
        self._speakers = dict(options.voices) or {mark: mark for mark in _DEFAULT_SPEAKERS.get(model_type, ())}
        self.voices = tuple(self._speakers)
        self._generate = dict(options.generate)
        if options.max_new_tokens:
            self._generate["max_new_tokens"] = options.max_new_tokens
        self._samples_per_step = _samples_per_step(self._pipeline, self.sample_rate)
        self.settings = {
            "pipeline": "text-to-audio",
            "generate": json.dumps(self._generate, sort_keys=True),
            "speakers": json.dumps(self._speakers, sort_keys=True),
            **_codec_revision(self._pipeline, options),
        }

    def synthesise(self, utterance: Utterance) -> Waveform:
        speaker = self._speakers.get(utterance.voice, "")
        text = utterance.text
        if self._type in _SPEAKER_MARKS and speaker:
            text = _SPEAKER_MARKS[self._type].format(speaker, text)
        numbered = {"speaker_id": int(speaker)} if self._type in _NUMBERED and speaker else {}
        with torch.inference_mode():
            output = self._pipeline(text, generate_kwargs={**self._generate, **numbered})
        samples = mono(output["audio"])
        limit = _max_steps(self._pipeline, self._generate, self._type) if self._samples_per_step else 0
        return Waveform(samples, truncated=bool(limit) and round(len(samples) / self._samples_per_step) >= limit)


def _samples_per_step(pipe: Any, sample_rate: int) -> float:
    """Samples that one generation step adds, from the codec's config; 0 if it is not known."""
    # Dia's codec is part of the processor, CSM's of the model.
    codec = getattr(getattr(pipe, "processor", None), "audio_tokenizer", None)
    if codec is not None:
        return float(codec.config.hop_length)
    codec = getattr(pipe.model, "codec_model", None)
    rate = getattr(getattr(codec, "config", None), "frame_rate", None)
    return sample_rate / float(rate) if rate else 0.0


def _max_steps(pipe: Any, generate: Mapping[str, Any], model_type: str) -> int:
    """Codec frames of an utterance that reached its limit; 0 if the limit also counts the text.

    The limit is that of the options, else of the checkpoint's generation config, else of the pipeline.
    """
    own = pipe.model.generation_config
    tokens, length = generate.get("max_new_tokens"), generate.get("max_length")
    if not tokens and not length:
        tokens, length = own.max_new_tokens, own.max_length
    if not tokens and not length:
        tokens = pipe._default_generation_config.max_new_tokens
    if model_type == "dia":
        # Dia delays its codebooks, which therefore end one after another; and its first step, with max_length the first
        # two, makes no frame.
        return int(tokens - max(pipe.model.config.delay_pattern) - 1 if tokens else (length or 0) - 2)
    return int(tokens or 0)


def _codec_revision(pipe: Any, options: TtsOptions) -> dict[str, str]:
    """The revision of a codec that lives in another checkpoint, which the processor of Dia names.

    Raises:
        OptionsError: that checkpoint lacks weights, or is not in the hub's cache.
    """
    codec = getattr(getattr(pipe, "processor", None), "audio_tokenizer", None)
    if codec is None:
        return {}
    name, commit = str(codec.config._name_or_path), getattr(codec.config, "_commit_hash", None)
    config = try_to_load_from_cache(name, "config.json", revision=commit) if commit else str(Path(name, "config.json"))
    if not isinstance(config, str):
        raise OptionsError(
            f"service {SERVICE}: option 'model': its codec {name} at {commit} is not in the hub's cache: download it"
            f" with hf download {name} --revision {commit}"
        )
    weights = Weights.of(Path(config).parent, name, commit or "")
    # The processor has loaded it without a check for missing weights, so it is loaded once more for that check.
    load_whole(
        type(codec).from_pretrained,
        weights,
        SERVICE,
        "model",
        options.allow_missing_weights,
    )
    return {"codec": weights.revision}
