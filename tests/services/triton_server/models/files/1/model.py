"""Takes WAV and PNG files as bytes, plain or in base64, and describes them; a clip is returned reversed."""

from __future__ import annotations

import base64
import io
import struct
import wave

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        names = ("clip", "image", "text")
        clip, image, text = (pb_utils.get_input_tensor_by_name(request, name).as_numpy().ravel()[0] for name in names)
        coded = clip.isascii() and image.isascii() and bool(clip or image)
        if coded:
            clip, image = base64.b64decode(clip), base64.b64decode(image)
        said = [text.decode()] if text else []
        if image:
            width, height = struct.unpack(">II", image[16:24])
            said.append(f"{image[1:4].decode()} of {width} x {height}")
        back = b""
        if clip.startswith(b"RIFF"):
            with wave.open(io.BytesIO(clip)) as file:
                samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
                rate = file.getframerate()
            said.append(f"WAV of {len(samples)} samples at {rate}")
            back = wav(samples[::-1], rate)
        elif clip:
            said.append(f"PCM of {len(clip)} bytes")
            back = clip
        if text == b"noise":
            back = b"no WAV at all"
        if coded:
            back = base64.b64encode(back)
        outputs = {"said": ", ".join(said).encode(), "clip_out": back}
        tensors = [pb_utils.Tensor(name, np.array([value], object)) for name, value in outputs.items()]
        return pb_utils.InferenceResponse(tensors)


def wav(samples, rate):
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return buffer.getvalue()
