"""Reads a speaker's embedding from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from omnigap_services.hf.tts.options import SERVICE
from omnigap_services.options import OptionsError

Vector = npt.NDArray[np.float32]


def read_embedding(path: str, size: int) -> Vector:
    """A vector of `size` numbers, shape (1, size).

    A `.npy` holds it as NumPy wrote it, a `.pt` as torch did; a `.bin` is either torch's, or the bare float32 numbers.

    Raises:
        OptionsError: for a file that is not there, of another kind, or of another size; pickled objects are refused.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise _wrong(path, "there is no such file")
    try:
        vector = np.asarray(_read(file, size), dtype=np.float32).reshape(-1)
    except OptionsError:
        raise
    except Exception as error:
        raise _wrong(path, f"it cannot be read as a vector ({type(error).__name__}: {error})") from error
    if vector.size != size or not np.isfinite(vector).all():
        raise _wrong(path, f"it holds {vector.size} numbers, and the model takes {size} finite ones")
    return vector.reshape(1, size)


def _read(file: Path, size: int) -> Any:
    kind = file.suffix.lower()
    if kind == ".npy":
        return np.load(file, allow_pickle=False)
    if kind == ".bin" and file.stat().st_size == 4 * size:
        return np.fromfile(file, dtype="<f4")
    if kind in (".pt", ".bin", ".pth"):
        import torch

        return torch.load(file, map_location="cpu", weights_only=True)
    raise _wrong(str(file), "it is no .npy, .pt or .bin")


def _wrong(path: str, text: str) -> OptionsError:
    return OptionsError(f"service {SERVICE}: option 'voices' names the file {path!r}, but {text}")
