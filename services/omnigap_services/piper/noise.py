"""Makes the noise of a Piper voice an input of its ONNX graph, so that the same text always gives the same samples.

A Piper voice (VITS) draws noise with `RandomNormalLike` nodes: for the durations of its phonemes and for the sound.
onnxruntime seeds such a node once, when the session is created, so each utterance would depend on those before it. A
new session per utterance takes longer than the utterance.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from omnigap.errors import OmnigapError

__all__ = [
    "NOISE_VALUES",
    "OtherFilesError",
    "UnseedableNoiseError",
    "check_one_file",
    "noise_values",
    "with_noise_inputs",
]

NOISE_VALUES = 2**20
"""Length of each noise input; a longer draw starts again at its beginning. 192 channels reach 63 s at 22,050 Hz."""

_OTHER_RANDOM = frozenset({"RandomNormal", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"})

# Numbers of onnx.proto: data types and attribute types.
_FLOAT, _INT64 = 1, 7
_TYPE_TENSOR = 4
# Of a tensor: its values are in another file.
_EXTERNAL = 1


class UnseedableNoiseError(OmnigapError, ValueError):
    """The graph draws random numbers in a way that can't be replaced by an input."""


class OtherFilesError(OmnigapError, ValueError):
    """The model is not one file."""


def with_noise_inputs(model: bytes) -> tuple[bytes, tuple[str, ...]]:
    """The model with every `RandomNormalLike` node reading from an input of shape (NOISE_VALUES,), float32.

    Returns:
        The serialised model, and the names of the new inputs in the order of the graph.

    Raises:
        UnseedableNoiseError: another random operator, or noise of another type than float32.
        google.protobuf.message.DecodeError: not a serialised model.
    """
    parsed = _model_class().FromString(model)
    operators = [node.op_type for node in _below(parsed, "Node")]
    if others := sorted(set(operators) & _OTHER_RANDOM):
        raise UnseedableNoiseError(f"the model draws random numbers with {', '.join(others)}")
    names: list[str] = []
    rewritten: list[Any] = []
    for node in parsed.graph.node:
        if node.op_type != "RandomNormalLike":
            rewritten.append(node)
            continue
        attributes = {attribute.name: attribute for attribute in node.attribute}
        dtype = attributes.pop("dtype", None)
        if (dtype is not None and dtype.i != _FLOAT) or set(attributes) - {"seed"}:
            raise UnseedableNoiseError(f"the noise of {node.name or 'a node'} is not a standard normal of float32")
        names.append(f"omnigap_noise_{len(names)}")
        rewritten += _drawn_from(type(node), names[-1], node.input[0], node.output[0])
    if len(names) < operators.count("RandomNormalLike"):
        raise UnseedableNoiseError("the model draws noise in a branch, loop or function")
    if not names:
        return model, ()
    del parsed.graph.node[:]
    parsed.graph.node.extend(rewritten)
    for name in names:
        added = parsed.graph.input.add(name=name)
        added.type.tensor_type.elem_type = _FLOAT
        added.type.tensor_type.shape.dim.add(dim_value=NOISE_VALUES)
    return parsed.SerializeToString(), tuple(names)


def noise_values(seed: int, index: int) -> npt.NDArray[np.float32]:
    """Standard normal noise of shape (NOISE_VALUES,) for the input of an index; independent between indices."""
    # RandomState, because numpy guarantees its stream across versions, unlike that of default_rng.
    generator = np.random.RandomState(np.random.MT19937(np.random.SeedSequence([seed, index])))
    return generator.standard_normal(NOISE_VALUES).astype(np.float32)


def check_one_file(model: bytes) -> None:
    """Checks that no weights are in other files, which onnxruntime would read from the folder.

    Raises:
        OtherFilesError: some are.
        google.protobuf.message.DecodeError: not a serialised model.
    """
    files: set[str] = set()
    for tensor in _below(_model_class().FromString(model), "Tensor"):
        if tensor.data_location == _EXTERNAL or tensor.external_data:
            files |= {entry.value for entry in tensor.external_data if entry.key == "location"} or {"unnamed"}
    if files:
        raise OtherFilesError(f"it has weights in other files ({', '.join(sorted(files)[:5])})")


def _below(message: Any, kind: str) -> Iterator[Any]:
    """All messages of a kind of _SCHEMA inside a message, at any depth: in subgraphs and functions too."""
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in [value] if hasattr(value, "ListFields") else value:
                if inner.DESCRIPTOR.name == kind:
                    yield inner
                yield from _below(inner, kind)


