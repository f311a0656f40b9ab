"""Repeats its prompt word by word, with a tone per word if speech is requested; some prompts are commands."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb_utils

FINAL = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL


class TritonPythonModel:
    def execute(self, requests):
        for request in requests:
            threading.Thread(target=self.answer, args=(request, request.get_response_sender()), daemon=True).start()

    def answer(self, request, sender):
        prompt = pb_utils.get_input_tensor_by_name(request, "prompt").as_numpy().ravel()[0].decode()
        pcm = pb_utils.get_input_tensor_by_name(request, "pcm").as_numpy()
        speaks = pb_utils.get_input_tensor_by_name(request, "mode").as_numpy().ravel()[0] == b"speech"
        command, _, argument = prompt.partition(" ")
        pieces = [word.encode() for word in prompt.split(" ")]
        if pcm.size:
            pieces = [b"audio", f"{pcm.shape}".encode(), f"{int(pcm.max())}".encode()]
        if command == "nothing":
            pieces = []
        if command == "split":
            pieces = [bytes([byte]) for byte in argument.encode()]
        if command == "half":
            pieces = [b"end", "\N{EURO SIGN}".encode()[:2]]
        whole = b""
        for number, piece in enumerate(pieces):
            if command == "fail" and number == int(argument.split()[0]):
                error = pb_utils.TritonError(" ".join(argument.split()[1:]))
                sender.send(pb_utils.InferenceResponse(error=error), flags=FINAL)
                return
            whole = piece if not number else whole + b" " + piece
            spaced = piece if command in ("split", "half") or not number else b" " + piece
            sender.send(self.response(whole if command == "sofar" else spaced, number, speaks, command))
            if command == "wait" and number == 1 and not self.wait(request, argument.split()[0]):
                break
        sender.send(flags=FINAL)

    def response(self, text, number, speaks, command):
        outputs = [
            pb_utils.Tensor("text", np.array([text], object)),
            pb_utils.Tensor("thought", np.array([b"hm "], object)),
            pb_utils.Tensor("end", np.array([b"length" if command == "long" else b"stop"], object)),
            pb_utils.Tensor("count", np.array([number + 1], np.int64)),
        ]
        if speaks:
            rate = 8_000 if command in ("slow", "change") else 16_000
            if command == "change" and number:
                rate = 16_000
            tone = 9_000 * np.sin(2 * np.pi * 300 * np.arange(rate // 10) / rate)
            outputs.append(pb_utils.Tensor("pcm_out", tone.astype(np.int16)))
            outputs.append(pb_utils.Tensor("rate", np.array([rate], np.uint32)))
        return pb_utils.InferenceResponse(outputs)

    def wait(self, request, name):
        """Waits; True if a test resumes it, False if the caller cancelled."""
        events = Path(os.environ["OMNIGAP_TEST_EVENTS"])
        (events / f"{name}.entered").touch()
        end = time.monotonic() + 120
        while time.monotonic() < end:
            if request.is_cancelled():
                (events / f"{name}.cancelled").touch()
                return False
            if (events / f"{name}.go").exists():
                return True
            time.sleep(0.02)
        return False
