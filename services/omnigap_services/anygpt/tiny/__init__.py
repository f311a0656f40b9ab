"""A tiny random AnyGPT for `--tiny`: a LLaMA with the added tokens of the published one, codec, SoundStorm and SEED."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from omnigap_services.anygpt.tiny.parts import write_seed_encoder, write_soundstorm, write_speech_tokenizer
from omnigap_services.anygpt.vocabulary import (
    ASSISTANT,
    END,
    END_OF_HUMAN,
    HUMAN,
    IMAGE_PREFIX,
    REPLY,
    SPEECH_PREFIX,
    TRANSCRIPT,
)
from omnigap_services.torch_utils.generation import seeded
from omnigap_services.torch_utils.tiny import printable_pieces, sentencepiece_model, tiny_options
from omnigap_services.torch_utils.versions import let_torchvision_import

PIECES = 1_000
_SPEECH_CODES = 1_024
_IMAGE_CODES = 8_192
_MUSIC_CODES = 8_192
_MUSIC_PREFIX = "\U0001f3b6"

_SIZE = 128
_WORDS = 24
_WORDS_IN_A_WALK = 8
_CODES_IN_A_WALK = 256

_LIMITS = {"max_new_tokens": 16, "max_speech_tokens": 50}


def build(options: Mapping[str, object], folder: Path, seed: int = 0) -> dict[str, object]:
    """Writes everything that the options do not leave out (about 27 MB), and returns the options that serve it."""
    checkpoint: dict[str, object] = {"checkpoint": str(folder / "AnyGPT-chat")}
    write_language_model(folder / "AnyGPT-chat", seed)
    if options.get("speech", True):
        modules = folder / "AnyGPT-speech-modules"
        write_speech_tokenizer(modules / "speechtokenizer", seed)
        written = write_soundstorm(modules / "soundstorm", seed)
        checkpoint |= {"speech_modules": str(modules), "soundstorm_file": str(written.relative_to(modules))}
    if options.get("image", True):
        write_seed_encoder(folder / "seed-tokenizer-2", seed)
        checkpoint["image_tokenizer"] = str(folder / "seed-tokenizer-2")
    dropped = ("revision", "speech_modules_revision", "image_tokenizer_revision", "vision_encoder")
    return tiny_options(options, checkpoint, {"name": folder.name, **_LIMITS}, dropped)


def write_language_model(folder: Path, seed: int = 0) -> None:
    """Writes config.json, model.safetensors, tokenizer.model and added_tokens.json."""
    # Before transformers: its imports of torchvision would fail next to a CPU build of torch.
    let_torchvision_import()
    from sentencepiece import SentencePieceProcessor
    from transformers import LlamaConfig, LlamaForCausalLM

    folder.mkdir(parents=True)
    pieces = sentencepiece_model(PIECES)
    added = added_tokens(PIECES)
    config = LlamaConfig(
        vocab_size=PIECES + len(added),
        hidden_size=_SIZE,
        intermediate_size=2 * _SIZE,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=4_096,
        # Wide enough that the choice of the first word and code depends on the question.
        initializer_range=0.1,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    with seeded(seed):
        model = LlamaForCausalLM(config)
        names = SentencePieceProcessor(model_proto=pieces)
        words = [n for n in printable_pieces(pieces) if len(names.id_to_piece(n)) > 3]
        _shape(model, names.encode(":")[-1], words[:: len(words) // _WORDS][:_WORDS], added)
    model.save_pretrained(folder)
    (folder / "tokenizer.model").write_bytes(pieces)
    (folder / "added_tokens.json").write_text(json.dumps(added, ensure_ascii=False), encoding="utf-8")


def added_tokens(first: int) -> dict[str, int]:
    """The added tokens in the order of the authors' training: turns, images, speech, music, and the form of replies."""
    names = [
        *(HUMAN, ASSISTANT, END_OF_HUMAN, END),
        *(f"<{IMAGE_PREFIX}{code}>" for code in range(_IMAGE_CODES)),
        *("<soim>", "<eoim>"),
        *(f"<{SPEECH_PREFIX}{code}>" for code in range(_SPEECH_CODES)),
        *("<sosp>", "<eosp>"),
        *(f"<{_MUSIC_PREFIX}{code}>" for code in range(_MUSIC_CODES)),
        *("<somu>", "<eomu>"),
        *(REPLY, TRANSCRIPT),
    ]
    return {name: first + number for number, name in enumerate(names)}


def _shape(model: Any, colon: int, words: list[int], added: Mapping[str, int]) -> None:
    """Sets the output matrix so that answers are fixed sequences ("walks") of words and of speech codes, which end.

    The row of a token is the embedding of the token before it in the walk. The question decides with which word an
    answer begins; a few words, the mark of speech, some codes and the mark of its end follow.

    Args:
        colon: the id that ends every prompt.
    """
    order = torch.randperm(_SPEECH_CODES).tolist()
    codes = [added[f"<{SPEECH_PREFIX}{code}>"] for code in order]
    start, end = added["<sosp>"], added["<eosp>"]
    with torch.no_grad():
        table, head = model.get_input_embeddings().weight, model.get_output_embeddings().weight
        torch.nn.init.normal_(table)
        head.zero_()
        for before, walk, length, after in (
            (colon, words, _WORDS_IN_A_WALK, start),
            (start, codes, _CODES_IN_A_WALK, end),
        ):
            first = table[before] / table[before].norm()
            table[walk] -= (table[walk] @ first)[:, None] * first
            for place, token in enumerate(walk):
                last = (place + 1) % length == 0
                head[after if last else walk[place + 1]] += table[token]
            # Several tokens of the walk lead to the end, so its row answers to many directions by chance.
            head[after] *= 0.65
            head[walk] += 2 * table[before]
            # Small, so that the first token of a walk depends on what comes before.
            table[before] *= 0.4
        for layer in model.model.layers:
            # Attention that chooses, and layers that leave room for the token's own embedding.
            layer.self_attn.q_proj.weight.mul_(6)
            layer.self_attn.o_proj.weight.mul_(1.5)
            layer.mlp.down_proj.weight.mul_(0.3)
