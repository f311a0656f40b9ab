"""The tiny random checkpoints of `qwen-omni --tiny`: both families, with tokenizer, processor and speakers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from omnigap_services.options import read_options
from omnigap_services.qwen_omni.family import QWEN3, QWEN25, Family
from omnigap_services.qwen_omni.options import SERVICE, QwenOmniOptions
from omnigap_services.torch_utils.tiny import Kind, chosen, tiny_options, write, write_only

SIZE = 32
"""Hidden size of both thinkers and talkers."""

# Rotary positions of the four halves of a head: time, height, width; real checkpoints have 16, 24, 24.
_SECTIONS = [2, 1, 1]
_ROPE = {"rope_type": "default", "rope_theta": 10_000.0}

# Tokens that Qwen3's talker prompts need as single ids, and a few words, so that prompts are not only letters.
_WORDS = ("user", "assistant", "system", "the", "what", "answer", "word", "capital")

_MARKS = {
    QWEN25: {
        "audio_token": "<|AUDIO|>",
        "image_token": "<|IMAGE|>",
        "video_token": "<|VIDEO|>",
        "audio_bos_token": "<|audio_bos|>",
        "audio_eos_token": "<|audio_eos|>",
        "vision_bos_token": "<|vision_bos|>",
        "vision_eos_token": "<|vision_eos|>",
    },
    QWEN3: {
        "audio_token": "<|audio_pad|>",
        "image_token": "<|image_pad|>",
        "video_token": "<|video_pad|>",
        "audio_bos_token": "<|audio_start|>",
        "audio_eos_token": "<|audio_end|>",
        "vision_bos_token": "<|vision_start|>",
        "vision_eos_token": "<|vision_end|>",
    },
}
_TTS = ("<tts_pad>", "<tts_text_bos>", "<tts_text_eod>", "<tts_text_bos_single>")

_TEMPLATE = (
    "{%- for message in messages -%}<|im_start|>{{ message['role'] }}{{ '\n' }}"
    "{%- if message['content'] is string -%}{{ message['content'] }}"
    "{%- else -%}{%- for part in message['content'] -%}"
    "{%- if part['type'] == 'audio' -%}AUDIO"
    "{%- elif part['type'] == 'image' -%}IMAGE"
    "{%- else -%}{{ part['text'] }}{%- endif -%}{%- endfor -%}{%- endif -%}<|im_end|>{{ '\n' }}"
    "{%- endfor -%}{%- if add_generation_prompt -%}<|im_start|>assistant{{ '\n' }}{%- endif -%}"
)


def build(options: Mapping[str, object], folder: Path) -> dict[str, object]:
    """Writes the checkpoint that the option `checkpoint` means, and returns the options that serve it."""
    given = read_options(QwenOmniOptions, SERVICE, {"checkpoint": KINDS[0].model_type, **options})
    kind = chosen(KINDS, SERVICE, "checkpoint", given.checkpoint)
    write(kind, folder)
    # About half a second of speech. Both talkers are greedy, and with random weights they rarely end.
    frames = 24 if kind.model_type == QWEN25.model_type else 8
    limits = {"max_new_tokens": 12, "talker_max_new_tokens": frames}
    return tiny_options(options, {"checkpoint": str(folder)}, limits)


def qwen25(folder: Path, text_end: float = 0.9, speech_end: float = 0.3) -> Path:
    """Writes Qwen2.5-Omni; about 1 MB, most of it tokenizer and configuration.

    Args:
        text_end, speech_end: factors on the weights of the tokens that end texts and speech; larger ones end earlier.
    """
    tokenizer = _tokenizer(QWEN25)
    model = _qwen25(tokenizer)
    _shake(model)
    _temper(QWEN25, model, tokenizer, text_end)
    talker = model.config.talker_config
    with torch.no_grad():
        model.talker.codec_head.weight[[talker.tts_codec_pad_token_id, talker.tts_codec_end_token_id]] *= speech_end
    model.save_pretrained(folder)
    torch.save(_speakers(tokenizer, model.config), folder / "spk_dict.pt")
    _processor(QWEN25, tokenizer).save_pretrained(folder)
    return folder


def qwen3(folder: Path, text_end: float = 0.9, speech_end: float = 0.3) -> Path:
    """Writes Qwen3-Omni, likewise."""
    tokenizer = _tokenizer(QWEN3)
    model = _qwen3(tokenizer)
    _shake(model)
    _temper(QWEN3, model, tokenizer, text_end)
    with torch.no_grad():
        model.talker.codec_head.weight[model.config.talker_config.codec_eos_token_id] *= speech_end
    model.save_pretrained(folder)
    _processor(QWEN3, tokenizer).save_pretrained(folder)
    return folder


def _tokenizer(family: Family) -> Any:
    """A byte-level BPE whose merges make `_WORDS`, and the family's special tokens."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import Qwen2Tokenizer

    letters = sorted(ByteLevel.alphabet())
    merges: list[tuple[str, str]] = []
    for word in _WORDS:
        merges += [pair for end in range(1, len(word)) if (pair := (word[:end], word[end])) not in merges]
    marks = _MARKS[family]
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *marks.values(), *_TTS]
    pieces = [*letters, *("".join(pair) for pair in merges), *special]
    return Qwen2Tokenizer(
        vocab={piece: number for number, piece in enumerate(dict.fromkeys(pieces))},
        merges=merges,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens={
            **marks,
            "im_start_token": "<|im_start|>",
            **{f"tts_{number}": token for number, token in enumerate(_TTS)},
        },
    )


