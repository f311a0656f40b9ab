"""What a request brings, by the role that a tensor may have for it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from omnigap.errors import ContractError
from omnigap.media import AudioClip, encode_pcm16, encode_png, encode_wav
from omnigap.vocabulary import Modality, Reason
from omnigap_services.adapter import DecodingOptions, Request
from omnigap_services.triton_server.options import CARRIERS, DECODING, Scalar, TritonOptions
from omnigap_services.triton_server.tensors import (
    Array,
    Signature,
    Tensor,
    empty_array,
    pixel_axes,
    sample_axis,
    samples_array,
    scalar_array,
)

Value = Scalar | AudioClip | Image.Image

# What a model may do without being told.
_NEED_NO_TENSOR = ("sample_rate", "audio_length", "output")


def request_values(request: Request, options: TritonOptions) -> dict[str, Value]:
    """The request's values by input role; what it leaves unset is left out.

    Raises:
        ContractError: BAD_REQUEST where the request brings something that no tensor takes.
    """
    mapped = dict(options.inputs.named())
    found = {**_parts(request, options, mapped), **_manner(request), **_decoding(request.decoding)}
    if "decoding" in mapped:
        found["decoding"] = _as_json(request.decoding, options)
    elif request.decoding.extra:
        named = ", ".join(request.decoding.extra)
        raise _bad(f"decoding.extra sets {named}, and the model has no tensor for it: map inputs.decoding")
    taken = {*mapped, *_NEED_NO_TENSOR, *options.ignore, *(DECODING if "decoding" in mapped else ())}
    for role in found:
        if role not in taken:
            raise _bad(
                f"the request brings {role}, and {options.title} has no tensor for it: leave it out, map inputs.{role},"
                f" or name it in the option ignore"
            )
    return found


def _parts(request: Request, options: TritonOptions, mapped: Mapping[str, str]) -> dict[str, Value]:
    """The carrier, and what is typed beside it, which joins a typed question where it has no tensor of its own."""
    carrier, *others = request.parts
    typed = [part for part in others if isinstance(part, str)]
    if len(typed) < len(others):
        raise _bad(f"{len(request.parts)} parts, and more than one is no text: send the carrier, then the instruction")
    found: dict[str, Value] = {}
    if isinstance(carrier, AudioClip):
        found = {"audio": carrier, "sample_rate": carrier.sample_rate, "audio_length": len(carrier.samples)}
    elif isinstance(carrier, Image.Image):
        found = {"image": carrier}
    elif "instruction" in mapped or not typed:
        found = {"text": carrier}
    else:
        return {"text": options.text_separator.join([carrier, *typed])}
    if typed:
        role = "text" if "text" in mapped and "instruction" not in mapped else "instruction"
        found[role] = options.text_separator.join(typed)
    return found


def _manner(request: Request) -> dict[str, Value]:
    found: dict[str, Value] = {"output": request.output.value}
    if request.system_prompt:
        found["system_prompt"] = request.system_prompt
    if request.language:
        found["language"] = request.language
    if request.voice and request.output is Modality.SPEECH:
        found["voice"] = request.voice
    if request.words_per_minute is not None and request.output is Modality.SPEECH:
        found["words_per_minute"] = request.words_per_minute
    return found


def _decoding(asked: DecodingOptions) -> dict[str, Value]:
    values = {
        "max_tokens": asked.max_new_tokens,
        "temperature": asked.temperature,
        "top_p": asked.top_p,
        "top_k": asked.top_k,
        "repetition_penalty": asked.repetition_penalty,
        "seed": asked.seed,
        "beam_size": asked.beam_size,
    }
    return {role: value for role, value in values.items() if value is not None}


def _as_json(asked: DecodingOptions, options: TritonOptions) -> str:
    """One object: what the options set, what the request sets, and its extra, whose JSON is sent as what it means."""
    fields: dict[str, object] = {role: options.defaults[role] for role in DECODING if role in options.defaults}
    fields.update(_decoding(asked))
    for name, value in asked.extra.items():
        try:
            fields[name] = json.loads(value)
        except json.JSONDecodeError:
            fields[name] = value
    return json.dumps(fields, ensure_ascii=False)


def _bad(text: str) -> ContractError:
    return ContractError(Reason.BAD_REQUEST, text)


# From a request to the arrays of the input tensors.

_RGB_MAX = 255


@dataclass(frozen=True, slots=True)
class InputTensor:
    """One input tensor of a request, with its batch dimension where the model has one."""

    name: str
    datatype: str
    array: Array


class InputBuilder:
    """Turns requests into input tensors. Options and signature were checked against each other before."""

    def __init__(self, options: TritonOptions, signature: Signature) -> None:
        tensors = {tensor.name: tensor for tensor in signature.inputs}
        self._options = options
        self._batched = signature.batched
        self._tensors = {role: tensors[name] for role, name in options.inputs.named()}
        self._constants = [
            self._fed(tensors[name], scalar_array(tensors[name], value)) for name, value in options.constants.items()
        ]

    def feed(self, request: Request) -> list[InputTensor]:
        """The tensors of a request. What it has nothing for is left out where the model allows it, else sent empty.

        Raises:
            ContractError: BAD_REQUEST where the request brings something that no tensor takes, or a value that its
                tensor does not hold; TOO_LARGE for a clip longer than a tensor of fixed length.
        """
        values = request_values(request, self._options)
        fed = list(self._constants)
        for role, tensor in self._tensors.items():
            value = values.get(role, self._options.defaults.get(role))
            if value is not None:
                fed.append(self._fed(tensor, self._array(role, tensor, value)))
            elif not tensor.optional:
                fed.append(self._fed(tensor, self._nothing(role, tensor)))
        return fed

    def _fed(self, tensor: Tensor, array: Array) -> InputTensor:
        return InputTensor(tensor.name, tensor.datatype, array[np.newaxis] if self._batched else array)

    def _nothing(self, role: str, tensor: Tensor) -> Array:
        """A carrier that is not there has no samples and no pixels; what goes with it is one zero, or no text."""
        if role in CARRIERS or tensor.datatype == "BYTES":
            return empty_array(tensor, free=int(self._options.absent == "zero"))
        return scalar_array(tensor, 0)

    def _array(self, role: str, tensor: Tensor, value: Value) -> Array:
        if isinstance(value, AudioClip):
            return self._samples(tensor, value)
        if isinstance(value, Image.Image):
            return self._pixels(tensor, value)
        if role == "output" and tensor.datatype != "BYTES":
            value = value == Modality.SPEECH
        try:
            return scalar_array(tensor, value)
        except ValueError as error:
            raise ContractError(
                Reason.BAD_REQUEST, f"{role} is {value!r}, which the tensor {tensor} does not take: {error}"
            ) from None

    def _samples(self, tensor: Tensor, clip: AudioClip) -> Array:
        if tensor.datatype == "BYTES":
            return scalar_array(tensor, self._audio_bytes(clip))
        samples: Array = clip.samples
        if tensor.datatype == "INT16":
            samples = np.frombuffer(encode_pcm16(clip.samples), dtype="<i2")
        axis = sample_axis(tensor.dims)
        assert axis is not None, "check_wiring let it pass"
        try:
            return samples_array(tensor, samples, axis)
        except ValueError as error:
            text = f"the clip lasts {clip.seconds:.1f} s: {error}; cut it, or serve the model with a free length"
            raise ContractError(Reason.TOO_LARGE, text) from None

    def _audio_bytes(self, clip: AudioClip) -> bytes:
        pcm = encode_pcm16(clip.samples)
        if self._options.audio_in == "pcm16":
            return pcm
        wav = encode_wav(pcm, clip.sample_rate)
        return base64.b64encode(wav) if self._options.audio_in == "wav_base64" else wav

    def _pixels(self, tensor: Tensor, image: Image.Image) -> Array:
        if tensor.datatype == "BYTES":
            png = encode_png(image)
            return scalar_array(tensor, base64.b64encode(png) if self._options.image_in == "png_base64" else png)
        pixels: Array = np.asarray(image.convert("RGB"))
        if tensor.datatype != "UINT8":
            scaled = pixels.astype(np.float64) * (self._options.image_white / _RGB_MAX)
            pixels = scaled.astype(f"float{tensor.datatype.removeprefix('FP')}")
        if pixel_axes(tensor.dims) == "CHW":
            pixels = pixels.transpose(2, 0, 1)
        return np.ascontiguousarray(pixels).reshape((1,) * (len(tensor.dims) - 3) + pixels.shape)
