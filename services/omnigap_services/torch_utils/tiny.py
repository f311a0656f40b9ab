"""Parts of the tiny random checkpoints of `omnigap-serve NAME --tiny`: the choice of one, options, tokenizers, weights.

Only `Adapter.build_tiny` of the services imports this module, and modules of the same name in their packages. They are
not part of a service's digest: what they make is, as weights and as options.
"""

from __future__ import annotations

import io
import itertools
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from omnigap.errors import quoted
from omnigap_services.adapter import TinyError
from omnigap_services.torch_utils.generation import seeded

PAD, BOS, EOS = 0, 1, 2
"""Ids of `fast_tokenizer`."""

CPU_THREADS = 1
"""More threads than cores make tiny models slow, and one is enough for them."""


@dataclass(frozen=True, slots=True)
class Kind:
    """An architecture that a service can make.

    Attributes:
        model_type: in the checkpoint's config.json; also a name that chooses it.
        example: a name of real weights, for messages.
        pattern: regular expression that finds it in the lower-case name of a checkpoint.
        build: writes the checkpoint into an empty folder; every random number must come from torch's generator.
    """

    model_type: str
    example: str
    pattern: str
    build: Callable[[Path], object]


def chosen(kinds: Sequence[Kind], service: str, option: str, name: str) -> Kind:
    """The kind that a checkpoint's name, or the config.json in its folder, means; the first if the name is empty.

    Raises:
        TinyError: none of them; it lists them.
    """
    if not name:
        return kinds[0]
    model_type = _model_type(Path(name).expanduser())
    for kind in kinds:
        named = model_type or (kind.model_type if re.search(kind.pattern, name.lower()) else name)
        if named == kind.model_type:
            return kind
    known = ", ".join(f"{kind.model_type} (such as {kind.example})" for kind in kinds)
    raise TinyError(
        f"service {service}: option {option!r} is {quoted(name)}{model_type and f', a {model_type}'}, but --tiny has"
        f" {known}: set {option} to one of these, or leave it out for {kinds[0].model_type}"
    )


def _model_type(folder: Path) -> str:
    """Of a checkpoint on this machine; empty if it is not one."""
    try:
        return str(json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type", ""))
    except (OSError, ValueError, AttributeError):
        return ""


def write(kind: Kind, folder: Path, seed: int = 0) -> None:
    """Writes a kind's checkpoint, the same at every start."""
    with seeded(seed):
        kind.build(folder)


def tiny_options(
    given: Mapping[str, object],
    checkpoint: Mapping[str, object],
    limits: Mapping[str, object],
    dropped: Collection[str] = ("revision",),
) -> dict[str, object]:
    """The options that serve a tiny checkpoint.

    Args:
        given: by the user; they replace `limits`.
        checkpoint: options that name it; they replace those of the user.
        limits: that keep answers short: a random model rarely ends one.
        dropped: given options that say which real weights are read.
    """
    kept = {key: value for key, value in given.items() if key not in dropped}
    return {"cpu_threads": CPU_THREADS, **limits, **kept, **checkpoint}


def letters_tokenizer(special: Sequence[str]) -> tuple[Any, dict[str, int]]:
    """A BPE of `tokenizers` with one token a printable ASCII letter, behind the special ones; and the ids of all."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    letters = [*map(chr, range(33, 127)), "Ġ", "Ċ"]
    vocabulary = {token: number for number, token in enumerate([*special, *letters])}
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return made, vocabulary


def fast_tokenizer(*special: str) -> Any:
    """Letters behind the three tokens that pad, begin and end; `special` follow these, from id 3 on."""
    from transformers import PreTrainedTokenizerFast

    made, _ = letters_tokenizer(["<pad>", "<s>", "</s>", *special])
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        additional_special_tokens=list(special),
    )


def sentencepiece_model(pieces: int = 1_000) -> bytes:
    """A `tokenizer.model` as LLaMA has it: BPE with bytes behind `<unk>` 0, `<s>` 1 and `</s>` 2, no normalisation.

    Args:
        pieces: size of the vocabulary; about 450 to 1,100.
    """
    from sentencepiece import SentencePieceTrainer

    words = ["".join(letters) for letters in itertools.product("bdfgklmnprstvz", "aeiou", "klmnrst")]
    lines = [" ".join(words[start : start + 7]) for start in range(0, len(words), 7)]
    made = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter([*lines, " ".join(map(chr, range(33, 127)))]),
        model_writer=made,
        model_type="bpe",
        vocab_size=pieces,
        byte_fallback=True,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        split_digits=True,
        character_coverage=1.0,
        num_threads=1,
        minloglevel=2,
    )
    return made.getvalue()


def printable_pieces(model: bytes) -> list[int]:
    """Ids of a sentencepiece model's pieces that are written as ASCII text; without bytes and control pieces."""
    from sentencepiece import SentencePieceProcessor

    pieces = SentencePieceProcessor(model_proto=model)
    return [
        number
        for number in range(pieces.vocab_size())
        if not (pieces.is_byte(number) or pieces.is_control(number) or pieces.is_unknown(number))
        and pieces.id_to_piece(number).replace("▁", "").isascii()
    ]


def llama_sizes(vocabulary: int) -> dict[str, Any]:
    """Arguments of a tiny LLaMA-like config, with the ids of `fast_tokenizer`."""
    return {
        "vocab_size": vocabulary,
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


def spread(model: torch.nn.Module, factor: float = 3.0) -> None:
    """Spreads the weights out, so that answers depend on the question and rounding does not decide the next token."""
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(factor)


def write_only(head: torch.Tensor, tokens: Iterable[int], end: int, end_factor: float = 1.0) -> None:
    """Changes an output matrix so that a greedy answer has these tokens only, and may end.

    The logits of all others are 0, so one of the chosen tokens has a larger one.

    Args:
        head: shape (vocabulary, hidden size).
        tokens: the ids that may be written.
        end: id of the token that ends an answer.
        end_factor: over 1 makes answers shorter.
    """
    kept = torch.zeros(len(head), dtype=torch.bool)
    kept[[*tokens, end]] = True
    with torch.no_grad():
        head[~kept] = 0
        head[end] *= end_factor
