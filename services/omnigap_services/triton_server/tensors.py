"""Triton's tensors: the signature of a model as its server describes it, and values as arrays for its tensors."""

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

Array = npt.NDArray[Any]

# Triton's datatypes. BF16 is not among them: NumPy has no such type.
INTEGERS = ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")
FLOATS = ("FP16", "FP32", "FP64")
NUMBERS = (*INTEGERS, *FLOATS, "BOOL")

_NUMPY: dict[str, type[np.generic]] = {
    **{name: getattr(np, name.lower()) for name in INTEGERS},
    **{name: getattr(np, name.replace("FP", "float")) for name in FLOATS},
    "BOOL": np.bool_,
    # tritonclient serialises BYTES tensors from object arrays.
    "BYTES": np.object_,
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output of a model.

    Attributes:
        datatype: Triton's name, such as BYTES, FP32, INT16.
        dims: without the batch dimension; -1 for any size.
        optional: a request may leave the input out.
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
        batched: requests have a leading batch dimension (`max_batch_size` over 0).
        decoupled: a request may get any number of responses, in a stream.
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
    """The signature from Triton's own messages: ServerMetadataResponse, ModelMetadataResponse and ModelConfig.

    Args:
        version: the requested version; empty: the newest that is ready.

    Raises:
        ContractError: UPSTREAM_UNAVAILABLE if no version of the model is ready.
    """
    if not version and not metadata.versions:
        raise ContractError(Reason.UPSTREAM_UNAVAILABLE, f"the model {metadata.name!r} has no version that is ready")
    return Signature(
        model=metadata.name,
        # Fixed here: a version that is loaded later must not answer under the digest of this one.
        version=version or max(metadata.versions, key=int),
        server=f"{server.name} {server.version}",
        # Older configurations name a platform (tensorrt_plan, onnxruntime_onnx) instead of a backend.
        backend=config.backend or config.platform,
        batched=config.max_batch_size > 0,
        decoupled=config.model_transaction_policy.decoupled,
        # From the configuration, not the metadata: only it says which inputs are optional, and its shapes are without
        # the batch dimension.
        inputs=tuple(_tensors(config.input)),
        outputs=tuple(_tensors(config.output)),
        # Deterministic serialisation sorts maps, whose order would otherwise be arbitrary.
        config_sha256=hashlib.sha256(config.SerializeToString(deterministic=True)).hexdigest(),
    )


def _tensors(found: Iterable[Any]) -> list[Tensor]:
    return [
        Tensor(tensor.name, _datatype(tensor), tuple(tensor.dims), getattr(tensor, "optional", False))
        for tensor in found
    ]


def _datatype(tensor: Any) -> str:
    """The datatype as requests name it: `BYTES` for `TYPE_STRING`, `FP32` for `TYPE_FP32`."""
    kind = tensor.DESCRIPTOR.fields_by_name["data_type"].enum_type.values_by_number[tensor.data_type].name
    return "BYTES" if kind == "TYPE_STRING" else str(kind).removeprefix("TYPE_")


def holds_one_element(dims: tuple[int, ...]) -> bool:
    """True if a single value fits: every dimension is 1 or free."""
    return all(dim in (1, -1) for dim in dims)


def sample_axis(dims: tuple[int, ...]) -> int | None:
    """The axis of mono samples: the one longer than 1, else the last free one; None if there is none."""
    longer = [axis for axis, dim in enumerate(dims) if dim > 1]
    free = [axis for axis, dim in enumerate(dims) if dim == -1]
    # A second long axis would be channels or features.
    if len(longer) > 1:
        return None
    return longer[0] if longer else free[-1] if free else None


def pixel_axes(dims: tuple[int, ...]) -> str | None:
    """`HWC` or `CHW` for RGB pixels of any size, with leading axes of size 1; None if they do not fit."""
    *before, first, second, third = dims if len(dims) >= 3 else (0, 0, 0)
    if any(dim not in (1, -1) for dim in before):
        return None
    # Only free heights and widths: an image is never resized here. With all three free, HWC is assumed.
    if first == second == -1 and third in (3, -1):
        return "HWC"
    return "CHW" if first == 3 and second == third == -1 else None


def scalar_array(tensor: Tensor, value: Scalar | bytes) -> Array:
    """One value as an array with the tensor's number of dimensions, each of size 1.

    Raises:
        ValueError: the datatype does not hold the value.
    """
    array = np.empty((1,) * len(tensor.dims), dtype=_NUMPY[tensor.datatype])
    array[...] = _element(tensor.datatype, value)
    return array


def empty_array(tensor: Tensor, free: int = 0) -> Array:
    """An input without content: an empty text, or zeros with size `free` in the free dimensions."""
    if tensor.datatype == "BYTES":
        return scalar_array(tensor, b"")
    return np.zeros([free if dim == -1 else dim for dim in tensor.dims], dtype=_NUMPY[tensor.datatype])


def samples_array(tensor: Tensor, samples: Array, axis: int) -> Array:
    """Samples of shape (n,) along one axis of the tensor, the others of size 1; padded with zeros to a fixed length.

    Raises:
        ValueError: there are more samples than a fixed length holds.
    """
    fixed = tensor.dims[axis]
    if fixed > 0:
        if len(samples) > fixed:
            raise ValueError(f"{len(samples)} samples, and the tensor {tensor.name!r} takes {fixed}")
        samples = np.pad(samples, (0, fixed - len(samples)))
    shape = [1] * len(tensor.dims)
    shape[axis] = len(samples)
    return samples.astype(_NUMPY[tensor.datatype]).reshape(shape)


def _element(datatype: str, value: Scalar | bytes) -> Any:
    """A value as an element of the datatype. NumPy would silently wrap or truncate a number that does not fit."""
    if datatype == "BYTES":
        return value if isinstance(value, bytes) else _text(value).encode()
    if isinstance(value, str | bytes):
        raise ValueError(f"{value!r} is not a number, and the datatype is {datatype}")
    if datatype == "BOOL":
        if value not in (0, 1):
            raise ValueError(f"{value!r} is neither true nor false, and the datatype is BOOL")
        return bool(value)
    if datatype in FLOATS:
        return float(value)
    bounds = np.iinfo(datatype.lower())
    low, high = int(bounds.min), int(bounds.max)
    if value != int(value) or not low <= value <= high:
        raise ValueError(f"{value!r} is not a whole number from {low} to {high}, and the datatype is {datatype}")
    return int(value)


def _text(value: Scalar) -> str:
    # JSON's spelling of booleans, not Python's.
    return str(value).lower() if isinstance(value, bool) else str(value)
