"""Tiny random checkpoints of AnyGPT's codec, SoundStorm and image encoder, in the files and with the keys of real ones."""

from __future__ import annotations

from pathlib import Path


def write_speech_tokenizer(folder: Path, seed: int = 0, activation: str = "Snake") -> None:
    """Writes config.json and ckpt.dev: 16 kHz, hop 320, eight levels of 1024 codes."""
    raise NotImplementedError


def write_soundstorm(folder: Path, seed: int = 0, name: str = "speechtokenizer_soundstorm_mls.pt") -> Path:
    """Writes the .pt file, and config.json with the number of heads; returns the file's path."""
    raise NotImplementedError


def write_seed_encoder(folder: Path, seed: int = 0) -> Path:
    """Writes seed_quantizer.pt, and config.json with the numbers of heads; returns the file's path.

    32 queries, a codebook of 8192 ids.
    """
    raise NotImplementedError
