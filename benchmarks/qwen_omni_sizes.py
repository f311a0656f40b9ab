"""Configurations of Qwen-Omni at full size, and shrunk ones of the same parts, for randomly drawn weights.

Sizes are those of Qwen2.5-Omni-7B and Qwen3-Omni-30B-A3B; all other settings are the defaults
of the library, as in both models.
"""

from __future__ import annotations

from typing import Any

Sizes = dict[str, Any]


def _rope(sections: list[int], **more: object) -> Sizes:
    return {"rope_type": "default", "rope_theta": 1_000_000.0, "mrope_section": sections, **more}


_VISION_IDS = {"vision_start_token_id": 151_652, "vision_end_token_id": 151_653}

QWEN25: Sizes = {
    "thinker_config": {
        "text_config": {"rope_parameters": _rope([16, 24, 24]), "tie_word_embeddings": False},
        "vision_config": {"hidden_size": 1280},
        **_VISION_IDS,
    },
    "talker_config": {
        "hidden_size": 896,
        "num_hidden_layers": 24,
        "num_attention_heads": 12,
        "rope_parameters": _rope([16, 24, 24]),
    },
    "token2wav_config": {"dit_config": {}, "bigvgan_config": {}},
}

_TEXT_3: Sizes = {
    "vocab_size": 152_064,
    "num_hidden_layers": 48,
    "num_attention_heads": 32,
    "head_dim": 128,
    "rope_parameters": _rope([24, 20, 20], mrope_interleaved=True),
}
_TALKER_TEXT_3: Sizes = {
    "shared_expert_intermediate_size": 768,
    "num_experts_per_tok": 6,
    "norm_topk_prob": True,
    "rope_parameters": _rope([24, 20, 20], mrope_interleaved=True),
}
_CODEC_IDS = {"codec_pad_id": 2148, "codec_bos_id": 2149, "codec_eos_token_id": 2150, "codec_nothink_id": 2155}
QWEN3: Sizes = {
    "thinker_config": {
        "text_config": _TEXT_3,
        "audio_config": {"output_dim": 2048},
        "vision_config": {"out_hidden_size": 2048},
        "audio_token_id": 151_675,
        "audio_start_token_id": 151_669,
        **_VISION_IDS,
    },
    "talker_config": {
        "text_config": _TALKER_TEXT_3,
        "code_predictor_config": {"num_code_groups": 16},
        "num_code_groups": 16,
        "accept_hidden_layer": 24,
        "spatial_merge_size": 2,
        "audio_token_id": 151_675,
        **_CODEC_IDS,
        "codec_think_bos_id": 2156,
        "codec_think_eos_id": 2157,
        "speaker_id": {"chelsie": 2301, "ethan": 2302, "aiden": 2303},
    },
    "code2wav_config": {},
}

_SMALL: Sizes = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
_SMALL_TEXT = {**_SMALL, "num_key_value_heads": 2}
_SMALL_EAR = {"d_model": 32, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 32, "output_dim": 64}
_SMALL_EYE = {"depth": 1, "hidden_size": 32, "intermediate_size": 32, "num_heads": 2, "out_hidden_size": 64}
_SMALL_ROPE = {"mrope_section": [4, 2, 2]}

TINY25: Sizes = {
    "thinker_config": {
        "text_config": {**_SMALL_TEXT, "rope_parameters": _SMALL_ROPE},
        "audio_config": _SMALL_EAR,
        "vision_config": {**_SMALL_EYE, "fullatt_block_indexes": [0]},
    },
    "talker_config": {**_SMALL_TEXT, "head_dim": 16, "embedding_size": 64, "rope_parameters": _SMALL_ROPE},
    "token2wav_config": {
        "dit_config": {
            "hidden_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 1,
            "emb_dim": 16,
            "enc_channels": [16, 16, 16, 16, 48],
            "enc_attention_channels": 8,
        },
        "bigvgan_config": {"upsample_initial_channel": 64, "resblock_kernel_sizes": [3]},
    },
}
_FEW = {"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 16, "head_dim": 16}
TINY3: Sizes = {
    "thinker_config": {
        "text_config": {**_SMALL_TEXT, **_FEW, "rope_parameters": _SMALL_ROPE},
        "audio_config": {**_SMALL_EAR, "downsample_hidden_size": 8},
        "vision_config": {**_SMALL_EYE, "deepstack_visual_indexes": [0]},
    },
    "talker_config": {
        "text_config": {
            **_SMALL_TEXT,
            **_FEW,
            "shared_expert_intermediate_size": 16,
            "rope_parameters": _SMALL_ROPE,
        },
        "code_predictor_config": {**_SMALL_TEXT, "head_dim": 16},
        "thinker_hidden_size": 64,
        "accept_hidden_layer": 1,
    },
    "code2wav_config": {**_SMALL, "num_key_value_heads": 4, "decoder_dim": 64},
}


def merged(sizes: Sizes, over: Sizes) -> Sizes:
    """`sizes` with the values of `over`, merged table by table."""
    found = dict(sizes)
    for name, value in over.items():
        found[name] = merged(found.get(name, {}), value) if isinstance(value, dict) else value
    return found
