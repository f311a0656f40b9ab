"""Writes tiny GGUF files of random weights: a Llama with tokenizer and chat template inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from omnigap_services.torch_utils.tiny import letters_tokenizer

SPECIAL = ["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"]
UNK, BOS, EOS, TURN_START, TURN_END = range(5)
TEMPLATE = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
HEADS, KV_HEADS, WIDTH, INNER, LAYERS, CONTEXT = 4, 2, 64, 96, 2, 512
# The writer refuses an empty list of merges, and transformers 5.16 reads a list of one as its value.
_MERGED = ("qz", "zq")
QUANTISED = gguf.GGMLQuantizationType.Q4_1
F32 = gguf.GGMLQuantizationType.F32
_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}

Tensors = dict[str, np.ndarray[Any, Any]]


def vocabulary() -> list[str]:
    """All tokens by id."""
    _, ids = letters_tokenizer(SPECIAL)
    return [*sorted(ids, key=ids.__getitem__), *_MERGED]


def tiny_model(seed: int = 0) -> LlamaForCausalLM:
    """The model whose weights `tensors_of` writes."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(vocabulary()),
        hidden_size=WIDTH,
        intermediate_size=INNER,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(3.0)
    return model


def tensors_of(model: LlamaForCausalLM) -> Tensors:
    """The weights under llama.cpp's names, with its order of the rows of queries and keys."""
    found: Tensors = {}
    for name, value in model.state_dict().items():
        array = value.numpy().astype(np.float32)
        if name == "model.embed_tokens.weight":
            found["token_embd.weight"] = array
        elif name == "model.norm.weight":
            found["output_norm.weight"] = array
        elif name.startswith("model.layers."):
            _, _, number, rest = name.split(".", 3)
            if "q_proj" in rest or "k_proj" in rest:
                array = _interleaved(array, HEADS if "q_proj" in rest else KV_HEADS)
            found[f"blk.{number}.{_NAMES[rest.removesuffix('.weight')]}.weight"] = array
    return found


def _interleaved(array: np.ndarray[Any, Any], heads: int) -> np.ndarray[Any, Any]:
    """llama.cpp rotates neighbouring pairs of rows, transformers the two halves of a head."""
    return array.reshape(heads, 2, array.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(array.shape)


def write_gguf(
    path: Path,
    tensors: Mapping[str, np.ndarray[Any, Any]] | None = None,
    *,
    architecture: str = "llama",
    quantisation: gguf.GGMLQuantizationType = QUANTISED,
    template: str = TEMPLATE,
    eos: int = TURN_END,
    extra: Mapping[str, Any] | None = None,
    parts: int = 1,
) -> Path:
    """Writes the file, or as many parts of it as asked, and returns the path of the (first) file.

    Args:
        tensors: default: those of `tiny_model()`. Matrices are quantised, vectors stay in 32 bits.
        extra: further metadata; text and numbers.
    """
    made = gguf.GGUFWriter(path, architecture, split_max_tensors=0)
    _describe(made, template, eos, extra or {})
    for name, array in (tensors_of(tiny_model()) if tensors is None else tensors).items():
        if array.ndim == 2 and quantisation is not F32:
            made.add_tensor(name, gguf.quantize(array, quantisation), raw_dtype=quantisation)
        else:
            made.add_tensor(name, array)
    made.write_header_to_file()
    made.write_kv_data_to_file()
    made.write_tensors_to_file()
    made.close()
    return path if parts == 1 else split(path, parts)


def _describe(made: gguf.GGUFWriter, template: str, eos: int, extra: Mapping[str, Any]) -> None:
    made.add_name("Tiny")
    made.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_1)
    made.add_context_length(CONTEXT)
    made.add_embedding_length(WIDTH)
    made.add_block_count(LAYERS)
    made.add_feed_forward_length(INNER)
    made.add_head_count(HEADS)
    made.add_head_count_kv(KV_HEADS)
    made.add_rope_dimension_count(WIDTH // HEADS)
    made.add_rope_freq_base(10_000.0)
    made.add_layer_norm_rms_eps(1e-6)
    tokens = vocabulary()
    made.add_vocab_size(len(tokens))
    made.add_tokenizer_model("gpt2")
    made.add_tokenizer_pre("smollm")
    made.add_token_list(tokens)
    made.add_token_types([gguf.TokenType.CONTROL if token in SPECIAL else gguf.TokenType.NORMAL for token in tokens])
    made.add_token_merges([" ".join(merged) for merged in _MERGED])
    made.add_bos_token_id(BOS)
    made.add_eos_token_id(eos)
    made.add_unk_token_id(UNK)
    if template:
        made.add_chat_template(template)
    for key, value in extra.items():
        kind = {str: made.add_string, int: made.add_uint32, float: made.add_float32}[type(value)]
        kind(key, value)


def split(path: Path, parts: int) -> Path:
    """Replaces a file by parts named as llama-gguf-split names them: the metadata is in the first one only."""
    reader = gguf.GGUFReader(path)
    shares = np.array_split(np.arange(len(reader.tensors)), parts)
    paths = [path.with_name(f"{path.stem}-{number:05d}-of-{parts:05d}.gguf") for number in range(1, parts + 1)]
    for number, (share, target) in enumerate(zip(shares, paths, strict=True)):
        made = gguf.GGUFWriter(target, "llama")
        if number == 0:
            _copy_metadata(reader, made)
        made.add_uint16("split.no", number)
        made.add_uint16("split.count", parts)
        for tensor in (reader.tensors[place] for place in share):
            made.add_tensor(tensor.name, np.array(tensor.data), raw_dtype=tensor.tensor_type)
        made.write_header_to_file()
        made.write_kv_data_to_file()
        made.write_tensors_to_file()
        made.close()
    path.unlink()
    return paths[0]


def _copy_metadata(reader: gguf.GGUFReader, made: gguf.GGUFWriter) -> None:
    for name, found in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        kind = found.types[0]
        inner: Sequence[Any] = found.types[-1:] if kind is gguf.GGUFValueType.ARRAY else []
        made.add_key_value(name, found.contents(), kind, *inner)
