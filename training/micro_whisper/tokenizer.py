"""The small byte-level BPE with Whisper's special tokens."""

from __future__ import annotations

import itertools

from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

from .settings import MODEL
from .text import utterances

__all__ = ["SPECIAL", "train_tokenizer"]

_TEXT_SEED = 1_000_003
_LINES = 40_000
_TIMESTAMPS = 1501
_CHARACTERS = "abcdefghijklmnopqrstuvwxyz"

SPECIAL = (
    "<|endoftext|>",
    "<|startoftranscript|>",
    "<|en|>",
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
)
"""In Whisper's order: text tokens come before the first, timestamps follow the last."""


def train_tokenizer() -> Tokenizer:
    """A BPE of `MODEL.vocabulary` tokens.

    faster-whisper always suppresses the token of a lone space, so every letter must follow a space in one token: each
    is trained as a separate word as well.
    """
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=MODEL.vocabulary, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    lines = (utterance.words for utterance in itertools.islice(utterances(_TEXT_SEED), _LINES))
    letters = itertools.repeat(" ".join(_CHARACTERS), 5000)
    tokenizer.train_from_iterator(itertools.chain(lines, letters), trainer)
    timestamps = [f"<|{index * 0.02:.2f}|>" for index in range(_TIMESTAMPS)]
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    tokenizer.add_tokens([AddedToken(token, special=False) for token in timestamps])
    missing = [letter for letter in _CHARACTERS if len(tokenizer.encode(letter).ids) != 1]
    if missing:
        raise ValueError(f"no token for a space and each of {missing}; raise MODEL.vocabulary")
    return tokenizer
