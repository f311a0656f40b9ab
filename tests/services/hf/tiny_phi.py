"""Builds a tiny Phi-4-multimodal of random weights, with its adapters for speech and for images, offline."""

from __future__ import annotations

from pathlib import Path

from peft import LoraConfig, get_peft_model
from transformers import (
    Phi4MultimodalConfig,
    Phi4MultimodalFeatureExtractor,
    Phi4MultimodalForCausalLM,
    Phi4MultimodalImageProcessor,
    Phi4MultimodalProcessor,
)

from omnigap_services.hf.chat.tiny import save
from omnigap_services.torch_utils.tiny import BOS, EOS, PAD, fast_tokenizer

_NAMES = {"image_token": "<|image|>", "audio_token": "<|audio|>"}
TEMPLATE = (
    "{% for m in messages %}{{ m['role'] }}: {% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<|image|>{% elif c['type'] == 'audio' %}<|audio|>"
    "{% else %}{{ c['text'] }}{% endif %}{% endfor %}{{ '\n' }}{% endfor %}assistant:"
)


def phi4(folder: Path) -> Path:
    """Text, audio and images in, text out, with an adapter each for the two."""
    words = fast_tokenizer(*_NAMES.values())
    words.init_kwargs["extra_special_tokens"] = _NAMES
    words._set_model_specific_special_tokens(_NAMES)
    config = Phi4MultimodalConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        original_max_position_embeddings=2048,
        pad_token_id=PAD,
        bos_token_id=BOS,
        eos_token_id=EOS,
        vision_config={
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 448,
            "crop_size": 448,
            "patch_size": 14,
            "image_token_id": words.convert_tokens_to_ids("<|image|>"),
        },
        audio_config={
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_blocks": 2,
            "num_attention_heads": 2,
            "ext_pw_out_channel": 16,
            "depthwise_separable_out_channel": 16,
            "nemo_conv_channels": 8,
            "audio_token_id": words.convert_tokens_to_ids("<|audio|>"),
        },
    )
    model = Phi4MultimodalForCausalLM(config)
    save(model, folder)
    processor = Phi4MultimodalProcessor(
        image_processor=Phi4MultimodalImageProcessor(dynamic_hd=1),
        audio_processor=Phi4MultimodalFeatureExtractor(),
        tokenizer=words,
        chat_template=TEMPLATE,
    )
    processor.save_pretrained(folder)
    for name in ("speech-lora", "vision-lora"):
        # Random instead of zero, so that an active adapter changes the answer.
        lora = LoraConfig(r=4, target_modules=["qkv_proj"], init_lora_weights=False)
        get_peft_model(Phi4MultimodalForCausalLM(config), lora).save_pretrained(folder / name)
    return folder