def _processor(family: Family, tokenizer: Any) -> Any:
    from transformers import (
        Qwen2_5OmniProcessor,
        Qwen2VLImageProcessor,
        Qwen2VLVideoProcessor,
        Qwen3OmniMoeProcessor,
        WhisperFeatureExtractor,
    )

    marks = _MARKS[family]
    audio = marks["audio_bos_token"] + marks["audio_token"] + marks["audio_eos_token"]
    image = marks["vision_bos_token"] + marks["image_token"] + marks["vision_eos_token"]
    patch = 14 if family is QWEN25 else 16
    sizes = {"patch_size": patch, "merge_size": 2, "min_pixels": 4 * patch**2, "max_pixels": 64 * patch**2}
    processor = Qwen2_5OmniProcessor if family is QWEN25 else Qwen3OmniMoeProcessor
    return processor(
        image_processor=Qwen2VLImageProcessor(**sizes),
        video_processor=Qwen2VLVideoProcessor(patch_size=patch, merge_size=2),
        feature_extractor=WhisperFeatureExtractor(
            feature_size=16, sampling_rate=16_000, hop_length=160, chunk_length=30, return_attention_mask=True
        ),
        tokenizer=tokenizer,
        chat_template=_TEMPLATE.replace("AUDIO", audio).replace("IMAGE", image),
    )


def _text_config(vocabulary: int) -> dict[str, Any]:
    return {
        "vocab_size": vocabulary,
        "hidden_size": SIZE,
        "intermediate_size": SIZE,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "rope_parameters": {**_ROPE, "mrope_section": _SECTIONS},
    }


def _audio_config() -> dict[str, Any]:
    return {
        "num_mel_bins": 16,
        "d_model": SIZE,
        "encoder_layers": 1,
        "encoder_attention_heads": 2,
        "encoder_ffn_dim": SIZE,
        "output_dim": SIZE,
    }


def _vision_config() -> dict[str, Any]:
    return {"depth": 2, "hidden_size": SIZE, "intermediate_size": SIZE, "num_heads": 2, "out_hidden_size": SIZE}


def _qwen25(tokenizer: Any) -> Any:
    from transformers import Qwen2_5OmniConfig, Qwen2_5OmniForConditionalGeneration

    ids = tokenizer.convert_tokens_to_ids
    marks = _MARKS[QWEN25]
    tokens = {
        "audio_token_index": ids(marks["audio_token"]),
        "image_token_index": ids(marks["image_token"]),
        "video_token_index": ids(marks["video_token"]),
        "audio_start_token_id": ids(marks["audio_bos_token"]),
        "audio_end_token_id": ids(marks["audio_eos_token"]),
    }
    vision_ends = {
        "vision_start_token_id": ids(marks["vision_bos_token"]),
        "vision_end_token_id": ids(marks["vision_eos_token"]),
    }
    thinker = {
        **tokens,
        **vision_ends,
        "user_token_id": ids("user"),
        "text_config": {**_text_config(len(tokenizer)), "tie_word_embeddings": False},
        "audio_config": _audio_config(),
        "vision_config": {**_vision_config(), "patch_size": 14, "fullatt_block_indexes": [1]},
    }
    codes = 24
    talker = {
        **tokens,
        **vision_ends,
        **_text_config(codes + 8),
        "head_dim": SIZE // 4,
        "embedding_size": SIZE,
        "tts_text_start_token_id": ids(_TTS[1]),
        "tts_text_end_token_id": ids(_TTS[2]),
        "tts_text_pad_token_id": ids(_TTS[0]),
        "tts_codec_pad_token_id": codes + 1,
        "tts_codec_start_token_id": codes + 2,
        "tts_codec_end_token_id": codes + 3,
        "tts_codec_mask_token_id": codes + 5,
    }
    dit = {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "head_dim": 8,
        "emb_dim": 8,
        "num_embeds": codes + 8,
        "mel_dim": 8,
        "block_size": 4,
        "look_ahead_layers": [0],
        "look_backward_layers": [1],
        "enc_emb_dim": 8,
        "enc_dim": 8,
        "enc_channels": [8, 8, 8, 8, 24],
        "enc_attention_channels": 8,
        "enc_se_channels": 8,
        "rope_parameters": _ROPE,
    }
    # Rates as in real checkpoints, so that one code is 480 samples.
    vocoder = {"mel_dim": 8, "upsample_initial_channel": 64, "resblock_kernel_sizes": [3]}
    vocoder["resblock_dilation_sizes"] = [[1, 3, 5]]
    config = Qwen2_5OmniConfig(
        thinker_config=thinker,
        talker_config=talker,
        token2wav_config={"dit_config": dit, "bigvgan_config": vocoder},
    )
    return Qwen2_5OmniForConditionalGeneration(config)


