"""The tiny random checkpoints of `hf-chat --tiny`: text models, one that takes images, and one that takes audio."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    Qwen2AudioConfig,
    Qwen2AudioForConditionalGeneration,
    Qwen2AudioProcessor,
    WhisperFeatureExtractor,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from omnigap_services.hf.chat.options import SERVICE, ChatOptions
from omnigap_services.options import read_options
from omnigap_services.torch_utils.tiny import (
    EOS,
    PAD,
    Kind,
    chosen,
    fast_tokenizer,
    llama_sizes,
    spread,
    tiny_options,
    write,
    write_only,
)

TEXT_TEMPLATE = (
    "<s>{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}{{ '\n' }}{% endfor %}assistant:"
    "{% if enable_thinking is defined and enable_thinking %}<think>{% endif %}"
)
MEDIA_TEMPLATE = (
    "{% for m in messages %}{{ m['role'] }}: {% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<image>{% elif c['type'] == 'audio' %}<|audio_bos|><|AUDIO|><|audio_eos|>"
    "{% else %}{{ c['text'] }}{% endif %}{% endfor %}{{ '\n' }}{% endfor %}assistant:"
)

# Names of models that have other inputs or outputs than the text models of the same family.
_TEXT = r"^(?!.*(vl|vision|video|audio|omni|moe|asr|tts|embed|a\d+b))"


# What answers consist of, by its place among the last 96 tokens of `fast_tokenizer`: a to z and the space, which every
# voice of a cascade can speak.
_LETTERS = 96
_WRITTEN = (*range(ord("a") - 33, ord("z") - 32), 94)


def build(options: Mapping[str, object], folder: Path) -> dict[str, object]:
    """Writes the checkpoint that the option `model` means, and returns the options that serve it."""
    given = read_options(ChatOptions, SERVICE, {"model": KINDS[0].model_type, **options})
    write(chosen(KINDS, SERVICE, "model", given.model), folder)
    return tiny_options(options, {"model": str(folder)}, {"max_new_tokens": 16}, ("revision", "gguf_file"))


def save(model: Any, folder: Path) -> None:
    """Saves a model with letters as its only answers, and with decoding defaults that must not reach an answer."""
    spread(model)
    head = model.get_output_embeddings().weight
    # With the full weight, some answers would be empty.
    write_only(head, [len(head) - _LETTERS + place for place in _WRITTEN], EOS, end_factor=0.7)
    model.generation_config.update(
        pad_token_id=PAD, eos_token_id=EOS, do_sample=True, temperature=5.0, top_k=3, repetition_penalty=1.7
    )
    model.save_pretrained(folder)


def qwen2(folder: Path) -> Path:
    """A causal model whose template opens the thinking if `enable_thinking` is set."""
    return _text_model("qwen2", folder)


def qwen3(folder: Path) -> Path:
    """The same of another architecture."""
    return _text_model("qwen3", folder)


def llama(folder: Path) -> Path:
    """The same of another architecture."""
    return _text_model("llama", folder)


def _text_model(model_type: str, folder: Path) -> Path:
    words = fast_tokenizer("<think>", "</think>")
    words.chat_template = TEXT_TEMPLATE
    config = AutoConfig.for_model(model_type, **llama_sizes(len(words)), head_dim=8)
    save(AutoModelForCausalLM.from_config(config), folder)
    words.save_pretrained(folder)
    return folder


def llava(folder: Path) -> Path:
    """An image-text model."""
    words = fast_tokenizer("<image>")
    size = {"height": 16, "width": 16}
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessorPil(size={"shortest_edge": 16}, crop_size=size),
        tokenizer=words,
        patch_size=8,
        vision_feature_select_strategy="default",
        chat_template=MEDIA_TEMPLATE,
        num_additional_image_tokens=1,
    )
    vision = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=16,
        patch_size=8,
        projection_dim=16,
    )
    text = LlamaConfig(**llama_sizes(len(words)))
    image_token = words.convert_tokens_to_ids("<image>")
    config = LlavaConfig(vision_config=vision.to_dict(), text_config=text.to_dict(), image_token_id=image_token)
    save(LlavaForConditionalGeneration(config), folder)
    processor.save_pretrained(folder)
    return folder


def qwen2_audio(folder: Path) -> Path:
    """An audio-text model."""
    words = fast_tokenizer("<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>")
    extractor = WhisperFeatureExtractor(feature_size=16, chunk_length=30)
    processor = Qwen2AudioProcessor(feature_extractor=extractor, tokenizer=words, chat_template=MEDIA_TEMPLATE)
    audio = {
        "model_type": "qwen2_audio_encoder",
        "num_mel_bins": 16,
        "d_model": 16,
        "encoder_layers": 1,
        "encoder_attention_heads": 2,
        "encoder_ffn_dim": 16,
        "max_source_positions": 1500,
    }
    config = Qwen2AudioConfig(
        audio_config=audio,
        text_config={"model_type": "qwen2", **llama_sizes(len(words))},
        audio_token_index=words.convert_tokens_to_ids("<|AUDIO|>"),
    )
    save(Qwen2AudioForConditionalGeneration(config), folder)
    processor.save_pretrained(folder)
    return folder


KINDS = (
    Kind("qwen2", "Qwen/Qwen2.5-7B-Instruct", f"{_TEXT}.*qwen(1\\.5|2)", qwen2),
    Kind("qwen3", "Qwen/Qwen3-8B", f"{_TEXT}.*qwen3(?!\\.)", qwen3),
    Kind("llama", "meta-llama/Llama-3.1-8B-Instruct", f"{_TEXT}.*(llama(?!-?4)[^/]*$|vicuna|smollm2)", llama),
    Kind("llava", "llava-hf/llava-1.5-7b-hf", r"llava-1\.5", llava),
    Kind("qwen2_audio", "Qwen/Qwen2-Audio-7B-Instruct", "qwen2-audio", qwen2_audio),
)
