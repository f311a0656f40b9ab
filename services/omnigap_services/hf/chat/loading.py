"""Loads a chat model by its config, and determines which inputs it takes."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omnigap.vocabulary import Modality
from omnigap_services.hf.chat.gguf import GgufSource, check_whole, load_arguments, open_gguf, template_end_ids
from omnigap_services.hf.chat.gguf_files import find_gguf
from omnigap_services.hf.chat.lora import LoraAdapters
from omnigap_services.hf.chat.options import SERVICE, ChatOptions
from omnigap_services.options import OptionsError
from omnigap_services.torch_utils.checkpoint import Weights, find_weights, load_whole
from omnigap_services.torch_utils.device import Placement, place
from omnigap_services.torch_utils.versions import check_transformers, let_torchvision_import

_log = logging.getLogger(__name__)

_DEFAULT_RATE_HZ = 16_000

# Fields of a checkpoint's generation config that change answers. They are cleared, so that only the options and the
# request decide: a measured model is decoded as its card says.
_DECODING_FIELDS = (
    *("do_sample", "temperature", "top_k", "top_p", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff", "top_h"),
    *("repetition_penalty", "encoder_repetition_penalty", "no_repeat_ngram_size", "length_penalty", "num_beams"),
    *("num_return_sequences", "early_stopping", "max_length", "max_new_tokens", "min_length", "min_new_tokens"),
    *("return_dict_in_generate", "output_scores", "penalty_alpha", "guidance_scale"),
)


@dataclass(frozen=True, slots=True)
class ChatModel:
    """A loaded model with its tokenizer and processor.

    Attributes:
        processor: None for a text-only model, which needs the tokenizer only.
        inputs: the media that it takes in addition to text: speech, image.
        sample_rate: of its audio input, in Hz.
        context: tokens of prompt and answer together; 0: not in the config.
        lora: adapters that depend on a question's media.
        quantisation: of a GGUF file; empty: another format.
        class_name: of the model in transformers.
    """

    model: Any
    tokenizer: Any
    processor: Any
    inputs: frozenset[Modality]
    sample_rate: int
    context: int
    weights: Weights
    placement: Placement
    lora: LoraAdapters
    quantisation: str = ""

    @property
    def class_name(self) -> str:
        return type(self.model).__name__

    @property
    def device(self) -> Any:
        return self.model.device


def load_chat_model(options: ChatOptions) -> ChatModel:
    """Loads weights, tokenizer and processor.

    Raises:
        OptionsError: the checkpoint or some of its weights are missing, or it is not a chat model that this service
            supports.
        VersionError: an unsupported version of transformers.
    """
    check_transformers(SERVICE)
    # Before transformers: image processors that import torchvision would fail next to a CPU build of torch.
    let_torchvision_import()
    weights = find_gguf(SERVICE, "model", options.model, options.revision, options.gguf_file)
    if weights is None:
        weights = find_weights(SERVICE, "model", options.model, options.revision)
    elif options.adapters:
        raise OptionsError(
            f"service {SERVICE}: option 'adapters' names LoRA folders, which can't be put on the unpacked weights of a"
            " GGUF file: merge them into the file, or name the checkpoint that it was made from"
        )
    with open_gguf(weights) if weights.gguf else nullcontext() as gguf:
        return _load(weights, options, gguf)


def _load(weights: Weights, options: ChatOptions, gguf: GgufSource | None) -> ChatModel:
    from transformers import AutoConfig

    folder = gguf.folder if gguf else weights.folder
    arguments: Mapping[str, Any] = gguf.arguments if gguf else {}
    config = AutoConfig.from_pretrained(folder, **arguments)
    auto_class = _auto_class(config, options)
    model_class = _model_class(auto_class, config)
    # The flag's name differs between model classes.
    flash = any(getattr(model_class, flag, False) for flag in ("_supports_flash_attn", "_supports_flash_attn_2"))
    placement = place(options, SERVICE, flash_possible=flash)
    found: dict[str, Any] = {}

    def load(*places: Any, **named: Any) -> Any:
        model, info = auto_class.from_pretrained(*places, **named)
        found.update(info)
        return model, info

    model = load_whole(
        load,
        replace(weights, folder=folder),
        SERVICE,
        "model",
        options.allow_missing_weights,
        # A class for another part of the checkpoint (text only, say) finds its weights under other names.
        advice=", or set the option kind",
        **placement.load_arguments(),
        **(load_arguments(gguf) if gguf else {}),
    ).eval()
    model.generation_config = _without_decoding(model.generation_config)
    text_only = auto_class.__name__ == "AutoModelForCausalLM"
    processor, tokenizer = _processor_of(folder, options, text_only, arguments)
    # Generation continues each row at its right end.
    tokenizer.padding_side = "left"
    # Padding is masked, so any token will do for checkpoints without one (Llama).
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if gguf:
        check_whole(model, gguf, weights, found.get("unexpected_keys", ()), options.allow_missing_weights)
        # A file has no generation config, where other checkpoints list all ends of an answer.
        ends = gguf.end_ids | template_end_ids(tokenizer, special_ids(tokenizer))
        model.generation_config.eos_token_id = sorted(ends) or model.generation_config.eos_token_id
        size = sum(weight.numel() * weight.element_size() for weight in model.parameters()) / 2**20
        _log.info("%s is unpacked from %s to %s: %.0f MiB", weights.source, gguf.quantisation, placement.dtype, size)
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
        lora=LoraAdapters(
            model,
            weights.folder,
            {str(modality): name for modality, name in options.adapters.items()},
            options.allow_missing_weights,
        ),
        quantisation=gguf.quantisation if gguf else "",
    )


def special_ids(tokenizer: Any) -> frozenset[int]:
    """Ids of control tokens, which are not part of a text; named ones such as the end mark, and all others."""
    others = (token for token, added in tokenizer.added_tokens_decoder.items() if added.special)
    return frozenset((*tokenizer.all_special_ids, *others))


def _auto_class(config: Any, options: ChatOptions) -> Any:
    """The transformers class that loads this config.

    Raises:
        OptionsError: no class that this service supports loads it.
    """
    import transformers
    from transformers.models.auto import modeling_auto as auto

    if config.model_type in ("qwen2_5_omni", "qwen3_omni_moe"):
        raise _wrong(f"{config.model_type} also answers in speech: serve it with `omnigap-serve qwen-omni`")
    if config.model_type.startswith("voxtral"):
        raise _wrong(
            f"{config.model_type} builds its prompts with Mistral's own tokenizer, which is not supported here"
        )
    if config.is_encoder_decoder:
        raise _wrong(f"{config.model_type} is an encoder-decoder, which has no chat prompt: name a decoder-only model")
    choices = {
        "causal": ("AutoModelForCausalLM", auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES),
        "image-text": ("AutoModelForImageTextToText", auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES),
        "multimodal": ("AutoModelForMultimodalLM", auto.MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES),
    }
    # The widest class first: some multimodal configs are in the causal mapping as well, for their text part only.
    kinds = ("multimodal", "image-text", "causal") if options.kind == "auto" else (options.kind,)
    for kind in kinds:
        name, mapping = choices[kind]
        if config.model_type in mapping:
            return getattr(transformers, name)
    raise _wrong(
        f"{config.model_type} is not a model of kind {' or '.join(kinds)} in transformers {transformers.__version__}"
    )


def _model_class(auto_class: Any, config: Any) -> Any:
    try:
        return auto_class._model_mapping[type(config)]
    except KeyError:
        return None


def _processor_of(folder: Path, options: ChatOptions, text_only: bool, arguments: Mapping[str, Any]) -> tuple[Any, Any]:
    """The processor (None if there is only a tokenizer) and the tokenizer, with the template to use.

    Raises:
        OptionsError: there is no chat template, or its file does not exist.
    """
    from transformers import AutoProcessor, AutoTokenizer

    found = None if text_only else AutoProcessor.from_pretrained(folder, **arguments)
    # For a folder without a processor config AutoProcessor returns the tokenizer.
    processor = found if hasattr(found, "tokenizer") else None
    tokenizer = processor.tokenizer if processor is not None else found
    tokenizer = tokenizer or AutoTokenizer.from_pretrained(folder, **arguments)
    owner = processor or tokenizer
    if options.chat_template:
        path = Path(options.chat_template).expanduser()
        if not path.is_file():
            raise OptionsError(f"service {SERVICE}: option 'chat_template' is {options.chat_template!r}: no such file")
        owner.chat_template = path.read_text(encoding="utf-8")
    # Older checkpoints keep the template in the tokenizer's config, and the processor does not look there.
    elif not owner.chat_template and tokenizer.chat_template:
        owner.chat_template = tokenizer.chat_template
    if not owner.chat_template:
        raise _wrong(
            "it has no chat template, so it is a base model, or the file is missing: name an instruction-tuned model,"
            " or set chat_template to a Jinja file"
        )
    return processor, tokenizer


def _inputs_of(processor: Any) -> frozenset[Modality]:
    found = set()
    if getattr(processor, "image_processor", None) is not None:
        found.add(Modality.IMAGE)
    if _audio_processor(processor) is not None:
        found.add(Modality.SPEECH)
    return frozenset(found)


def _audio_processor(processor: Any) -> Any:
    """The part of a processor that takes audio; the attribute's name differs between processors."""
    return getattr(processor, "feature_extractor", None) or getattr(processor, "audio_processor", None)


def _sample_rate(processor: Any) -> int:
    return int(getattr(_audio_processor(processor), "sampling_rate", _DEFAULT_RATE_HZ) or _DEFAULT_RATE_HZ)


def _without_decoding(config: Any) -> Any:
    """A copy of a generation config without its decoding fields; special ids and suppressed tokens stay."""
    stripped = copy.deepcopy(config)
    for name in _DECODING_FIELDS:
        if hasattr(stripped, name):
            setattr(stripped, name, None)
    return stripped


def _wrong(text: str) -> OptionsError:
    return OptionsError(f"service {SERVICE}: option 'model': {text}")
