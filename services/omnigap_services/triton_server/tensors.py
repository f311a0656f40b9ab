"""What the server says about the model: its tensors, whether it batches and streams, a hash of its configuration."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_services.triton_server.options import Scalar


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output.

    Attributes:
        datatype: Triton's name: BYTES, FP32, INT16, ...
        dims: without the batch dimension; -1 where any size goes.
        optional: an input that a request may leave out.
    """

    name: str
    datatype: str
    dims: tuple[int, ...]
    optional: bool = False

    def __str__(self) -> str:
        return f"{self.name} {self.datatype} {list(self.dims)}"


@dataclass(frozen=True, slots=True)
class Signature:
    """A model as its server describes it.

    Attributes:
        version: of the model, a number as text.
        server: name and version of the server.
        batched: requests carry a leading batch dimension (`max_batch_size` over 0).
        decoupled: a request may get any number of responses, over a stream.
        config_sha256: over the model's whole configuration.
    """

    model: str
    version: str
    server: str
    backend: str
    batched: bool
    decoupled: bool
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    config_sha256: str


def signature_of(server: Any, metadata: Any, config: Any, version: str) -> Signature:
    """Out of Triton's own messages: ServerMetadataResponse, ModelMetadataResponse and ModelConfig.

    Args:
        version: that was asked for; empty: the newest that is ready.

    Raises:
        ContractError: UPSTREAM_UNAVAILABLE where no version of the model is ready.
    """
    if not version and not metadata.versions:
        raise ContractError(Reason.UPSTREAM_UNAVAILABLE, f"the model {metadata.name!r} has no version that is ready")
    return Signature(
        model=metadata.name,
        version=version or max(metadata.versions, key=int),
        server=f"{server.name} {server.version}",
        backend=config.backend or config.platform,
        batched=config.max_batch_size > 0,
        decoupled=config.model_transaction_policy.decoupled,
        inputs=tuple(_tensors(config.input)),
        outputs=tuple(_tensors(config.output)),
        # Maps are the one part of a message whose order is not its own: deterministic serialisation sorts them.
        config_sha256=hashlib.sha256(config.SerializeToString(deterministic=True)).hexdigest(),
    )


def _tensors(found: Iterable[Any]) -> list[Tensor]:
    return [
        Tensor(tensor.name, _datatype(tensor), tuple(tensor.dims), getattr(tensor, "optional", False))
        for tensor in found
    ]


def _datatype(tensor: Any) -> str:
    """`BYTES` for `TYPE_STRING`, `FP32` for `TYPE_FP32`."""
    kind = tensor.DESCRIPTOR.fields_by_name["data_type"].enum_type.values_by_number[tensor.data_type].name
    return "BYTES" if kind == "TYPE_STRING" else str(kind).removeprefix("TYPE_")


# Shapes and datatypes: what a tensor can hold, and a value as the array that its tensor wants.

Array = npt.NDArray[Any]

INTEGERS = ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")
FLOATS = ("FP16", "FP32", "FP64")
NUMBERS = (*INTEGERS, *FLOATS, "BOOL")

_NUMPY: dict[str, type[np.generic]] = {
    **{name: getattr(np, name.lower()) for name in INTEGERS},
    **{name: getattr(np, name.replace("FP", "float")) for name in FLOATS},
    "BOOL": np.bool_,
    "BYTES": np.object_,
}


def one_element(dims: tuple[int, ...]) -> bool:
    """True where a single value fits: every dimension is 1 or free."""
    return all(dim in (1, -1) for dim in dims)


def sample_axis(dims: tuple[int, ...]) -> int | None:
    """The axis along which mono samples lie: the one longer than 1, else the last free one; None where none fits."""
    longer = [axis for axis, dim in enumerate(dims) if dim > 1]
    free = [axis for axis, dim in enumerate(dims) if dim == -1]
    if len(longer) > 1:
        return None
    return longer[0] if longer else free[-1] if free else None


def pixel_axes(dims: tuple[int, ...]) -> str | None:
    """`HWC` or `CHW` for RGB pixels of any size, with single axes before them; None where they don't fit."""
    *before, first, second, third = dims if len(dims) >= 3 else (0, 0, 0)
    if any(dim not in (1, -1) for dim in before):
        return None
    if first == second == -1 and third in (3, -1):
        return "HWC"
    return "CHW" if first == 3 and second == third == -1 else None


def scalar_array(tensor: Tensor, value: Scalar | bytes) -> Array:
    """One value as an array of the tensor's dimensions, each of size 1.

    Raises:
        ValueError: for a value that the datatype does not hold.
    """
    array = np.empty((1,) * len(tensor.dims), dtype=_NUMPY[tensor.datatype])
    array[...] = _element(tensor.datatype, value)
    return array


def empty_array(tensor: Tensor, free: int = 0) -> Array:
    """Nothing: text of no length, or zeros of the tensor's dimensions, of which the free ones have the size `free`."""
    if tensor.datatype == "BYTES":
        return scalar_array(tensor, b"")
    return np.zeros([free if dim == -1 else dim for dim in tensor.dims], dtype=_NUMPY[tensor.datatype])


def samples_array(tensor: Tensor, values: Array, axis: int) -> Array:
    """Values of shape (n,) along one axis of the tensor, the other axes of size 1; zeros up to a fixed length.

    Raises:
        ValueError: for more values than a fixed length takes.
    """
    fixed = tensor.dims[axis]
    if fixed > 0:
        if len(values) > fixed:
            raise ValueError(f"{len(values)} samples, and the tensor {tensor.name!r} takes {fixed}")
        values = np.pad(values, (0, fixed - len(values)))
    shape = [1] * len(tensor.dims)
    shape[axis] = len(values)
    return values.astype(_NUMPY[tensor.datatype]).reshape(shape)


def _element(datatype: str, value: Scalar | bytes) -> Any:
    if datatype == "BYTES":
        return value if isinstance(value, bytes) else _text(value).encode()
    if isinstance(value, str | bytes):
        raise ValueError(f"{value!r} is no number, as {datatype} holds")
    if datatype == "BOOL":
        if value not in (0, 1):
            raise ValueError(f"{value!r} is neither true nor false, as BOOL holds")
        return bool(value)
    if datatype in FLOATS:
        return float(value)
    bounds = np.iinfo(datatype.lower())
    low, high = int(bounds.min), int(bounds.max)
    if value != int(value) or not low <= value <= high:
        raise ValueError(f"{value!r} is no whole number from {low} to {high}, as {datatype} holds")
    return int(value)


def _text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
