"""Validates the options against the model's signature; an error names the tensor, what is expected, and the key."""

from __future__ import annotations

from collections.abc import Iterator

from omnigap_services.options import OptionsError
from omnigap_services.triton_server.options import CARRIERS, DECODING, SERVICE, TritonOptions
from omnigap_services.triton_server.tensors import (
    FLOATS,
    INTEGERS,
    NUMBERS,
    Signature,
    Tensor,
    holds_one_element,
    pixel_axes,
    sample_axis,
    scalar_array,
)

_TEXTS = ("text", "instruction", "system_prompt", "language", "voice", "decoding", "reasoning", "finish_reason")
_SAMPLES = (*FLOATS, "INT16")
_PIXELS = (*FLOATS, "UINT8")
_COUNTS = ("input_tokens", "output_tokens", "audio_tokens", "sample_rate", "audio_length")

# Roles that may be empty without a default: an empty text or a clip without samples is a valid input. A number has no
# empty value, and the model would read a zero as a setting.
_MAY_BE_EMPTY = (*CARRIERS, "instruction", "system_prompt", "sample_rate", "audio_length", "output", "decoding")


def validate_options(options: TritonOptions, signature: Signature) -> None:
    """Compares every mapped tensor with the model.

    Raises:
        OptionsError: with all errors at once.
    """
    errors = [*_input_errors(options, signature), *_output_errors(options, signature)]
    if errors:
        where = f"model {signature.model!r} version {signature.version} at {options.url}"
        raise OptionsError(f"service {SERVICE}: the options do not fit {where}: {'; '.join(errors)}")


def _input_errors(options: TritonOptions, signature: Signature) -> Iterator[str]:
    tensors = {tensor.name: tensor for tensor in signature.inputs}
    for role, name in options.inputs.named():
        key = f"inputs.{role}"
        if name not in tensors:
            yield _missing(key, name, "input", signature.inputs)
            continue
        tensor = tensors[name]
        if error := _input_misfit(role, tensor):
            yield f"{key} = {name!r}: {error}"
        elif role in options.defaults:
            yield from _value_errors(f"defaults.{role}", tensor, options.defaults[role])
        elif not tensor.optional and role not in _MAY_BE_EMPTY:
            yield (f"the tensor {tensor} is required, but not every request has a {role}: set defaults.{role}")
    for name, value in options.constants.items():
        if name not in tensors:
            yield _missing("constants", name, "input", signature.inputs)
        else:
            yield from _value_errors(f"constants.{name}", tensors[name], value)
    mapped = dict(options.inputs.named())
    for role in options.defaults:
        if role not in mapped and not (role in DECODING and "decoding" in mapped):
            yield f"defaults.{role} is set, but no tensor takes it: set inputs.{role}"
    # Triton itself would refuse every request that lacks a required input.
    written = {*mapped.values(), *options.constants}
    for tensor in signature.inputs:
        if tensor.name not in written and not tensor.optional:
            yield f"the tensor {tensor} is required, but nothing sets it: map it in inputs or constants"


def _output_errors(options: TritonOptions, signature: Signature) -> Iterator[str]:
    tensors = {tensor.name: tensor for tensor in signature.outputs}
    named = [(f"outputs.{role}", role, name) for role, name in options.outputs.named()]
    named += [(f"diagnostics.{what}", "diagnostics", name) for what, name in options.diagnostics.items()]
    for key, role, name in named:
        if name not in tensors:
            yield _missing(key, name, "output", signature.outputs)
        elif error := _output_misfit(role, tensors[name]):
            yield f"{key} = {name!r}: {error}"


def _missing(key: str, name: str, kind: str, tensors: tuple[Tensor, ...]) -> str:
    known = ", ".join(str(tensor) for tensor in tensors) or "none"
    return f"{key} names the tensor {name!r}, but the model has no such {kind} (it has: {known})"


def _value_errors(key: str, tensor: Tensor, value: bool | int | float | str) -> Iterator[str]:
    try:
        if not holds_one_element(tensor.dims):
            raise ValueError(f"the tensor {tensor} takes more than one value")
        scalar_array(tensor, value)
    except (ValueError, KeyError) as error:
        yield f"{key} does not fit the tensor {tensor}: {error}"


def _input_misfit(role: str, tensor: Tensor) -> str:
    """Why a tensor cannot take a role; empty if it can."""
    if role == "audio":
        return _media_misfit(tensor, _SAMPLES, "[-1]", sample_axis(tensor.dims) is not None)
    if role == "image":
        return _media_misfit(tensor, _PIXELS, "[-1, -1, 3] or [3, -1, -1]", pixel_axes(tensor.dims) is not None)
    known = ("BYTES",) if role in _TEXTS else (*NUMBERS, "BYTES") if role == "output" else NUMBERS
    return _scalar_misfit(tensor, known)


def _output_misfit(role: str, tensor: Tensor) -> str:
    """Why a tensor cannot hold a role; empty if it can."""
    if role == "audio":
        return _media_misfit(tensor, _SAMPLES, "[-1]", sample_axis(tensor.dims) is not None)
    if role in _TEXTS:
        return _datatype_misfit(tensor, ("BYTES",))
    return _scalar_misfit(tensor, INTEGERS if role in _COUNTS else NUMBERS)


def _media_misfit(tensor: Tensor, numbers: tuple[str, ...], shape: str, fits: bool) -> str:
    if error := _datatype_misfit(tensor, (*numbers, "BYTES")):
        return error
    if tensor.datatype == "BYTES":
        return _shape_misfit(tensor, "[1]", holds_one_element(tensor.dims))
    return _shape_misfit(tensor, shape, fits)


def _scalar_misfit(tensor: Tensor, known: tuple[str, ...]) -> str:
    return _datatype_misfit(tensor, known) or _shape_misfit(tensor, "[1]", holds_one_element(tensor.dims))


def _datatype_misfit(tensor: Tensor, known: tuple[str, ...]) -> str:
    if tensor.datatype in known:
        return ""
    return f"the tensor is {tensor}, but datatype {' or '.join(known)} is expected: name another tensor"


def _shape_misfit(tensor: Tensor, expected: str, fits: bool) -> str:
    return "" if fits else f"the tensor is {tensor}, but a shape such as {expected} is expected: name another tensor"
