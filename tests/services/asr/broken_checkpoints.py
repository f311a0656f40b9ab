"""Copies of the shipped checkpoint with one fault each."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from omnigap_services.asr.options import SHIPPED_CHECKPOINT

OPENAI: dict[str, Any] = {
    "feature_size": 80,
    "sampling_rate": 16_000,
    "hop_length": 160,
    "chunk_length": 30,
    "n_fft": 400,
}
"""preprocessor_config.json of OpenAI's checkpoints, which declares no padding."""


def copy_of_shipped(folder: Path, preprocessor: object = None) -> Path:
    """A copy in a new folder.

    Args:
        preprocessor: content of its preprocessor_config.json; None: the shipped one.
    """
    shutil.copytree(SHIPPED_CHECKPOINT, folder)
    if preprocessor is not None:
        (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    return folder


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def with_text(name: str, text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_text(text)

    return write


def with_keys(name: str, **values: object) -> Callable[[Path], None]:
    """The file with other values; None removes a key."""

    def write(folder: Path) -> None:
        found = {**json.loads((folder / name).read_text()), **values}
        (folder / name).write_text(json.dumps({key: value for key, value in found.items() if value is not None}))

    return write


def cut_to(name: str, size: int) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_bytes((folder / name).read_bytes()[:size])

    return write
