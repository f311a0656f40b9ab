"""Builds a tiny Gemma 4 with random weights (audio and images in, text out), offline."""

from __future__ import annotations

from pathlib import Path

from transformers import (
    Gemma4AudioFeatureExtractor,
    Gemma4Config,
    Gemma4ForConditionalGeneration,
    Gemma4ImageProcessor,
    Gemma4Processor,
    Gemma4VideoProcessor,
)

from omnigap_services.hf.chat.tiny import save
from omnigap_services.torch_utils.tiny import BOS, EOS, PAD, fast_tokenizer

_NAMES = {
    "image_token": "<|image|>",
    "boi_token": "<|image>",
    "eoi_token": "<image|>",
    "audio_token": "<|audio|>",
    "boa_token": "<|audio>",
    "eoa_token": "<audio|>",
}
TEMPLATE = (
    "<s>{% for m in messages %}{{ m['role'] }}: {% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<|image|>{% elif c['type'] == 'audio' %}<|audio|>"
    "{% else %}{{ c['text'] }}{% endif %}{% endfor %}{{ '\n' }}{% endfor %}assistant:"
)


def gemma4(folder: Path) -> Path:
    """Text, audio and images in, text out."""
    words = fast_tokenizer(*_NAMES.values(), "<|video|>")
    words.init_kwargs["extra_special_tokens"] = _NAMES
    words._set_model_specific_special_tokens(_NAMES)
    ids = {name: words.convert_tokens_to_ids(token) for name, token in _NAMES.items()}
    config = Gemma4Config(
        text_config={
            "vocab_size": len(words),
            "vocab_size_per_layer_input": len(words),
            "hidden_size": 32,
            "hidden_size_per_layer_input": 8,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "head_dim": 16,
            "max_position_embeddings": 2048,
            "sliding_window": 64,
            "pad_token_id": PAD,
            "bos_token_id": BOS,
            "eos_token_id": EOS,
        },
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "patch_size": 4,
            "pooling_kernel_size": 2,
            "position_embedding_size": 64,
        },
        audio_config={
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "subsampling_conv_channels": [128, 4],
            "output_proj_dims": 32,
        },
        boi_token_id=ids["boi_token"],
        eoi_token_id=ids["eoi_token"],
        image_token_id=ids["image_token"],
        boa_token_id=ids["boa_token"],
        eoa_token_index=ids["eoa_token"],
        audio_token_id=ids["audio_token"],
        video_token_id=words.convert_tokens_to_ids("<|video|>"),
    )
    save(Gemma4ForConditionalGeneration(config), folder)
    sizes = {"patch_size": 4, "pooling_kernel_size": 2, "max_soft_tokens": 70}
    processor = Gemma4Processor(
        feature_extractor=Gemma4AudioFeatureExtractor(),
        image_processor=Gemma4ImageProcessor(**sizes),
        tokenizer=words,
        video_processor=Gemma4VideoProcessor(**sizes),
        chat_template=TEMPLATE,
        image_seq_length=70,
    )
    processor.save_pretrained(folder)
    return folder
