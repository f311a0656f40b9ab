"""The `echo` service: a null model that answers at once in the requested modality, for tests and load."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from omnigap.errors import ContractError
from omnigap.media import AudioClip
from omnigap.media.audio import Samples
from omnigap.vocabulary import CONDITIONS, Architecture, Modality, Reason
from omnigap_services.adapter import NATIVE, Adapter, Card, Completion, InputPart, Request, Turn
from omnigap_services.options import Options, read_options

_RATE = 16_000
_SECONDS = 0.25
_POLL_S = 0.01
_WARM_UP = "x-warm-up"
"""Language of the warm-up request; `x-` marks a private BCP-47 tag, which no item has."""


class EchoOptions(Options):
    """Options of the `echo` service.

    Attributes:
        answer: given to every request, instead of an echo of the carrier.
        delay_s: seconds of simulated work per batch.
        fail_with: reason of the error that every request gets.
        fail_matching: only requests whose texts contain this fail.
        silent: speech answers have empty audio.
    """

    name: str = "echo"
    architecture: Architecture = Architecture.CASCADE
    answer: str | None = None
    delay_s: float = 0.0
    fail_with: Reason | None = None
    fail_matching: str = ""
    silent: bool = False
    workers: int = 1
    max_batch_size: int = 32
    max_queue: int = 1024


class EchoAdapter(Adapter):
    """Supports all six conditions, so it can be used as model, TTS and scorer."""

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._set = read_options(EchoOptions, "echo", options)

    def load(self) -> Card:
        options = self._set
        return Card(
            name=options.name,
            conditions=dict.fromkeys(CONDITIONS, NATIVE),
            architecture=options.architecture,
            # Delays and failures are left out: a server that no longer fails gives the same answers.
            settings={"answer": str(options.answer), "silent": str(options.silent)},
            workers=options.workers,
            max_batch_size=options.max_batch_size,
            max_queue=options.max_queue,
            output_sample_rate_hz=_RATE,
        )

    def generate(self, batch: Sequence[Turn]) -> None:
        self._simulate_work(batch)
        for turn in batch:
            # A cancelled turn is left open: the server ends it.
            if not turn.cancelled:
                self._answer(turn)

    def warm_up(self) -> Request | None:
        # Its language marks it: a service whose `fail_with` applies to every request still has to start.
        return Request(parts=("Hello.",), output=Modality.TEXT, language=_WARM_UP)

    def _answer(self, turn: Turn) -> None:
        request, options = turn.request, self._set
        texts = " ".join(request.texts)
        if options.fail_with and options.fail_matching in texts and request.language != _WARM_UP:
            turn.fail(ContractError(options.fail_with, f"fail_with = {options.fail_with.value!r} is set"))
            return
        text = options.answer if options.answer is not None else _echo_of(request.carrier)
        turn.write(text)
        if request.output is Modality.SPEECH:
            turn.speak(_NO_SOUND if options.silent else _sound_of(request), _RATE)
        turn.complete(Completion(input_tokens=len(texts.split()), output_tokens=len(text.split())))

    def _simulate_work(self, batch: Sequence[Turn]) -> None:
        end = time.monotonic() + self._set.delay_s
        while (left := end - time.monotonic()) > 0 and not all(turn.cancelled for turn in batch):
            time.sleep(min(left, _POLL_S))


def _echo_of(carrier: InputPart) -> str:
    if isinstance(carrier, AudioClip):
        return f"audio of {carrier.seconds:.2f} seconds"
    if isinstance(carrier, Image.Image):
        return f"image of {carrier.width} x {carrier.height} pixels"
    return carrier


def _sound_of(request: Request) -> Samples:
    """0.25 s of audio that is different for every request: a tone with a hash of the request in its lowest bits.

    Media are stored, and transcribed, once per content hash: with equal audio a load test would skip that work. It is
    cheap: under load the null model must not be what is measured.
    """
    content = hashlib.sha256()
    for part in request.parts:
        if isinstance(part, str):
            content.update(part.encode())
        else:
            content.update(part.samples.tobytes() if isinstance(part, AudioClip) else part.tobytes())
        content.update(b"\0")
    rest = (request.system_prompt, request.decoding, request.voice, request.words_per_minute, request.language)
    content.update(repr(rest).encode())
    digest = np.frombuffer(content.digest(), np.uint8)
    sound: Samples = _TONES[digest[0] % len(_TONES)].copy()
    sound[: digest.size * 8] += np.unpackbits(digest).astype(np.float32) / 32768
    return sound


def _tone(hertz: float) -> Samples:
    """A tone whose 16-bit samples are all even, which leaves the lowest bit free for `_sound_of`."""
    time_s = np.arange(int(_RATE * _SECONDS)) / _RATE
    tone: Samples = (np.rint(3000 * np.sin(2 * np.pi * hertz * time_s)) * 2 / 32768).astype(np.float32)
    return tone


_NO_SOUND: Samples = np.zeros(0, np.float32)
_TONES = tuple(_tone(200 + 25 * step) for step in range(32))
