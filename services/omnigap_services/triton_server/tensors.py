"""Shapes and datatypes: what a tensor can hold, and a value as the array that its tensor wants."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from omnigap_services.triton_server.options import Scalar
from omnigap_services.triton_server.signature import Tensor

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


def filled(tensor: Tensor, value: Scalar | bytes) -> Array:
    """One value as an array of the tensor's dimensions, each of size 1.

    Raises:
        ValueError: for a value that the datatype does not hold.
    """
    array = np.empty((1,) * len(tensor.dims), dtype=_NUMPY[tensor.datatype])
    array[...] = _element(tensor.datatype, value)
    return array


def empty(tensor: Tensor, free: int = 0) -> Array:
    """Nothing: text of no length, or zeros of the tensor's dimensions, of which the free ones have the size `free`."""
    if tensor.datatype == "BYTES":
        return filled(tensor, b"")
    return np.zeros([free if dim == -1 else dim for dim in tensor.dims], dtype=_NUMPY[tensor.datatype])


def laid_out(tensor: Tensor, values: Array, axis: int) -> Array:
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
