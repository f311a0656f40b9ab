"""A Vosk model as a service of omnigap, for the measurement in docs/korean.md; not installed with omnigap.

pip install vosk==0.3.45
PYTHONPATH=benchmarks omnigap-serve vosk_recogniser:VoskAdapter --port 50091 --options 'model = "FOLDER"'
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from omnigap.errors import ContractError
from omnigap.vocabulary import Condition, Modality
from omnigap_services.adapter import NATIVE, Adapter, Card, Completion, Turn
from omnigap_services.audio import single_clip
from omnigap_services.options import Options, read_options

_RATE_HZ = 16_000


class VoskOptions(Options):
    """Options: the folder of the model (with `am`, `conf`, `graph`), its name and its language."""

    model: str
    name: str = "vosk"
    language: str = "ko"


class VoskAdapter(Adapter):
    """Transcribes one clip per request with Kaldi, as the `asr` service does with Whisper."""

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._set = read_options(VoskOptions, "vosk", options)

    def load(self) -> Card:
        import vosk

        vosk.SetLogLevel(-1)
        self._vosk: Any = vosk
        self._model = vosk.Model(self._set.model)
        return Card(
            name=self._set.name,
            conditions={Condition(Modality.SPEECH, Modality.TEXT): NATIVE},
            libraries=("vosk",),
            languages=(self._set.language,),
            input_sample_rate_hz=_RATE_HZ,
        )

    def generate(self, batch: Sequence[Turn]) -> None:
        for turn in batch:
            try:
                samples = single_clip(turn.request)
            except ContractError as error:
                turn.fail(error)
                continue
            # A recogniser of its own for each clip: it adapts to the speaker, and clips must not depend on their order.
            recogniser = self._vosk.KaldiRecognizer(self._model, _RATE_HZ)
            pcm = (np.clip(samples, -1.0, 1.0) * 32767).astype("<i2").tobytes()
            # A clip with pauses has several results: each call that returns true ends one.
            parts = []
            for start in range(0, len(pcm), 2 * 4000):
                if recogniser.AcceptWaveform(pcm[start : start + 2 * 4000]):
                    parts.append(json.loads(recogniser.Result())["text"])
            parts.append(json.loads(recogniser.FinalResult())["text"])
            turn.write(" ".join(part for part in parts if part))
            turn.complete(Completion())
