"""A model for embedded fleets: answers with the identity of the request, after it has written that to a synced log."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from omnigap.media import AudioClip
from omnigap.vocabulary import CONDITIONS, Modality
from omnigap_services.adapter import NATIVE, Adapter, Card, Request, Turn

RATE = 16_000
WARM_UP = Request(parts=("warm-up",), output=Modality.TEXT)


class LoggingModel(Adapter):
    """Options: `log`, the path of the log; `delay_s`, the time of each answer."""

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)

    def load(self) -> Card:
        return Card(name="logging", conditions=dict.fromkeys(CONDITIONS, NATIVE), output_sample_rate_hz=RATE, workers=2)

    def warm_up(self) -> Request:
        return WARM_UP

    def generate(self, batch: Sequence[Turn]) -> None:
        for turn in batch:
            text = identity(turn.request)
            if turn.request != WARM_UP:
                with Path(str(self.options["log"])).open("a", encoding="utf-8") as log:
                    log.write(f"{text}\n")
                    log.flush()
                    os.fsync(log.fileno())
                time.sleep(float(str(self.options.get("delay_s", 0))))
            turn.write(text)
            if turn.request.output is Modality.SPEECH:
                noise = np.random.default_rng(int(text[-8:], 16)).random(RATE // 5, np.float32) - 0.5
                turn.speak(noise.astype(np.float32) / 2, RATE)


def identity(request: Request) -> str:
    """The output, and a hash of what was sent: the same for the same request, and for no other."""
    content = hashlib.sha256(request.output.value.encode())
    for part in request.parts:
        content.update(part.samples.tobytes() if isinstance(part, AudioClip) else str(part).encode())
    return f"{request.output.value} {content.hexdigest()[:8]}"
