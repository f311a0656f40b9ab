"""Reads the header of a GGUF file, checks that the file is whole, and joins a model that is split into several files.

Layout (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md): magic, version, two counts, the metadata, the tensor
table, padding, and the tensors' data. All numbers are little-endian.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omnigap.errors import OmnigapError
from omnigap_services.weights import LFS_POINTER, is_lfs_pointer

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_DEFAULT_ALIGNMENT = 32
_STRING, _ARRAY = 8, 9
_NUMBERS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
# Longer arrays are those of the vocabulary, which transformers reads itself.
_MAX_KEPT = 1_024
_COPY_BYTES = 16 * 2**20
# ggml has at most four dimensions.
_MAX_DIMENSIONS = 4


class GgufError(OmnigapError):
    """A file is not a whole GGUF file of a supported version; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """One entry of the tensor table.

    Attributes:
        shape: fastest dimension first, as in the file.
        type: number of the ggml type.
        offset: of its bytes in the data section.
        size: in bytes.
    """

    name: str
    shape: tuple[int, ...]
    type: int
    offset: int
    size: int

    @property
    def elements(self) -> int:
        count = 1
        for length in self.shape:
            count *= length
        return count


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """What a file says about its model.

    Attributes:
        metadata: values by key; arrays over 1,024 values are left out.
        data_start: offset of the data section in the file.
        alignment: of the tensors' offsets, in bytes.
        raw_metadata: bytes of the metadata section, as stored.
        metadata_count: number of keys in it.
    """

    path: Path
    metadata: Mapping[str, Any]
    tensors: tuple[GgufTensor, ...]
    data_start: int
    alignment: int
    raw_metadata: bytes = field(repr=False)
    metadata_count: int

    @classmethod
    def read(cls, path: Path) -> GgufHeader:
        """Reads the header, and checks that every tensor's bytes are in the file.

        Raises:
            GgufError: another format or version, or a truncated or damaged file.
        """
        if not path.stat().st_size:
            raise GgufError("it is empty")
        if is_lfs_pointer(path):
            raise GgufError(f"it is {LFS_POINTER}")
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                return _Parser(path, data).header()
            except (struct.error, UnicodeDecodeError, OverflowError, RecursionError) as error:
                raise GgufError(f"its header is damaged or ends too early ({error})") from error

    def tensor_bytes(self, name: str) -> bytes:
        """The stored bytes of one tensor.

        Raises:
            KeyError: there is none of this name.
        """
        found = next((tensor for tensor in self.tensors if tensor.name == name), None)
        if found is None:
            raise KeyError(name)
        with self.path.open("rb") as file:
            file.seek(self.data_start + found.offset)
            return file.read(found.size)


