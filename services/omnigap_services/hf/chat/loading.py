"""Loads a chat model the way its config asks for, and finds out what it can hear and see."""

from __future__ import annotations

import copy
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnigap.vocabulary import Modality
from omnigap_services.hf.chat.lora import LoraAdapters
from omnigap_services.hf.chat.options import SERVICE, ChatOptions
from omnigap_services.options import OptionsError
from omnigap_services.torch_utils.checkpoint import Weights, find_weights, load_whole
from omnigap_services.torch_utils.device import Placement, place
from omnigap_services.torch_utils.versions import check_transformers, let_torchvision_import

_log = logging.getLogger(__name__)

_DEFAULT_RATE_HZ = 16_000

# What would change answers behind the user's back: the options decide it, or the request.
_SAMPLING_FIELDS = (
    *("do_sample", "temperature", "top_k", "top_p", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff", "top_h"),
    *("repetition_penalty", "encoder_repetition_penalty", "no_repeat_ngram_size", "length_penalty", "num_beams"),
    *("num_return_sequences", "early_stopping", "max_length", "max_new_tokens", "min_length", "min_new_tokens"),
    *("return_dict_in_generate", "output_scores", "penalty_alpha", "guidance_scale"),
)


@dataclass(frozen=True, slots=True)
class ChatModel:
    """A loaded model with all that turns questions into its inputs.

    Attributes:
        processor: None for a model that only reads; then the tokenizer does all.
        inputs: what it takes beside text: speech, image.
        sample_rate: Hz at which it hears.
        adapters: switched on by what a question brings.
        context: tokens of prompt and answer together; 0: the config does not tell.
        class_name: of the model's code in transformers.
    """

    model: Any
    tokenizer: Any
    processor: Any
    inputs: frozenset[Modality]
    sample_rate: int
    context: int
    weights: Weights
    placement: Placement
    adapters: LoraAdapters

    @property
    def class_name(self) -> str:
        return type(self.model).__name__

    @property
    def device(self) -> Any:
        return self.model.device


def load_chat_model(options: ChatOptions) -> ChatModel:
    """Loads weights, tokenizer and processor.

    Raises:
        OptionsError: for weights that are not there, all or some, or a model that is no such chat model.
        VersionError: for a version of transformers that the code does not know.
    """
    check_transformers(SERVICE)
    weights = find_weights(SERVICE, "model", options.model, options.revision)
    let_torchvision_import()
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(weights.folder)
    auto_class = _auto_class(config, options)
    kind = _model_class(auto_class, config)
    flash = bool(getattr(kind, "_supports_flash_attn", False) or getattr(kind, "_supports_flash_attn_2", False))
    placement = place(options, SERVICE, flash_possible=flash)
    model = load_whole(
        auto_class.from_pretrained,
        weights,
        SERVICE,
        "model",
        options.allow_missing_weights,
        advice=", or set the option kind",
        **placement.load_arguments(),
    ).eval()
    model.generation_config = _without_sampling(model.generation_config)
    processor, tokenizer = _processor_of(weights.folder, options, auto_class.__name__ == "AutoModelForCausalLM")
    tokenizer.padding_side = "left"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    inputs = _inputs_of(processor)
    _log.info("%s is a %s on %s in %s", weights.name, type(model).__name__, placement.device, placement.dtype)
    return ChatModel(
        model=model,
        tokenizer=tokenizer,
        processor=processor,
        inputs=inputs,
        sample_rate=_sample_rate(processor),
        context=int(getattr(config.get_text_config(), "max_position_embeddings", 0) or 0),
        weights=weights,
        placement=placement,
        adapters=LoraAdapters(
            model,
            weights.folder,
            {str(kind): name for kind, name in options.adapters.items()},
            options.allow_missing_weights,
        ),
    )


def _auto_class(config: Any, options: ChatOptions) -> Any:
    """The transformers class that loads this config.

    Some multimodal configs are in the causal mapping as well, for their text part alone: the wider class goes first.
    """
    import transformers
    from transformers.models.auto import modeling_auto as auto

    if config.model_type in ("qwen2_5_omni", "qwen3_omni_moe"):
        raise _wrong(f"{config.model_type} answers in speech as well: serve it with `omnigap-serve qwen-omni`")
    if config.model_type.startswith("voxtral"):
        raise _wrong(f"{config.model_type} takes its prompts from Mistral's own tokenizer, which is not offered here")
    if config.is_encoder_decoder:
        raise _wrong(f"{config.model_type} is an encoder-decoder, which has no chat prompt: name a decoder-only model")
    choices = {
        "causal": ("AutoModelForCausalLM", auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES),
        "image-text": ("AutoModelForImageTextToText", auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES),
        "multimodal": ("AutoModelForMultimodalLM", auto.MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES),
    }
    wanted = ("multimodal", "image-text", "causal") if options.kind == "auto" else (options.kind,)
    for kind in wanted:
        name, mapping = choices[kind]
        if config.model_type in mapping:
            return getattr(transformers, name)
    raise _wrong(f"{config.model_type} is no {' or '.join(wanted)} model of transformers {transformers.__version__}")


def _model_class(auto_class: Any, config: Any) -> Any:
    try:
        return auto_class._model_mapping[type(config)]
    except KeyError:
        return None


def _processor_of(folder: Path, options: ChatOptions, reads_only: bool) -> tuple[Any, Any]:
    """The processor (None where there is only a tokenizer) and the tokenizer, with the template that is to be used."""
    from transformers import AutoProcessor, AutoTokenizer

    found = None if reads_only else AutoProcessor.from_pretrained(folder)
    processor = found if hasattr(found, "tokenizer") else None
    tokenizer = processor.tokenizer if processor is not None else found or AutoTokenizer.from_pretrained(folder)
    owner = processor or tokenizer
    if options.chat_template:
        path = Path(options.chat_template).expanduser()
        if not path.is_file():
            raise OptionsError(f"service {SERVICE}: option 'chat_template' is {options.chat_template!r}: no such file")
        owner.chat_template = path.read_text(encoding="utf-8")
    elif not owner.chat_template and tokenizer.chat_template:
        owner.chat_template = tokenizer.chat_template
    if not owner.chat_template:
        raise _wrong(
            "it brings no chat template, so it is a base model, or the file is missing: name a tuned model, or set"
            " chat_template to a Jinja file"
        )
    return processor, tokenizer


def _inputs_of(processor: Any) -> frozenset[Modality]:
    found = set()
    if getattr(processor, "image_processor", None) is not None:
        found.add(Modality.IMAGE)
    if _ears(processor) is not None:
        found.add(Modality.SPEECH)
    return frozenset(found)


def _ears(processor: Any) -> Any:
    """The part of a processor that takes audio, under the names that processors give it."""
    return getattr(processor, "feature_extractor", None) or getattr(processor, "audio_processor", None)


def _sample_rate(processor: Any) -> int:
    return int(getattr(_ears(processor), "sampling_rate", _DEFAULT_RATE_HZ) or _DEFAULT_RATE_HZ)


def _without_sampling(config: Any) -> Any:
    """A checkpoint's generation config with nothing in it but the ids that begin, end and pad."""
    stripped = copy.deepcopy(config)
    for name in _SAMPLING_FIELDS:
        if hasattr(stripped, name):
            setattr(stripped, name, None)
    return stripped


def _wrong(text: str) -> OptionsError:
    return OptionsError(f"service {SERVICE}: option 'model': {text}")
