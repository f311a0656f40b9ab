"""Builds tiny chat models of random weights in real architectures, with tokenizer, processor and template, offline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    Qwen2AudioConfig,
    Qwen2AudioForConditionalGeneration,
    Qwen2AudioProcessor,
    Qwen3Config,
    Qwen3ForCausalLM,
    WhisperFeatureExtractor,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

PAD, BOS, EOS = 0, 1, 2
TEXT_TEMPLATE = (
    "<s>{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}{{ '\n' }}{% endfor %}assistant:"
    "{% if enable_thinking is defined and enable_thinking %}<think>{% endif %}"
)
MEDIA_TEMPLATE = (
    "{% for m in messages %}{{ m['role'] }}: {% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<image>{% elif c['type'] == 'audio' %}<|audio_bos|><|AUDIO|><|audio_eos|>"
    "{% else %}{{ c['text'] }}{% endif %}{% endfor %}{{ '\n' }}{% endfor %}assistant:"
)


def letters_tokenizer(special: Sequence[str]) -> tuple[Tokenizer, dict[str, int]]:
    """One token a printable ASCII letter, behind the special ones; and the ids of all."""
    letters = [*map(chr, range(33, 127)), "Ġ", "Ċ"]
    vocabulary = {token: number for number, token in enumerate([*special, *letters])}
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return made, vocabulary


def tokenizer(*special: str) -> PreTrainedTokenizerFast:
    """Letters behind the three tokens that pad, begin and end; `special` follow these, from id 3 on."""
    made, _ = letters_tokenizer(["<pad>", "<s>", "</s>", *special])
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        additional_special_tokens=list(special),
    )


def text_sizes(words: PreTrainedTokenizerFast) -> dict[str, Any]:
    """Arguments of a tiny Llama-like config."""
    return {
        "vocab_size": len(words),
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 2048,
        "pad_token_id": PAD,
        "bos_token_id": BOS,
        "eos_token_id": EOS,
    }


def spread(model: Any) -> None:
    """Spreads the weights out, so that rounding does not decide the next token."""
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(3.0)


def save_chat_model(model: Any, folder: Path) -> None:
    """Saves it with decoding defaults that must not reach an answer."""
    spread(model)
    # What a checkpoint says about sampling must not reach a greedy answer.
    model.generation_config.update(
        pad_token_id=PAD, eos_token_id=EOS, do_sample=True, temperature=5.0, top_k=3, repetition_penalty=1.7
    )
    model.save_pretrained(folder)


def llama(folder: Path) -> Path:
    """A causal model whose template opens the thinking if `enable_thinking` is set."""
    torch.manual_seed(0)
    words = tokenizer("<think>", "</think>")
    words.chat_template = TEXT_TEMPLATE
    save_chat_model(LlamaForCausalLM(LlamaConfig(**text_sizes(words))), folder)
    words.save_pretrained(folder)
    return folder


def qwen3(folder: Path) -> Path:
    """Another causal architecture."""
    torch.manual_seed(1)
    words = tokenizer("<think>", "</think>")
    words.chat_template = TEXT_TEMPLATE
    save_chat_model(Qwen3ForCausalLM(Qwen3Config(**text_sizes(words), head_dim=8)), folder)
    words.save_pretrained(folder)
    return folder


def llava(folder: Path) -> Path:
    """An image-text model."""
    torch.manual_seed(0)
    words = tokenizer("<image>")
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
    text = LlamaConfig(**text_sizes(words))
    image_token = words.convert_tokens_to_ids("<image>")
    config = LlavaConfig(vision_config=vision.to_dict(), text_config=text.to_dict(), image_token_id=image_token)
    save_chat_model(LlavaForConditionalGeneration(config), folder)
    processor.save_pretrained(folder)
    return folder


def qwen2_audio(folder: Path) -> Path:
    """An audio-text model."""
    torch.manual_seed(0)
    words = tokenizer("<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>")
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
    text = {"model_type": "qwen2", **text_sizes(words)}
    config = Qwen2AudioConfig(
        audio_config=audio, text_config=text, audio_token_index=words.convert_tokens_to_ids("<|AUDIO|>")
    )
    save_chat_model(Qwen2AudioForConditionalGeneration(config), folder)
    processor.save_pretrained(folder)
    return folder