def _qwen3(tokenizer: Any) -> Any:
    from transformers import Qwen3OmniMoeConfig, Qwen3OmniMoeForConditionalGeneration

    ids = tokenizer.convert_tokens_to_ids
    marks = _MARKS[QWEN3]
    tokens = {
        "audio_token_id": ids(marks["audio_token"]),
        "image_token_id": ids(marks["image_token"]),
        "video_token_id": ids(marks["video_token"]),
        "audio_start_token_id": ids(marks["audio_bos_token"]),
        "vision_start_token_id": ids(marks["vision_bos_token"]),
    }
    experts: dict[str, Any] = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
    thinker_text = {**_text_config(len(tokenizer)), **experts, "head_dim": SIZE // 4}
    thinker_text["rope_parameters"]["mrope_interleaved"] = True
    codes, groups = 24, 4
    talker_text = {
        # The last 1024 ids are the talker's special ones: the library suppresses them by that number.
        **_text_config(codes + 1024),
        **experts,
        "head_dim": SIZE // 4,
        "shared_expert_intermediate_size": 16,
    }
    talker_text["rope_parameters"]["mrope_interleaved"] = True
    predictor = {
        "vocab_size": codes,
        "hidden_size": SIZE,
        "intermediate_size": SIZE,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "num_code_groups": groups,
        "rope_parameters": _ROPE,
    }
    names = ("pad_id", "bos_id", "eos_token_id", "nothink_id", "think_bos_id", "think_eos_id")
    special = {f"codec_{name}": codes + number for number, name in enumerate(names)}
    config = Qwen3OmniMoeConfig(
        thinker_config={
            **tokens,
            "vision_end_token_id": ids(marks["vision_eos_token"]),
            "audio_end_token_id": ids(marks["audio_eos_token"]),
            "user_token_id": ids("user"),
            "text_config": thinker_text,
            "audio_config": {**_audio_config(), "downsample_hidden_size": 8},
            "vision_config": {
                **_vision_config(),
                "patch_size": 16,
                "num_position_embeddings": 16,
                "deepstack_visual_indexes": [0],
            },
        },
        talker_config={
            **tokens,
            **special,
            "text_config": talker_text,
            "code_predictor_config": predictor,
            "num_code_groups": groups,
            "thinker_hidden_size": SIZE,
            "accept_hidden_layer": 1,
            "speaker_id": {"chelsie": codes + 8, "ethan": codes + 9, "aiden": codes + 10},
            "spatial_merge_size": 2,
        },
        code2wav_config={
            "codebook_size": codes,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "num_hidden_layers": 1,
            "num_quantizers": groups,
            "decoder_dim": 32,
            "rope_parameters": _ROPE,
        },
        im_start_token_id=ids("<|im_start|>"),
        im_end_token_id=ids("<|im_end|>"),
        tts_pad_token_id=ids(_TTS[0]),
        tts_bos_token_id=ids(_TTS[1]),
        tts_eos_token_id=ids(_TTS[2]),
        system_token_id=ids("system"),
        user_token_id=ids("user"),
        assistant_token_id=ids("assistant"),
    )
    return Qwen3OmniMoeForConditionalGeneration(config)


def _shake(model: Any) -> None:
    """Larger weights than a fresh model's, so that answers depend on the question and the audio is not silent."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() < 2:
                continue
            vocoder = "bigvgan" in name or name.startswith("code2wav.decoder")
            torch.nn.init.normal_(weight, std=0.12 if vocoder else 0.3 if name.startswith("thinker") else 0.15)


def _temper(family: Family, model: Any, tokenizer: Any, text_end: float) -> None:
    """Makes texts printable."""
    special = {*_MARKS[family].values(), *_TTS}
    # What a byte-level BPE writes for a space is no ASCII.
    texts = {token for token in tokenizer.get_vocab() if token.isascii() and not token.startswith("<|")} | {"\u0120"}
    ids = tokenizer.convert_tokens_to_ids(sorted(texts - special))
    write_only(model.thinker.lm_head.weight, ids, tokenizer.eos_token_id, text_end)


def _speakers(tokenizer: Any, config: Any) -> dict[str, Any]:
    dit = config.token2wav_config.dit_config
    bos = tokenizer.convert_tokens_to_ids([_TTS[1], _TTS[3]])
    return {
        name: {
            "bos_token": token,
            "cond": torch.randn(1, dit.enc_emb_dim),
            "ref_mel": torch.randn(1, 20, dit.mel_dim),
        }
        for name, token in zip(("Chelsie", "Ethan"), bos, strict=True)
    }


KINDS = (
    Kind(QWEN25.model_type, "Qwen/Qwen2.5-Omni-7B", r"qwen2\.?5.*omni", qwen25),
    Kind(QWEN3.model_type, "Qwen/Qwen3-Omni-30B-A3B-Instruct", "qwen3.*omni", qwen3),
)
