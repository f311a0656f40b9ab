"""From a request to the model's input tensors: the request's values by role, then arrays."""

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

# Roles without which a request can be answered as well: they are known from the audio, or from the outputs requested.
_NO_TENSOR_NEEDED = ("sample_rate", "audio_length", "output")

_RGB_MAX = 255


@dataclass(frozen=True, slots=True)
class InputTensor:
    """One input tensor of a request, with its batch dimension if the model has one."""

    name: str
    datatype: str
    array: Array


class InputBuilder:
    """Builds the input tensors of requests. The options were validated against the signature before."""

    def __init__(self, options: TritonOptions, signature: Signature) -> None:
        tensors = {tensor.name: tensor for tensor in signature.inputs}
        self._options = options
        self._batched = signature.batched
        self._tensors = {role: tensors[name] for role, name in options.inputs.named()}
        self._constants = [
            self._input(tensors[name], scalar_array(tensors[name], value)) for name, value in options.constants.items()
        ]

    def build(self, request: Request) -> list[InputTensor]:
        """The tensors of a request. An input without a value is left out if it is optional, and otherwise sent empty.

        Raises:
            ContractError: BAD_REQUEST if the request sets something that no tensor takes, or a value that its tensor
                does not hold; TOO_LARGE for a clip longer than a tensor of fixed length.
        """
        values = request_values(request, self._options)
        inputs = list(self._constants)
        for role, tensor in self._tensors.items():
            value = values.get(role, self._options.defaults.get(role))
            if value is not None:
                inputs.append(self._input(tensor, self._array(role, tensor, value)))
            elif not tensor.optional:
                inputs.append(self._input(tensor, self._empty(role, tensor)))
        return inputs

    def _input(self, tensor: Tensor, array: Array) -> InputTensor:
        # A batch of one: Triton forms larger batches itself.
        return InputTensor(tensor.name, tensor.datatype, array[np.newaxis] if self._batched else array)

    def _empty(self, role: str, tensor: Tensor) -> Array:
        """No samples or pixels for a carrier, no text, and a single zero for the numbers that belong to them."""
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
        assert axis is not None, "checked by validate_options"
        try:
            return samples_array(tensor, samples, axis)
        except ValueError as error:
            text = f"the clip lasts {clip.seconds:.1f} s: {error}; shorten it, or serve the model with a free length"
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
            # Scaled in double precision before the cast, which may be to FP16.
            scaled = pixels.astype(np.float64) * (self._options.image_white / _RGB_MAX)
            pixels = scaled.astype(f"float{tensor.datatype.removeprefix('FP')}")
        if pixel_axes(tensor.dims) == "CHW":
            pixels = pixels.transpose(2, 0, 1)
        # Triton's client sends the buffer in the order of memory; a transposed view has another order.
        return np.ascontiguousarray(pixels).reshape((1,) * (len(tensor.dims) - 3) + pixels.shape)


def request_values(request: Request, options: TritonOptions) -> dict[str, Value]:
    """The request's values by input role; fields that it leaves unset are left out.

    Raises:
        ContractError: BAD_REQUEST if the request sets something that no tensor takes.
    """
    mapped = dict(options.inputs.named())
    found = {**_parts(request, options, mapped), **_settings(request), **_decoding(request.decoding)}
    if "decoding" in mapped:
        found["decoding"] = _as_json(request.decoding, options)
    elif request.decoding.extra:
        named = ", ".join(request.decoding.extra)
        raise _bad_request(f"decoding.extra sets {named}, but the model has no tensor for it: map inputs.decoding")
    accepted = {*mapped, *_NO_TENSOR_NEEDED, *options.ignore, *(DECODING if "decoding" in mapped else ())}
    # Refused rather than dropped: a temperature, say, that has no effect would make the measurement wrong.
    for role in found:
        if role not in accepted:
            raise _bad_request(
                f"the request sets {role}, but {options.title} has no tensor for it: leave it out, map inputs.{role},"
                " or add it to the option ignore"
            )
    return found


def _parts(request: Request, options: TritonOptions, mapped: Mapping[str, str]) -> dict[str, Value]:
    """The carrier, and the typed instruction, which is appended to a typed question if it has no separate tensor."""
    carrier, *others = request.parts
    typed = [part for part in others if isinstance(part, str)]
    if len(typed) < len(others):
        raise _bad_request(
            f"the request has {len(request.parts)} parts, several of them media: send one carrier, then the instruction"
        )
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
        # Next to audio or an image the text tensor is free, and takes the instruction.
        role = "text" if "text" in mapped and "instruction" not in mapped else "instruction"
        found[role] = options.text_separator.join(typed)
    return found


def _settings(request: Request) -> dict[str, Value]:
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


def _decoding(requested: DecodingOptions) -> dict[str, Value]:
    values = {
        "max_tokens": requested.max_new_tokens,
        "temperature": requested.temperature,
        "top_p": requested.top_p,
        "top_k": requested.top_k,
        "repetition_penalty": requested.repetition_penalty,
        "seed": requested.seed,
        "beam_size": requested.beam_size,
    }
    return {role: value for role, value in values.items() if value is not None}


def _as_json(requested: DecodingOptions, options: TritonOptions) -> str:
    """One JSON object: the defaults of the options, the request's fields, and its extra ones.

    An extra value that is valid JSON is sent as JSON, any other as a string.
    """
    fields: dict[str, object] = {role: options.defaults[role] for role in DECODING if role in options.defaults}
    fields.update(_decoding(requested))
    for name, value in requested.extra.items():
        try:
            fields[name] = json.loads(value)
        except json.JSONDecodeError:
            fields[name] = value
    return json.dumps(fields, ensure_ascii=False)


def _bad_request(text: str) -> ContractError:
    return ContractError(Reason.BAD_REQUEST, text)
