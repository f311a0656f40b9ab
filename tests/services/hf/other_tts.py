"""Tiny voices of other kinds than those of `hf-tts --tiny`, and the embeddings of speakers in three formats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from omnigap_services.hf.tts import tiny
from omnigap_services.hf.tts.tiny import EMBEDDING, vits


def vits_of_letters(folder: Path) -> Path:
    """The VITS of --tiny with the alphabet of MMS-TTS for English: no digits and no punctuation."""
    return vits(folder, alphabet="abcdefghijklmnopqrstuvwxyz'- ")


def vits_of_two(folder: Path) -> Path:
    """The VITS of --tiny with two speakers."""
    return vits(folder, speakers=2)


def vits_of_other_scripts(folder: Path) -> Path:
    """One that was trained on other scripts in Latin letters."""
    return vits(folder, is_uroman=True)


def vits_of_phonemes(folder: Path) -> Path:
    """One that was trained on phonemes."""
    return vits(folder, phonemize=True)


def speecht5(folder: Path) -> Path:
    """The SpeechT5 of --tiny with three speakers."""
    tiny.speecht5(folder)
    draw = np.random.default_rng(0)
    np.save(folder / "first.npy", draw.standard_normal(EMBEDDING).astype(np.float32))
    torch.save(torch.from_numpy(draw.standard_normal((1, EMBEDDING)).astype(np.float32)), folder / "second.pt")
    draw.standard_normal(EMBEDDING).astype("<f4").tofile(folder / "third.bin")
    return folder
