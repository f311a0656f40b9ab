"""Answers with its inputs: the shape and value of each; for media the first, last and mean element."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb_utils

NAMES = ("question", "typed", "system", "speech", "speech_rate", "speech_samples", "picture", "floats", "language")
NAMES += ("speaker", "speak", "max_tokens", "temperature", "seed", "sampling", "style")


class TritonPythonModel:
    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        inputs = {name: pb_utils.get_input_tensor_by_name(request, name) for name in NAMES}
        seen = {name: described(tensor.as_numpy()) for name, tensor in inputs.items() if tensor is not None}
        seen["wanted"] = sorted(request.requested_output_names())
        question = str(seen.get("question", {}).get("value", ""))
        command, _, argument = question.partition(" ")
        if command == "raise":
            raise ValueError(argument)
        if command == "refuse":
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(argument))
        if command == "die":
            os._exit(1)
        if command == "wait":
            wait(request, argument)
        rate = int(argument) if command == "rate" else 24_000
        seconds = np.arange(rate // 4) / rate
        wave = 0.5 * np.sin(2 * np.pi * 440 * seconds)
        if command == "nan":
            wave[3] = np.nan
        if command == "silence":
            wave = wave[:0]
        answer = question if command in ("wait", "rate", "nan", "silence") else json.dumps(seen, ensure_ascii=False)
        outputs = [
            pb_utils.Tensor("answer", np.array([[answer.encode()]], object)),
            pb_utils.Tensor("wave", wave.astype(np.float32)[np.newaxis]),
            pb_utils.Tensor("wave_rate", np.array([[rate]], np.int32)),
            pb_utils.Tensor("tokens", np.array([[7]], np.int32)),
            pb_utils.Tensor("end", np.array([[b"length" if command == "long" else b"stop"]], object)),
            pb_utils.Tensor("confidence", np.array([[0.25]], np.float32)),
            pb_utils.Tensor("endless", np.array([[np.inf]], np.float32)),
            pb_utils.Tensor("pair", np.array([[1.0, 2.0]], np.float32)),
        ]
        return pb_utils.InferenceResponse([tensor for tensor in outputs if tensor.name() in seen["wanted"]])


def described(array):
    if array.dtype == np.object_:
        return {"shape": list(array.shape), "value": array.ravel()[0].decode()}
    if array.size == 1:
        return {"shape": list(array.shape), "value": array.ravel()[0].item()}
    return {
        "shape": list(array.shape),
        "first": array.ravel()[0].item() if array.size else None,
        "last": array.ravel()[-1].item() if array.size else None,
        "mean": float(array.astype(np.float64).mean()) if array.size else None,
    }


def wait(request, name):
    """Waits until the caller cancels, and reports it as an event."""
    events = Path(os.environ["OMNIGAP_TEST_EVENTS"])
    (events / f"{name}.entered").touch()
    end = time.monotonic() + 120
    while not request.is_cancelled() and time.monotonic() < end:
        time.sleep(0.02)
    (events / f"{name}.cancelled").touch()
