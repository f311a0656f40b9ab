"""Loads a Qwen-Omni checkpoint: model, processor, decoding defaults, and the settings of the card."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnigap_services.options import OptionsError
from omnigap_services.qwen_omni.engine import Engine
from omnigap_services.qwen_omni.family import QWEN25, Family, family_of
from omnigap_services.qwen_omni.options import SERVICE, Defaults, QwenOmniOptions
from omnigap_services.qwen_omni.prompting import PromptBuilder
from omnigap_services.qwen_omni.talker import Talker
from omnigap_services.qwen_omni.talker_qwen3 import Qwen3Talker
from omnigap_services.qwen_omni.talker_qwen25 import Qwen25Talker
from omnigap_services.torch_utils.checkpoint import Weights, check_not_offloaded, find_weights, load_whole
from omnigap_services.torch_utils.device import Placement, place
from omnigap_services.torch_utils.versions import check_transformers, let_torchvision_import

_log = logging.getLogger(__name__)

SPEECH_SECONDS = 60
"""Longest speech of an answer if no option sets a limit."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that is ready to answer.

    Attributes:
        model: the whole model of transformers; the engine drives its parts.
        max_audio_s: longest clip that the processor does not cut, in seconds.
    """

    model: Any
    tokenizer: Any
    family: Family
    weights: Weights
    placement: Placement
    engine: Engine
    prompt_builder: PromptBuilder
    defaults: Defaults
    max_audio_s: float


def load(options: QwenOmniOptions) -> Loaded:
    """Loads the checkpoint that the options name.

    Raises:
        VersionError: an unsupported version of transformers.
        OptionsError: the checkpoint, some of its weights, the device or the speaker does not exist.
        ValueError: the checkpoint is of another kind of model.
    """
    version = check_transformers(SERVICE)
    weights = find_weights(SERVICE, "checkpoint", options.checkpoint, options.revision)
    family = family_of(_model_type(weights.folder))
    # The processors need a video processor, which imports torchvision.
    let_torchvision_import()
    placement = place(options, SERVICE)
    _log.info("transformers %s, %s on %s in %s", version, weights.revision, placement.device, placement.dtype)
    model = _load_model(options, weights, family, placement)
    processor = _load_processor(weights.folder)
    talker = _talker(model, family) if options.speech else None
    tokenizer = processor.tokenizer
    # The end of a turn, and the end of a text, which is also the padding.
    marks = (tokenizer.convert_tokens_to_ids("<|im_end|>"), tokenizer.eos_token_id, tokenizer.pad_token_id)
    ends = frozenset(number for number in marks if number is not None)
    extractor = processor.feature_extractor
    return Loaded(
        model=model,
        tokenizer=tokenizer,
        family=family,
        weights=weights,
        placement=placement,
        engine=Engine(model.thinker, talker, ends, tokenizer.pad_token_id, options.wave_chunk_frames),
        prompt_builder=PromptBuilder(processor, family, options.system_prompt),
        defaults=_defaults(options, family, talker),
        # Qwen2.5's processor pads to this window and cuts longer clips; Qwen3's takes any length.
        max_audio_s=float(extractor.chunk_length) if family is QWEN25 else 600.0,
    )


def settings(loaded: Loaded, options: QwenOmniOptions) -> dict[str, str]:
    """Everything that changes answers, except the weights and the versions of libraries, in readable form."""
    found = {
        **loaded.placement.settings(),
        "family": loaded.family.model_type,
        "profile": options.profile,
        "speech": str(options.speech),
        "system_prompt": loaded.prompt_builder.system_prompt,
        "thinker": "greedy unless the request sets a temperature over 0",
        "allow_missing_weights": json.dumps(options.allow_missing_weights),
        "max_new_tokens": str(options.max_new_tokens),
        "seed": str(options.seed),
    }
    talker = loaded.engine.talker
    if talker is None:
        return found
    sampling = talker.sampling
    decoding = "greedy"
    if options.profile == "upstream":
        decoding = f"sampled: temperature {sampling.temperature}, top_k {sampling.top_k}, top_p {sampling.top_p}"
    return found | {
        "talker": f"{decoding}; repetition_penalty {sampling.repetition_penalty}",
        "talker_max_new_tokens": str(loaded.defaults.talker_max_new_tokens),
        "speaker": loaded.defaults.speaker,
        "wave_chunk_frames": str(options.wave_chunk_frames) if talker.frame_lags_token else "whole clip",
    }


def _model_type(folder: Path) -> str:
    # Read as plain JSON, so that a checkpoint of an unknown type gets our error and not the library's.
    return str(json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type", ""))


def _load_model(options: QwenOmniOptions, weights: Weights, family: Family, placement: Placement) -> Any:
    import transformers

    config = transformers.AutoConfig.from_pretrained(weights.folder)
    # Without speech no talker is built, so its weights are not missing in a checkpoint of the thinker only.
    config.enable_audio_output = options.speech and config.enable_audio_output
    if options.speech and not config.enable_audio_output:
        raise OptionsError(
            f"service {SERVICE}: option 'speech' is true, but the checkpoint {weights.name} was saved without a talker:"
            " set speech to false"
        )
    model_class = getattr(transformers, family.model_class)
    model = load_whole(
        # Not Qwen2.5's own from_pretrained, which fails with output_loading_info; it only adds the speakers.
        super(model_class, model_class).from_pretrained,
        weights,
        SERVICE,
        "checkpoint",
        options.allow_missing_weights,
        advice=", or set speech to false if it belongs to the talker" if options.speech else "",
        config=config,
        # Other weight files are pickles, which can run code.
        use_safetensors=True,
        local_files_only=True,
        **placement.load_arguments(),
    )
    check_not_offloaded(model, weights, SERVICE, ", or another checkpoint")
    if options.speech and family is QWEN25:
        _load_speakers(model, weights)
    return model.eval()


def _load_speakers(model: Any, weights: Weights) -> None:
    """Loads the voices of a Qwen2.5-Omni, which are in a file next to its weights."""
    file = weights.folder / "spk_dict.pt"
    if not file.is_file():
        raise OptionsError(
            f"service {SERVICE}: option 'checkpoint': the checkpoint {weights.name} lacks {file.name}, its speakers:"
            " download the whole checkpoint, or set speech to false"
        )
    model.load_speakers(file)


def _load_processor(folder: Path) -> Any:
    from transformers import AutoProcessor

    return AutoProcessor.from_pretrained(folder, local_files_only=True)


def _talker(model: Any, family: Family) -> Talker:
    return Qwen25Talker(model) if family is QWEN25 else Qwen3Talker(model)


def _defaults(options: QwenOmniOptions, family: Family, talker: Talker | None) -> Defaults:
    limit = options.talker_max_new_tokens or round(SPEECH_SECONDS * family.frames_per_second)
    if talker is None:
        return Defaults(options, (), "", limit)
    requested = options.speaker or family.default_speaker
    for speaker in talker.speakers:
        if speaker.lower() == requested.lower():
            return Defaults(options, talker.speakers, speaker, limit)
    if options.speaker:
        known = ", ".join(talker.speakers)
        raise OptionsError(f"service {SERVICE}: option 'speaker' is {requested!r}, but the checkpoint has {known}")
    # A fine-tuned checkpoint may have other speakers than the family's default.
    return Defaults(options, talker.speakers, talker.speakers[0], limit)
