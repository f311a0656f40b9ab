"""Reads a joblib dump of scikit-learn objects without running anything that it names: their settings and their arrays.

A pickle is a program: whoever wrote it chooses what is called. Here every name of scikit-learn, numpy, scipy and joblib
stands for an object that keeps what it is given and does nothing, and every other name is refused. joblib's own reader
is no ground to build on: for an array of objects it starts a plain pickle that no `find_class` sees.
"""

from __future__ import annotations

import io
import math
import pickle
import re
from collections.abc import Callable
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from omnigap.errors import OmnigapError

# What a dump of scikit-learn 0.24 to 1.9 holds beside scikit-learn's own names.
_KNOWN = frozenset(
    {
        "joblib.numpy_pickle.NumpyArrayWrapper",
        "numpy.dtype",
        "numpy.ndarray",
        "numpy.float32",
        "numpy.float64",
        "numpy.int32",
        "numpy.int64",
        "numpy.core.multiarray.scalar",
        "numpy._core.multiarray.scalar",
        "scipy.sparse._csr.csr_matrix",
        "scipy.sparse.csr.csr_matrix",
    }
)
_OURS = "sklearn."
_WRAPPER = "joblib.numpy_pickle.NumpyArrayWrapper"
_PLAIN = re.compile(r"[biufU][0-9]{1,4}")
"""Element types without objects: truth values, integers, floats, text."""


class InertPickleError(OmnigapError):
    """A file that is no such dump, or names what is not let through."""


class Inert:
    """Stands for an object, a class or a function of a dump.

    Attributes:
        name: its full name, as in "sklearn.linear_model._stochastic_gradient.SGDClassifier".
        arguments: what it was made with.
        state: its attributes by name, or whatever else the dump gives it.
    """

    name: ClassVar[str] = ""
    arguments: tuple[object, ...]
    state: object

    def __new__(cls, *arguments: object) -> Inert:
        made = super().__new__(cls)
        made.arguments, made.state = arguments, {}
        return made

    def __setstate__(self, state: object) -> None:
        self.state = state

    def get(self, attribute: str, otherwise: object = None) -> object:
        """An attribute, as it stood in the file."""
        return self.state.get(attribute, otherwise) if isinstance(self.state, dict) else otherwise


def read_inert(data: bytes, file: str) -> Inert:
    """The object that a dump holds.

    Args:
        data: of a file that `joblib.dump` wrote without compression.
        file: its name, for errors.

    Raises:
        InertPickleError: for anything else, naming what was refused.
    """
    try:
        found = _Reader(io.BytesIO(data), file).load()
    except InertPickleError:
        raise
    except Exception as error:  # A broken pickle can fail in any way.
        told = f"{type(error).__name__}: {error}"
        raise InertPickleError(f"{file} is no uncompressed joblib file of scikit-learn ({told})") from error
    if not isinstance(found, Inert):
        raise InertPickleError(f"{file} holds a {type(found).__name__}, where an object of scikit-learn is needed")
    return found


class _Reader(pickle._Unpickler):
    """The unpickler that is written in Python: an array's bytes follow the object that describes it."""

    dispatch: ClassVar[dict[int, Callable[[pickle.Unpickler], None]]] = dict(pickle._Unpickler.dispatch)

    def __init__(self, stream: io.BytesIO, file: str) -> None:
        super().__init__(stream, fix_imports=False)
        self._stream, self._file = stream, file

    def find_class(self, module: str, name: str) -> type[Inert]:
        full = f"{module}.{name}"
        if full not in _KNOWN and not full.startswith(_OURS):
            raise InertPickleError(
                f"{self._file} names {full}, which is not let through: it is no file of the classifier as published, "
                "and loading it elsewhere could run a program. Take the files from where you trust them"
            )
        return type(name.rpartition(".")[2], (Inert,), {"name": full})

    def get_extension(self, code: int) -> None:
        raise InertPickleError(f"{self._file} names something by the extension code {code}, which is not let through")

    def persistent_load(self, pid: object) -> object:
        raise InertPickleError(f"{self._file} refers to {pid!r} outside of it, which is not let through")

    def load_build(self) -> None:
        """Gives an object its state; the wrapper of an array is replaced by the array, whose bytes come next."""
        _build(self)
        stack: list[object] = self.stack  # type: ignore[attr-defined]
        if isinstance(stack[-1], Inert) and stack[-1].name == _WRAPPER:
            stack[-1] = self._array(stack[-1])

    # Python's table of what each sign of a pickle does.
    dispatch[pickle.BUILD[0]] = load_build  # type: ignore[assignment]

    def _array(self, wrapper: Inert) -> NDArray[np.generic]:
        kind, shape, order = _dtype(wrapper.get("dtype"), self._file), wrapper.get("shape"), wrapper.get("order")
        if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape) or order not in ("C", "F"):
            raise InertPickleError(f"{self._file} holds an array of the shape {shape!r} in order {order!r}")
        if wrapper.get("numpy_array_alignment_bytes") is not None:
            self._stream.read(int.from_bytes(self._stream.read(1), "little"))
        size = math.prod(shape) * kind.itemsize
        data = self._stream.read(size)
        if len(data) != size:
            raise InertPickleError(f"{self._file} ends inside an array: download it again")
        return np.frombuffer(data, kind).reshape(shape, order=order)


_build: Callable[[_Reader], None] = pickle._Unpickler.load_build  # type: ignore[attr-defined]


def _dtype(described: object, file: str) -> np.dtype[np.generic]:
    """An element type, from what numpy wrote of it: its code as an argument, its byte order in its state."""
    code = described.arguments[0] if isinstance(described, Inert) and described.arguments else None
    state = described.state if isinstance(described, Inert) else None
    order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
    if not isinstance(code, str) or not _PLAIN.fullmatch(code) or order not in ("<", ">", "|", "="):
        raise InertPickleError(f"{file} holds an array of {code!r}, which is not let through: numbers and texts are")
    return np.dtype(f"{order}{code}")
