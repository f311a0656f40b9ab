"""A tiny NExT-GPT with random weights, in the files, names and shapes of the real one (`--tiny`).

The number of blocks, the widths and Vicuna's vocabulary are small; images of 224 x 224 pixels and clips of two seconds
make as many patches as in the real model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from omnigap_services.nextgpt.loading import DELTA, IMAGEBIND
from omnigap_services.nextgpt.options import SERVICE, NextgptOptions
from omnigap_services.nextgpt.prompt import ADDED_TOKENS, Vocabulary
from omnigap_services.options import read_options
from omnigap_services.torch_utils.generation import seeded
from omnigap_services.torch_utils.tiny import (
    llama_sizes,
    printable_pieces,
    sentencepiece_model,
    spread,
    tiny_options,
    write_only,
)
from omnigap_services.torch_utils.versions import let_torchvision_import

PIECES = 600
RANK = 4
OUTPUT = 24
"""Length of ImageBind's vectors; 1,024 in the real one."""

VISION, AUDIO = 32, 24
"""Widths of the towers: multiples of their heads, which are as many as in the real ones."""

_REVISIONS = ("vicuna_revision", "delta_revision", "imagebind_revision")
_LIMITS = {"max_new_tokens": 16}


def build(options: Mapping[str, object], folder: Path) -> dict[str, object]:
    """Writes the three parts, and returns the options that serve them."""
    parts = {"vicuna": folder / "vicuna", "delta": folder, "imagebind": folder / IMAGEBIND}
    found = tiny_options(options, {name: str(path) for name, path in parts.items()}, _LIMITS, dropped=_REVISIONS)
    # An invalid option is reported before anything is built.
    read_options(NextgptOptions, SERVICE, found)
    # Before transformers, which imports torchvision: that would fail next to a CPU build of torch.
    let_torchvision_import()
    with seeded(0):
        write_vicuna(folder / "vicuna")
        write_delta(folder)
        write_imagebind(folder / IMAGEBIND)
    return found


def write_vicuna(folder: Path) -> None:
    """A tiny LLaMA and its tokenizer, with Vicuna v0's token for padding behind the vocabulary."""
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {**llama_sizes(PIECES + 1), "num_key_value_heads": 4, "bos_token_id": 1, "eos_token_id": 2}
    model = LlamaForCausalLM(LlamaConfig(**sizes))
    spread(model)
    model.save_pretrained(folder)
    _write_tokenizer(folder, {"[PAD]": PIECES})


def write_delta(folder: Path) -> None:
    """LoRA weights, the enlarged tables, the projection, and layers that only drawing needs."""
    added = {"[PAD]": PIECES, **{token: PIECES + 1 + number for number, token in enumerate(ADDED_TOKENS)}}
    model = _write_tokenizer(folder, added)
    sizes = llama_sizes(PIECES + len(added))
    hidden = int(sizes["hidden_size"])
    head = torch.randn(int(sizes["vocab_size"]), hidden)
    write_only(head, printable_pieces(model), Vocabulary(folder, "delta").end)
    tensors = {
        "llama_model.base_model.model.model.embed_tokens.weight": torch.randn_like(head),
        "llama_model.base_model.model.lm_head.weight": head,
        "llama_proj.weight": torch.randn(hidden, OUTPUT),
        "llama_proj.bias": torch.randn(hidden),
        "gen_text_hidden_fcs.0.fc.weight": torch.randn(8, hidden),
        "gen_text_hidden_fcs_video.0.fc.weight": torch.randn(8, hidden),
        "gen_text_hidden_fcs_audio.0.fc.weight": torch.randn(8, hidden),
    }
    for layer in range(int(sizes["num_hidden_layers"])):
        for name in "qkvo":
            prefix = f"llama_model.base_model.model.model.layers.{layer}.self_attn.{name}_proj"
            tensors[f"{prefix}.lora_A.default.weight"] = 0.3 * torch.randn(RANK, hidden)
            tensors[f"{prefix}.lora_B.default.weight"] = 0.3 * torch.randn(hidden, RANK)
    torch.save(tensors, folder / DELTA)


def write_imagebind(path: Path, blocks: int = 2) -> None:
    """All six modalities, two of which the service reads."""
    tensors = {
        **_tower("vision", VISION, (VISION, 3, 2, 14, 14), 257, blocks),
        **_tower("audio", AUDIO, (AUDIO, 1, 16, 16), 229, blocks),
        "modality_postprocessors.audio.1.log_logit_scale": torch.tensor(3.0),
    }
    for modality in ("text", "depth", "thermal", "imu"):
        for part in ("modality_preprocessors.{}.cls_token", "modality_trunks.{}.blocks.0.norm_1.weight"):
            tensors[part.format(modality)] = torch.randn(8)
        tensors[f"modality_heads.{modality}.2.weight"] = torch.randn(OUTPUT, 8)
    torch.save(tensors, path)


def _tower(modality: str, width: int, kernel: tuple[int, ...], positions: int, blocks: int) -> dict[str, torch.Tensor]:
    """The tensors of one modality under ImageBind's names."""
    is_audio = modality == "audio"
    stem, trunk = f"modality_preprocessors.{modality}", f"modality_trunks.{modality}"
    found = {
        f"{stem}.cls_token": torch.randn(1, 1, width),
        f"{stem}.pos_embedding_helper.pos_embed": torch.randn(1, positions, width),
        f"{stem}.rgbt_stem.proj{'' if is_audio else '.1'}.weight": 0.2 * torch.randn(*kernel),
        **_norm(f"{stem}.rgbt_stem.norm_layer" if is_audio else f"{trunk}.pre_transformer_layer.0", width),
        **_norm(f"modality_heads.{modality}.0", width),
        f"modality_heads.{modality}.2.weight": torch.randn(OUTPUT, width),
    }
    for number in range(blocks):
        block = f"{trunk}.blocks.{number}"
        found |= {
            **_norm(f"{block}.norm_1", width),
            f"{block}.attn.in_proj_weight": 0.3 * torch.randn(3 * width, width),
            f"{block}.attn.in_proj_bias": torch.randn(3 * width),
            **_linear(f"{block}.attn.out_proj", width, width),
            **_norm(f"{block}.norm_2", width),
            **_linear(f"{block}.mlp.fc1", 4 * width, width),
            **_linear(f"{block}.mlp.fc2", width, 4 * width),
        }
        if is_audio:
            found |= {f"{block}.attn.bias_{name}": torch.randn(1, 1, width) for name in "kv"}
    return found


def _norm(name: str, width: int) -> dict[str, torch.Tensor]:
    return {f"{name}.weight": 1 + 0.1 * torch.randn(width), f"{name}.bias": 0.1 * torch.randn(width)}


def _linear(name: str, outputs: int, inputs: int) -> dict[str, torch.Tensor]:
    return {f"{name}.weight": 0.3 * torch.randn(outputs, inputs), f"{name}.bias": 0.1 * torch.randn(outputs)}


def _write_tokenizer(folder: Path, added: Mapping[str, Any]) -> bytes:
    """The files that transformers 4.29 saves; returns the sentencepiece model."""
    model = sentencepiece_model(PIECES)
    (folder / "tokenizer.model").write_bytes(model)
    (folder / "added_tokens.json").write_text(json.dumps(dict(added)), encoding="utf-8")
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "</s>"}
    (folder / "special_tokens_map.json").write_text(json.dumps(special), encoding="utf-8")
    return model