class _Parser:
    def __init__(self, path: Path, data: mmap.mmap) -> None:
        self._path = path
        self._data = data
        self._place = 0

    def header(self) -> GgufHeader:
        if self._data[:4] != _MAGIC:
            raise GgufError("it does not begin with GGUF, so it is another format, or an error page that was saved")
        self._place = 4
        version = self._number("<I")
        if version not in _VERSIONS:
            kind = "big-endian" if version & 0xFFFF == 0 else f"version {version}"
            raise GgufError(f"it is a {kind} GGUF file: convert it to version 3, little-endian")
        tensor_count, metadata_count = self._number("<Q"), self._number("<Q")
        start = self._place
        metadata: dict[str, Any] = {}
        for _ in range(metadata_count):
            key = self._string()
            value = self._value(self._number("<I"))
            if value is not None:
                metadata[key] = value
        raw = self._data[start : self._place]
        tensors = tuple(self._tensor() for _ in range(tensor_count))
        alignment = metadata.get("general.alignment", _DEFAULT_ALIGNMENT)
        if not isinstance(alignment, int) or alignment <= 0:
            raise GgufError(f"its general.alignment is {alignment!r}")
        data_start = _aligned(self._place, alignment)
        end = max((data_start + tensor.offset + tensor.size for tensor in tensors), default=0)
        if end > len(self._data):
            raise GgufError(f"it has {len(self._data):,} bytes, and its tensors end at {end:,}: the file is cut off")
        return GgufHeader(self._path, metadata, tensors, data_start, alignment, raw, metadata_count)

    def _number(self, form: str) -> Any:
        (value,) = struct.unpack_from(form, self._data, self._place)
        self._place += struct.calcsize(form)
        return value

    def _string(self) -> str:
        length = self._number("<Q")
        self._skip(length)
        return self._data[self._place - length : self._place].decode("utf-8")

    def _value(self, kind: int) -> Any:
        """The value at the present place; None for a long array, which is skipped."""
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            inner, count = self._number("<I"), self._number("<Q")
            if inner in _NUMBERS and count > _MAX_KEPT:
                self._skip(struct.calcsize(_NUMBERS[inner]) * count)
                return None
            # Every value takes at least a byte, so with a damaged count the loop ends at the end of the file.
            if count > _MAX_KEPT:
                return self._skip_values(inner, count)
            return [self._value(inner) for _ in range(count)]
        if kind not in _NUMBERS:
            raise GgufError(f"its metadata has a value of the unknown type {kind}: the file is damaged")
        return self._number(_NUMBERS[kind])

    def _skip_values(self, kind: int, count: int) -> None:
        for _ in range(count):
            if kind == _STRING:
                self._skip(self._number("<Q"))
            else:
                self._value(kind)

    def _skip(self, size: int) -> None:
        if size > len(self._data) - self._place:
            raise GgufError("its header ends too early: the file is cut off or damaged")
        self._place += size

    def _tensor(self) -> GgufTensor:
        name = self._string()
        dimensions = self._number("<I")
        if dimensions > _MAX_DIMENSIONS:
            raise GgufError(f"its tensor {name[:60]!r} has {dimensions} dimensions: the file is damaged")
        shape = tuple(self._number("<Q") for _ in range(dimensions))
        kind, offset = self._number("<I"), self._number("<Q")
        return GgufTensor(name, shape, kind, offset, _size(name, shape, kind))


def _size(name: str, shape: Sequence[int], kind: int) -> int:
    """Bytes of a tensor; ggml stores it in blocks along the first dimension."""
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    try:
        block, block_bytes = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
    except (ValueError, KeyError):
        raise GgufError(f"its tensor {name!r} has the unknown quantisation type {kind}") from None
    elements = 1
    for length in shape:
        elements *= length
    return elements // block * block_bytes


def _aligned(place: int, alignment: int) -> int:
    return -(-place // alignment) * alignment


def join(headers: Sequence[GgufHeader], target: Path) -> None:
    """Writes one file with the tensors of all parts of a split model, and the metadata of the first.

    Args:
        headers: of the parts, in their order; only the first one has the model's metadata.

    Raises:
        GgufError: a part has become shorter since its header was read.
    """
    first = headers[0]
    table, place = [], 0
    for header in headers:
        for tensor in header.tensors:
            table.append(_table_entry(tensor, place))
            place = _aligned(place + tensor.size, first.alignment)
    counts = struct.pack("<IQQ", max(_VERSIONS), len(table), first.metadata_count)
    head = b"".join((_MAGIC, counts, first.raw_metadata, *table))
    with target.open("wb") as out:
        out.write(head.ljust(_aligned(len(head), first.alignment), b"\0"))
        for header in headers:
            with header.path.open("rb") as part:
                for tensor in header.tensors:
                    part.seek(header.data_start + tensor.offset)
                    left = tensor.size
                    while left:
                        data = part.read(min(left, _COPY_BYTES))
                        if not data:
                            raise GgufError(f"{header.path.name} ends in its tensor {tensor.name!r}: it was shortened")
                        left -= out.write(data)
                    out.write(bytes(_aligned(tensor.size, first.alignment) - tensor.size))


def _table_entry(tensor: GgufTensor, offset: int) -> bytes:
    name = tensor.name.encode()
    form = f"<Q{len(name)}sI{len(tensor.shape)}QIQ"
    return struct.pack(form, len(name), name, len(tensor.shape), *tensor.shape, tensor.type, offset)
