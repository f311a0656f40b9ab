"""Chooses the family of a TTS model by the checkpoint's config, and loads it."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from omnigap_services.hf.tts.voice import SERVICE, TtsOptions, VoiceModel
from omnigap_services.options import OptionsError
from omnigap_services.torch_utils.checkpoint import Weights, find_weights
from omnigap_services.torch_utils.device import Placement, place
from omnigap_services.torch_utils.versions import check_transformers, let_torchvision_import

_log = logging.getLogger(__name__)

# Audio models of transformers that do not read a text aloud on their own, and what to do instead.
_NOT_TTS = {
    "musicgen": "it makes music and does not say the text",
    "musicgen_melody": "it makes music and does not say the text",
    "qwen2_5_omni": "it answers questions: serve it with `omnigap-serve qwen-omni`",
    "qwen3_omni_moe": "it answers questions: serve it with `omnigap-serve qwen-omni`",
    "fastspeech2_conformer": "it makes spectrograms: use the checkpoint that includes its vocoder, ..._with_hifigan",
}

# Options that only some families use, see `_check_used_options`.
_FAMILY_OPTIONS = ("speed", "vocoder", "vocoder_revision", "generate", "max_new_tokens")


@dataclass(frozen=True, slots=True)
class LoadedVoice:
    """A TTS model with its weights' revision and its placement."""

    voice: VoiceModel
    weights: Weights
    placement: Placement
    model_type: str


def load_voice(options: TtsOptions) -> LoadedVoice:
    """Loads the model of the options.

    Raises:
        OptionsError: the weights are missing, the model is not a TTS model, or an option does not apply to it.
        VersionError: an unsupported version of transformers.
    """
    check_transformers(SERVICE)
    weights = find_weights(SERVICE, "model", options.model, options.revision)
    # Before transformers: its imports of torchvision would fail next to a CPU build of torch.
    let_torchvision_import()
    import transformers
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_TEXT_TO_WAVEFORM_MAPPING_NAMES

    model_type = str(AutoConfig.from_pretrained(weights.folder).model_type)
    if model_type in _NOT_TTS:
        raise OptionsError(f"service {SERVICE}: option 'model' is a {model_type}: {_NOT_TTS[model_type]}")
    if options.device_map:
        raise OptionsError(f"service {SERVICE}: option 'device_map' is set, but a TTS model fits one device: remove it")
    placement = place(options, SERVICE, flash_possible=False)
    voice: VoiceModel
    if model_type == "vits":
        from omnigap_services.hf.tts.vits import VitsVoice

        voice = VitsVoice(weights, options, placement)
    elif model_type == "speecht5":
        from omnigap_services.hf.tts.speecht5 import SpeechT5Voice

        voice = SpeechT5Voice(weights, options, placement)
    elif model_type == "bark":
        from omnigap_services.hf.tts.generative import BarkVoice

        voice = BarkVoice(weights, options, placement)
    # Dia is not in the mapping, though the pipeline supports it.
    elif model_type in MODEL_FOR_TEXT_TO_WAVEFORM_MAPPING_NAMES or model_type == "dia":
        from omnigap_services.hf.tts.generative import PipelineVoice

        voice = PipelineVoice(weights, options, placement, model_type)
    else:
        known = ", ".join(sorted({*MODEL_FOR_TEXT_TO_WAVEFORM_MAPPING_NAMES, "speecht5", "dia"} - set(_NOT_TTS)))
        raise OptionsError(
            f"service {SERVICE}: option 'model' is a {model_type}, which is not a TTS model of transformers"
            f" {transformers.__version__}: use one of {known}"
        )
    _check_used_options(options, voice, model_type)
    _log.info("%s is a %s at %d Hz on %s", weights.name, model_type, voice.sample_rate, placement.device)
    return LoadedVoice(voice, weights, placement, model_type)


def _check_used_options(options: TtsOptions, voice: VoiceModel, model_type: str) -> None:
    """Refuses options that the family ignores: the digest would change although the audio stays the same."""
    for name in _FAMILY_OPTIONS:
        value = getattr(options, name)
        default = TtsOptions.model_fields[name].get_default(call_default_factory=True)
        if name not in voice.used_options and value != default:
            raise OptionsError(
                f"service {SERVICE}: option {name!r} is {value!r}, but a {model_type} does not use it: remove it"
            )