def _drawn_from(node_class: Any, noise: str, like: str, output: str) -> list[Any]:
    """Nodes that fill a tensor of the shape of `like` with the values of an input, repeated as needed."""

    def name(part: str) -> str:
        return f"{noise}_{part}"

    def constant(part: str, value: int) -> Any:
        node = node_class(op_type="Constant", output=[name(part)], name=name(part))
        attribute = node.attribute.add(name="value", type=_TYPE_TENSOR)
        attribute.t.data_type = _INT64
        attribute.t.int64_data.append(value)
        return node

    def operation(op_type: str, inputs: list[str], result: str) -> Any:
        return node_class(op_type=op_type, input=inputs, output=[result], name=f"{noise}_{op_type}")

    return [
        constant("zero", 0),
        constant("one", 1),
        constant("length", NOISE_VALUES),
        operation("Size", [like], name("size")),
        operation("Range", [name("zero"), name("size"), name("one")], name("range")),
        operation("Mod", [name("range"), name("length")], name("index")),
        operation("Gather", [noise, name("index")], name("flat")),
        operation("Shape", [like], name("shape")),
        operation("Reshape", [name("flat"), name("shape")], output),
    ]


# The fields of onnx.proto that are read or written here: (name, number, repeated, type). protobuf keeps all others as
# unknown fields, so the package `onnx` is not needed.
_SCHEMA: dict[str, tuple[tuple[str, int, bool, str], ...]] = {
    "Dimension": (("dim_value", 1, False, "int64"),),
    "Shape": (("dim", 1, True, "Dimension"),),
    "TensorType": (("elem_type", 1, False, "int32"), ("shape", 2, False, "Shape")),
    "Type": (("tensor_type", 1, False, "TensorType"),),
    "ValueInfo": (("name", 1, False, "string"), ("type", 2, False, "Type")),
    "Entry": (("key", 1, False, "string"), ("value", 2, False, "string")),
    "Tensor": (
        ("data_type", 2, False, "int32"),
        ("int64_data", 7, True, "int64"),
        ("external_data", 13, True, "Entry"),
        ("data_location", 14, False, "int32"),
    ),
    "SparseTensor": (("values", 1, False, "Tensor"), ("indices", 2, False, "Tensor")),
    "Attribute": (
        ("name", 1, False, "string"),
        ("i", 3, False, "int64"),
        ("t", 5, False, "Tensor"),
        ("g", 6, False, "Graph"),
        ("tensors", 10, True, "Tensor"),
        ("graphs", 11, True, "Graph"),
        ("type", 20, False, "int32"),
        ("sparse_tensor", 22, False, "SparseTensor"),
        ("sparse_tensors", 23, True, "SparseTensor"),
    ),
    "Node": (
        ("input", 1, True, "string"),
        ("output", 2, True, "string"),
        ("name", 3, False, "string"),
        ("op_type", 4, False, "string"),
        ("attribute", 5, True, "Attribute"),
    ),
    "Graph": (
        ("node", 1, True, "Node"),
        ("initializer", 5, True, "Tensor"),
        ("input", 11, True, "ValueInfo"),
        ("sparse_initializer", 15, True, "SparseTensor"),
    ),
    "Function": (("node", 7, True, "Node"),),
    "Model": (("graph", 7, False, "Graph"), ("functions", 25, True, "Function")),
}


@cache
def _model_class() -> Any:
    """The message class of an ONNX model, in a pool of its own, so that it never clashes with the package `onnx`."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    kinds = descriptor_pb2.FieldDescriptorProto
    scalars = {"int32": kinds.TYPE_INT32, "int64": kinds.TYPE_INT64, "string": kinds.TYPE_STRING}
    file = descriptor_pb2.FileDescriptorProto(name="omnigap_onnx.proto", package="omnigap_onnx", syntax="proto2")
    for message_name, fields in _SCHEMA.items():
        message = file.message_type.add(name=message_name)
        for name, number, repeated, kind in fields:
            label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
            field = message.field.add(name=name, number=number, label=label)
            field.type = scalars.get(kind, kinds.TYPE_MESSAGE)
            if kind not in scalars:
                field.type_name = f".omnigap_onnx.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("omnigap_onnx.Model"))
