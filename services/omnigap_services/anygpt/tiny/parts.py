"""Tiny random checkpoints of AnyGPT's codec, SoundStorm and image encoder, with the files and keys of real ones.

Shapes are listed here under the names in the files, apart from the loaders, which must read every one of them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from omnigap_services.anygpt.seed_encoder import FILE

SOUNDSTORM_FILE = "speechtokenizer_soundstorm_mls.pt"

Shapes = dict[str, tuple[int, ...]]

_CODES = 1024
_LEVELS = 8

# Endings of the names of vectors that are added or looked up.
_TABLES = ("emb.weight", "embeds.weight", "embedding.weight", "embed", "embed_avg", "embed_image", "_token", "_tokens")

# Makes the tiny codec's answers as loud as speech; a factor measured while it is built would depend on the machine, and
# with it the weights.
_LOUDNESS = {"ELU": 1 / 6, "Snake": 1 / 80}


def write_speech_tokenizer(folder: Path, seed: int = 0, activation: Literal["ELU", "Snake"] = "Snake") -> None:
    """Writes config.json and ckpt.dev: 16 kHz, hop 320, eight levels of 1024 codes."""
    config = {
        "n_filters": 4,
        "strides": [8, 5, 4, 2],
        "dimension": 16,
        "semantic_dimension": 12,
        "bidirectional": True,
        "dilation_base": 2,
        "residual_kernel_size": 3,
        "n_residual_layers": 1,
        "lstm_layers": 2,
        "activation": activation,
        "codebook_size": _CODES,
        "n_q": _LEVELS,
        "sample_rate": 16_000,
    }
    tensors = _random(_codec_shapes(4, 16, snake=activation == "Snake"), seed)
    for name in ("weight_g", "bias"):
        tensors[f"decoder.model.15.conv.conv.{name}"] *= _LOUDNESS[activation]
    _write(folder, "ckpt.dev", tensors, config)


def write_soundstorm(folder: Path, seed: int = 0, name: str = SOUNDSTORM_FILE) -> Path:
    """Writes the .pt file, and config.json with the number of heads; returns the file's path."""
    width, heads, head_width = 32, 2, 16
    shapes: Shapes = {
        "semantic_token_emb.weight": (_CODES, width),
        "net.code_embeds.weight": ((_LEVELS - 1) * (_CODES + 1), width),
    }
    for layer in range(2):
        shapes |= _under(f"net.conformer.layers.{layer}.", _conformer_shapes(width, heads * head_width))
    shapes |= _linear("net.heads.0", width, (_LEVELS - 1) * width) | _norm("net.to_logits.0", width)
    shapes["net.to_logits.2.weight"] = (_LEVELS - 1, width, _CODES)
    shapes["net.to_logits.2.bias"] = (1, 1, _LEVELS - 1, _CODES)
    return _write(folder, name, _random(shapes, seed), {"heads": heads})


def write_seed_encoder(folder: Path, seed: int = 0) -> Path:
    """Writes seed_quantizer.pt, and config.json with the numbers of heads and layers; returns the file's path.

    32 queries, a codebook of 8192 ids; pictures of 224x224 pixels in patches of 14.
    """
    vision, hidden, layers = 32, 24, 2
    shapes: Shapes = {
        "query_tokens": (1, 32, hidden),
        "visual_encoder.cls_token": (1, 1, vision),
        "visual_encoder.pos_embed": (1, 257, vision),
        "visual_encoder.patch_embed.proj.weight": (vision, 3, 14, 14),
        "visual_encoder.patch_embed.proj.bias": (vision,),
        **_norm("ln_vision", vision),
        **_norm("Qformer.bert.embeddings.LayerNorm", hidden),
    }
    for layer in range(layers):
        shapes |= _under(f"visual_encoder.blocks.{layer}.", _vit_shapes(vision))
        shapes |= _under(f"Qformer.bert.encoder.layer.{layer}.", _bert_shapes(hidden, vision, crosses=layer % 2 == 0))
    shapes |= _linear("encode_task_layer.0", hidden, hidden) | _linear("encode_task_layer.2", hidden, 32)
    shapes["quantize.embedding.weight"] = (8192, 32)
    # Used to draw pictures only: real files have these too, and the loader must leave them out.
    shapes |= _linear("decode_task_layer.0", 32, 32) | {"pos_embed_image": (1, 32, hidden)}
    config = {"vision_layers": layers, "vision_heads": 2, "qformer_heads": 2}
    return _write(folder, FILE, _random(shapes, seed), config)


