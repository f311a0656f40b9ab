"""From a request to the arrays of the input tensors."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import numpy as np
from PIL import Image

from omnigap.errors import ContractError
from omnigap.media import AudioClip, encode_pcm16, encode_png, encode_wav
from omnigap.vocabulary import Modality, Reason
from omnigap_services.adapter import Request
from omnigap_services.triton_server.options import TritonOptions
from omnigap_services.triton_server.roles import CARRIERS
from omnigap_services.triton_server.signature import Signature, Tensor
from omnigap_services.triton_server.tensors import (
    Array,
    empty,
    filled,
    laid_out,
    pixel_axes,
    sample_axis,
)
from omnigap_services.triton_server.values import Value, values_of

_RGB_MAX = 255


@dataclass(frozen=True, slots=True)
class Fed:
    """One input tensor of a request, with its batch dimension where the model has one."""

    name: str
    datatype: str
    array: Array


class Feeder:
    """Turns requests into input tensors. Options and signature were checked against each other before."""

    def __init__(self, options: TritonOptions, signature: Signature) -> None:
        tensors = {tensor.name: tensor for tensor in signature.inputs}
        self._options = options
        self._batched = signature.batched
        self._tensors = {role: tensors[name] for role, name in options.inputs.named()}
        self._constants = [
            self._fed(tensors[name], filled(tensors[name], value)) for name, value in options.constants.items()
        ]

    def feed(self, request: Request) -> list[Fed]:
        """The tensors of a request. What it has nothing for is left out where the model allows it, else sent empty.

        Raises:
            ContractError: BAD_REQUEST where the request brings something that no tensor takes, or a value that its
                tensor does not hold; TOO_LARGE for a clip longer than a tensor of fixed length.
        """
        values = values_of(request, self._options)
        fed = list(self._constants)
        for role, tensor in self._tensors.items():
            value = values.get(role, self._options.defaults.get(role))
            if value is not None:
                fed.append(self._fed(tensor, self._array(role, tensor, value)))
            elif not tensor.optional:
                fed.append(self._fed(tensor, self._nothing(role, tensor)))
        return fed

    def _fed(self, tensor: Tensor, array: Array) -> Fed:
        return Fed(tensor.name, tensor.datatype, array[np.newaxis] if self._batched else array)

    def _nothing(self, role: str, tensor: Tensor) -> Array:
        """A carrier that is not there has no samples and no pixels; what goes with it is one zero, or no text."""
        if role in CARRIERS or tensor.datatype == "BYTES":
            return empty(tensor, free=int(self._options.absent == "zero"))
        return filled(tensor, 0)

    def _array(self, role: str, tensor: Tensor, value: Value) -> Array:
        if isinstance(value, AudioClip):
            return self._samples(tensor, value)
        if isinstance(value, Image.Image):
            return self._pixels(tensor, value)
        if role == "output" and tensor.datatype != "BYTES":
            value = value == Modality.SPEECH
        try:
            return filled(tensor, value)
        except ValueError as error:
            raise ContractError(
                Reason.BAD_REQUEST, f"{role} is {value!r}, which the tensor {tensor} does not take: {error}"
            ) from None

    def _samples(self, tensor: Tensor, clip: AudioClip) -> Array:
        if tensor.datatype == "BYTES":
            return filled(tensor, self._audio_bytes(clip))
        samples: Array = clip.samples
        if tensor.datatype == "INT16":
            samples = np.frombuffer(encode_pcm16(clip.samples), dtype="<i2")
        axis = sample_axis(tensor.dims)
        assert axis is not None, "check_wiring let it pass"
        try:
            return laid_out(tensor, samples, axis)
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
            return filled(tensor, base64.b64encode(png) if self._options.image_in == "png_base64" else png)
        pixels: Array = np.asarray(image.convert("RGB"))
        if tensor.datatype != "UINT8":
            scaled = pixels.astype(np.float64) * (self._options.image_white / _RGB_MAX)
            pixels = scaled.astype(f"float{tensor.datatype.removeprefix('FP')}")
        if pixel_axes(tensor.dims) == "CHW":
            pixels = pixels.transpose(2, 0, 1)
        return np.ascontiguousarray(pixels).reshape((1,) * (len(tensor.dims) - 3) + pixels.shape)
