"""Finds the voice's family by its config, and loads it."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from omnigap_services.hf.tts.voice import SERVICE, TtsOptions, VoiceModel
from omnigap_services.options import OptionsError
from omnigap_services.torch_utils.checkpoint import Weights, find_weights
from omnigap_services.torch_utils.device import Placement, place
from omnigap_services.torch_utils.versions import check_transformers, let_torchvision_import

_log = logging.getLogger(__name__)

_NO_VOICES = {
    "musicgen": "it makes music, and does not say the text",
    "musicgen_melody": "it makes music, and does not say the text",
    "qwen2_5_omni": "it answers questions: serve it with `omnigap-serve qwen-omni`",
    "qwen3_omni_moe": "it answers questions: serve it with `omnigap-serve qwen-omni`",
    "fastspeech2_conformer": "it makes spectrograms: take the checkpoint with its vocoder inside, ..._with_hifigan",
}

_NOT_EVERYONES = ("speed", "vocoder", "vocoder_revision", "generate", "max_new_tokens")


@dataclass(frozen=True, slots=True)
class LoadedVoice:
    """A voice, and which one it is."""

    voice: VoiceModel
    weights: Weights
    placement: Placement
    model_type: str


def load_voice(options: TtsOptions) -> LoadedVoice:
    """Loads the voice of the options.

    Raises:
        OptionsError: for weights that are not there, and for a model that is no voice.
        VersionError: for a version of transformers that the code does not know.
    """
    check_transformers(SERVICE)
    weights = find_weights(SERVICE, "model", options.model, options.revision)
    let_torchvision_import()
    import transformers
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_TEXT_TO_WAVEFORM_MAPPING_NAMES

    model_type = str(AutoConfig.from_pretrained(weights.folder).model_type)
    if model_type in _NO_VOICES:
        raise OptionsError(f"service {SERVICE}: option 'model' is a {model_type}: {_NO_VOICES[model_type]}")
    if options.device_map:
        raise OptionsError(f"service {SERVICE}: option 'device_map' is set: a voice fits one device, leave it out")
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
    elif model_type in MODEL_FOR_TEXT_TO_WAVEFORM_MAPPING_NAMES or model_type == "dia":
        from omnigap_services.hf.tts.generative import PipelineVoice

        voice = PipelineVoice(weights, options, placement, model_type)
    else:
        known = ", ".join(sorted({*MODEL_FOR_TEXT_TO_WAVEFORM_MAPPING_NAMES, "speecht5", "dia"} - set(_NO_VOICES)))
        raise OptionsError(
            f"service {SERVICE}: option 'model' is a {model_type}, which is no voice of transformers"
            f" {transformers.__version__}: one of {known}"
        )
    _check_uses(options, voice, model_type)
    _log.info("%s is a %s at %d Hz on %s", weights.name, model_type, voice.sample_rate, placement.device)
    return LoadedVoice(voice, weights, placement, model_type)


def _check_uses(options: TtsOptions, voice: VoiceModel, model_type: str) -> None:
    """Raises OptionsError for what is set and would change nothing: the digest would tell of a sound that is not."""
    for name in _NOT_EVERYONES:
        asked = getattr(options, name)
        if name not in voice.takes and asked != TtsOptions.model_fields[name].get_default(call_default_factory=True):
            raise OptionsError(
                f"service {SERVICE}: option {name!r} is {asked!r}, but a {model_type} has no use for it: leave it out"
            )