def _codec_shapes(filters: int, dimension: int, snake: bool) -> Shapes:
    shapes: Shapes = {}
    channels = filters
    encoder = [_conv("conv", 1, channels, 7)]
    for ratio in (2, 4, 5, 8):
        encoder += [
            _residual(channels, snake),
            _snake(channels, snake),
            _conv("conv", channels, 2 * channels, 2 * ratio),
        ]
        channels *= 2
    encoder += [_lstm(channels, both=True), _snake(2 * channels, snake), _conv("conv", 2 * channels, dimension, 7)]
    decoder = [_conv("conv", dimension, channels, 7), _lstm(channels, both=False)]
    for ratio in (8, 5, 4, 2):
        # A transposed convolution has its inputs first.
        decoder += [_snake(channels, snake), _conv("convtr", channels // 2, channels, 2 * ratio, bias=channels // 2)]
        channels //= 2
        decoder.append(_residual(channels, snake))
    decoder += [_snake(channels, snake), _conv("conv", channels, 1, 7)]
    for name, parts in (("encoder", encoder), ("decoder", decoder)):
        for number, part in enumerate(parts):
            shapes |= _under(f"{name}.model.{number}.", part)
    for level in range(_LEVELS):
        kept = {
            "inited": (1,),
            "cluster_size": (_CODES,),
            "embed": (_CODES, dimension),
            "embed_avg": (_CODES, dimension),
        }
        shapes |= _under(f"quantizer.vq.layers.{level}._codebook.", kept)
    return shapes | _linear("transform", dimension, 12)


def _conv(kind: str, inputs: int, outputs: int, kernel: int, bias: int = 0) -> Shapes:
    """A convolution with weight norm, under the names of torch before 2.0."""
    return {
        f"{kind}.{kind}.bias": (bias or outputs,),
        f"{kind}.{kind}.weight_g": (outputs, 1, 1),
        f"{kind}.{kind}.weight_v": (outputs, inputs, kernel),
    }


def _residual(channels: int, snake: bool) -> Shapes:
    narrow = channels // 2
    return {
        **_under("block.0.", _snake(channels, snake)),
        **_under("block.1.", _conv("conv", channels, narrow, 3)),
        **_under("block.2.", _snake(narrow, snake)),
        **_under("block.3.", _conv("conv", narrow, channels, 1)),
        **_under("shortcut.", _conv("conv", channels, channels, 1)),
    }


def _snake(channels: int, snake: bool) -> Shapes:
    return {"alpha": (1, channels, 1)} if snake else {}


def _lstm(channels: int, both: bool) -> Shapes:
    shapes: Shapes = {}
    for layer in range(2):
        inputs = channels * (1 + both) if layer else channels
        for way in ("", "_reverse")[: 1 + both]:
            shapes[f"lstm.weight_ih_l{layer}{way}"] = (4 * channels, inputs)
            shapes[f"lstm.weight_hh_l{layer}{way}"] = (4 * channels, channels)
            shapes |= {f"lstm.bias_{kind}_l{layer}{way}": (4 * channels,) for kind in ("ih", "hh")}
    return shapes


def _conformer_shapes(width: int, inner: int) -> Shapes:
    shapes: Shapes = {}
    for part in ("ff1", "ff2"):
        shapes |= _norm(f"{part}.fn.norm", width)
        shapes |= _linear(f"{part}.fn.fn.net.0", width, 4 * width) | _linear(f"{part}.fn.fn.net.3", 4 * width, width)
    wide = 2 * width
    return {
        **shapes,
        **_norm("attn.norm", width),
        "attn.fn.to_q.weight": (inner, width),
        "attn.fn.to_kv.weight": (2 * inner, width),
        **_linear("attn.fn.to_out", inner, width),
        **_norm("conv.net1.0", width),
        "conv.net1.2.weight": (2 * wide, width, 1),
        "conv.net1.2.bias": (2 * wide,),
        "conv.ds_conv.conv.weight": (wide, 1, 31),
        "conv.ds_conv.conv.bias": (wide,),
        "conv.net2.1.gamma": (1, wide, 1),
        "conv.net2.2.weight": (width, wide, 1),
        "conv.net2.2.bias": (width,),
        **_norm("post_norm", width),
    }


def _vit_shapes(width: int) -> Shapes:
    shapes = _norm("norm1", width) | _norm("norm2", width) | _linear("attn.proj", width, width)
    shapes |= {"attn.q_bias": (width,), "attn.v_bias": (width,), "attn.qkv.weight": (3 * width, width)}
    return shapes | _linear("mlp.fc1", width, 4 * width) | _linear("mlp.fc2", 4 * width, width)


def _bert_shapes(hidden: int, vision: int, crosses: bool) -> Shapes:
    shapes: Shapes = {}
    for part, seen in (("attention", hidden), ("crossattention", vision))[: 1 + crosses]:
        shapes |= _linear(f"{part}.self.query", hidden, hidden) | _linear(f"{part}.self.key", seen, hidden)
        shapes |= _linear(f"{part}.self.value", seen, hidden) | _linear(f"{part}.output.dense", hidden, hidden)
        shapes |= _norm(f"{part}.output.LayerNorm", hidden)
    shapes |= _linear("intermediate_query.dense", hidden, 4 * hidden) | _linear(
        "output_query.dense", 4 * hidden, hidden
    )
    return shapes | _norm("output_query.LayerNorm", hidden)


def _linear(name: str, inputs: int, outputs: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _under(prefix: str, shapes: Shapes) -> Shapes:
    return {f"{prefix}{name}": shape for name, shape in shapes.items()}


def _random(shapes: Shapes, seed: int) -> dict[str, Tensor]:
    """Random tensors at the scale at which a layer keeps the scale of its inputs."""
    draws = torch.Generator().manual_seed(seed)
    tensors: dict[str, Tensor] = {}
    for name, shape in shapes.items():
        noise = torch.randn(shape, generator=draws)
        kind = name.rpartition(".")[2]
        if kind in ("alpha", "gamma", "inited", "cluster_size") or (kind == "weight" and len(shape) == 1):
            tensors[name] = 1 + 0.1 * noise
        elif "bias" in kind:
            tensors[name] = 0.1 * noise
        elif name.endswith(_TABLES):
            tensors[name] = noise
        else:
            tensors[name] = noise / math.sqrt(math.prod(shape[1:]))
    # With weight norm, the length of each filter is that of its random direction.
    for name in [name for name in tensors if name.endswith("weight_g")]:
        tensors[name] = tensors[f"{name[:-1]}v"].flatten(1).norm(dim=1).view(-1, 1, 1)
    return tensors


def _write(folder: Path, name: str, tensors: Mapping[str, Tensor], config: Mapping[str, object]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    torch.save(dict(tensors), folder / name)
    return folder / name
