"""Reads from a CTranslate2 model.bin what a folder without its other files does not say: sizes of the network."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from omnigap.errors import OmnigapError
from omnigap_services.weights import LFS_POINTER, is_lfs_pointer

# Of CTranslate2's `model_spec.py`: from version 4 on, a variable has its type and its bytes before its data.
_FIRST_VERSION, _LAST_VERSION = 4, 6
_MAX_VARIABLES = 100_000
_SIZES = {384: "tiny", 512: "base", 768: "small", 1024: "medium", 1280: "large"}
_ENCODER_LAYERS = {384: 4, 512: 6, 768: 12, 1024: 24, 1280: 32}
_ENGLISH_WORDS = 51_864


class ModelFileError(OmnigapError, ValueError):
    """The file is no complete CTranslate2 model; the message says why."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """Sizes of a Whisper; 0 for what the file does not say.

    Attributes:
        mels: mel bins of its input.
        positions: of the encoder, each of two feature frames.
        width: of its layers.
        words: rows of the embedding, one for each entry of the vocabulary.
        encoder_layers, decoder_layers: numbers of layers.
    """

    mels: int = 0
    positions: int = 0
    width: int = 0
    words: int = 0
    encoder_layers: int = 0
    decoder_layers: int = 0

    @property
    def description(self) -> str:
        """A name for weights that have none: `unnamed Whisper of tiny.en's size`."""
        size = _SIZES.get(self.width, "")
        if not size or self.encoder_layers != _ENCODER_LAYERS[self.width]:
            return f"unnamed Whisper of {self.encoder_layers} layers" if self.encoder_layers else "unnamed Whisper"
        english = ".en" if self.words == _ENGLISH_WORDS else ""
        short = " with fewer decoder layers" if self.decoder_layers < self.encoder_layers else ""
        return f"unnamed Whisper of {size}{english}'s size{short}"


def read_model_file(path: Path) -> ModelFile:
    """The sizes of the Whisper in a model.bin; of a version that is not known here, none.

    Raises:
        ModelFileError: a Git LFS pointer, a file that ends too early, or one of another kind of model.
        OSError: it can't be read.
    """
    size = path.stat().st_size
    if is_lfs_pointer(path):
        raise ModelFileError(LFS_POINTER)
    with path.open("rb") as file:
        try:
            (version,) = struct.unpack("<I", _exactly(file, 4))
            if not _FIRST_VERSION <= version <= _LAST_VERSION:
                # CTranslate2 itself refuses what it can't read.
                return ModelFile()
            kind = _text(file)
            if kind != "WhisperSpec":
                raise ModelFileError(f"a CTranslate2 model of another kind ({kind[:40]!r} instead of Whisper)")
            shapes = dict(_variables(file, size))
        except (struct.error, UnicodeDecodeError):
            raise ModelFileError(f"incomplete or damaged ({size:,} bytes)") from None
    mels, positions = shapes.get("encoder/conv1/weight", ()), shapes.get("encoder/position_encodings/encodings", ())
    embedding = shapes.get("decoder/embeddings/weight", ())
    return ModelFile(
        mels=mels[1] if len(mels) == 3 else 0,
        positions=positions[0] if positions else 0,
        width=mels[0] if mels else 0,
        words=embedding[0] if embedding else 0,
        encoder_layers=_layers(shapes, "encoder"),
        decoder_layers=_layers(shapes, "decoder"),
    )


def _variables(file: BinaryIO, size: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of every variable; the data are skipped, and must be there."""
    _, count = struct.unpack("<II", _exactly(file, 8))
    if count > _MAX_VARIABLES:
        raise ModelFileError("damaged: its number of variables is impossible")
    for _ in range(count):
        name, rank = _text(file), _exactly(file, 1)[0]
        shape = struct.unpack(f"<{rank}I", _exactly(file, 4 * rank))
        _, data = struct.unpack("<BI", _exactly(file, 5))
        if file.seek(data, 1) > size:
            raise ModelFileError(f"incomplete: it ends after {size:,} bytes, within the variable {name}")
        yield name, shape


def _layers(shapes: dict[str, tuple[int, ...]], part: str) -> int:
    return len({name.split("/")[1] for name in shapes if name.startswith(f"{part}/layer_") and name.count("/") > 1})


def _text(file: BinaryIO) -> str:
    (length,) = struct.unpack("<H", _exactly(file, 2))
    return _exactly(file, length).rstrip(b"\0").decode()


def _exactly(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) < count:
        raise struct.error("the file ends")
    return data
