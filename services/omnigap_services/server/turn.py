"""The turn that an adapter sees: what it writes becomes events, timed and checked on the way."""

from __future__ import annotations

import threading
import time

import numpy as np

from omnigap.convert import finish_to_proto
from omnigap.errors import ContractError
from omnigap.media import AudioClip, encode_pcm16
from omnigap.media.audio import PCM, Samples
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, Reason
from omnigap_services.adapter import Completion, Request
from omnigap_services.failures import failure_of
from omnigap_services.server.answer import Answer
from omnigap_services.server.courier import Courier

# A long utterance travels in pieces well below the message limit.
_MAX_CHUNK_BYTES = 2 * 262_144


class ServedTurn:
    """Implements `omnigap_services.adapter.Turn`; after its end, everything written to it is dropped.

    A fault in what the adapter hands over ends this turn with MODEL_ERROR instead of raising: the other turns of
    the batch have no part in it.
    """

    def __init__(self, request: Request, answer: Answer, courier: Courier, digest: str) -> None:
        self._request = request
        self._answer = answer
        self._courier = courier
        self._digest = digest
        self._lock = threading.Lock()
        self._open = True
        self._cancelled = False
        self._started = 0.0
        self._first_text = 0.0
        self._first_audio = 0.0
        self._batch_size = 0
        self._rate = 0
        self._samples_out = 0

    @property
    def request(self) -> Request:
        return self._request

    @property
    def cancelled(self) -> bool:
        # Latched: an adapter that was told to stop has stopped, even if another caller joins in this moment.
        self._cancelled = self._cancelled or self._answer.gone
        return self._cancelled

    def write(self, text: str) -> None:
        if text:
            self._send(pb.Delta(text=_valid(text)))

    def reason(self, text: str) -> None:
        if text:
            self._send(pb.Delta(reasoning=_valid(text)))

    def speak(self, samples: Samples, sample_rate: int) -> None:
        samples = np.asarray(samples, dtype=np.float32)
        if fault := self._fault_of_speaking(sample_rate) or _fault_in(samples):
            self.fail(ContractError(Reason.MODEL_ERROR, fault))
            return
        self._send_pcm16(encode_pcm16(samples), sample_rate)

    def speak_pcm16(self, data: bytes, sample_rate: int) -> None:
        fault = self._fault_of_speaking(sample_rate)
        if not fault and len(data) % 2:
            fault = f"the adapter spoke {len(data)} bytes of 16-bit audio: half a sample is missing"
        if fault:
            self.fail(ContractError(Reason.MODEL_ERROR, fault))
            return
        self._send_pcm16(data, sample_rate)

    def complete(self, completion: Completion) -> None:
        now = time.monotonic()
        created = self._answer.created
        seconds_in = sum(part.seconds for part in self._request.parts if isinstance(part, AudioClip))
        message = pb.Complete(
            finish_reason=finish_to_proto(completion.finish_reason),
            usage=pb.Usage(
                input_tokens=completion.input_tokens,
                output_tokens=completion.output_tokens,
                audio_tokens=completion.audio_tokens,
                input_audio_seconds=seconds_in,
                output_audio_seconds=self._samples_out / self._rate if self._rate else 0.0,
            ),
            timings=pb.Timings(
                queue_s=self._started - created,
                compute_s=now - self._started,
                ttft_s=self._first_text - created if self._first_text else 0.0,
                audio_ttfp_s=self._first_audio - created if self._first_audio else 0.0,
                batch_size=self._batch_size,
            ),
            digest=self._digest,
            diagnostics=completion.diagnostics,
            detected_language=completion.detected_language,
        )
        self._end(pb.GenerateResponse(complete=message))

    def fail(self, error: Exception) -> None:
        self._end(failure_of(error))

    def start(self, batch_size: int) -> None:
        """The worker takes the turn out of the queue."""
        self._started = time.monotonic()
        self._batch_size = batch_size

    def give_up(self) -> None:
        """Ends a turn for which nobody waits any more."""
        if self._answer.gone_away:
            self.fail(ContractError(Reason.CANCELLED, "the caller went away before the answer was complete"))
            return
        waited = time.monotonic() - self._answer.created
        text = f"the call's deadline passed after {waited:.1f} s: wait longer, or send fewer calls at once"
        self.fail(ContractError(Reason.DEADLINE_EXCEEDED, text))

    def finish(self, error: ContractError | None = None) -> None:
        """Ends what `generate` left open: with its error, as given up, or with a default completion."""
        if not self._open:
            return
        if self.cancelled:
            self.give_up()
        elif error is not None:
            self._end(error)
        else:
            self.complete(Completion())

    def _send_pcm16(self, data: bytes, sample_rate: int) -> None:
        self._rate = sample_rate
        self._samples_out += len(data) // 2
        for start in range(0, len(data), _MAX_CHUNK_BYTES):
            piece = data[start : start + _MAX_CHUNK_BYTES]
            self._send(pb.Delta(audio=pb.Audio(data=piece, mime_type=PCM, sample_rate_hz=sample_rate, channels=1)))

    def _send(self, delta: pb.Delta) -> None:
        if not self._open:
            return
        if delta.HasField("audio"):
            self._first_audio = self._first_audio or time.monotonic()
        elif delta.HasField("text"):
            self._first_text = self._first_text or time.monotonic()
        self._courier.post(self._answer, pb.GenerateResponse(delta=delta))

    def _end(self, event: pb.GenerateResponse | ContractError) -> None:
        with self._lock:
            if not self._open:
                return
            self._open = False
        self._courier.post(self._answer, event)

    def _fault_of_speaking(self, sample_rate: int) -> str:
        """Why no audio of this rate fits the turn; empty where it does."""
        if self._request.output is not Modality.SPEECH:
            return "the adapter spoke although text was asked for: let it look at request.output"
        if sample_rate <= 0 or (self._rate and sample_rate != self._rate):
            return f"the adapter spoke at {sample_rate} Hz after {self._rate} Hz: one answer has one rate over 0"
        return ""


def _fault_in(samples: Samples) -> str:
    """What is wrong with a piece of audio; empty where nothing is."""
    if samples.ndim != 1:
        return f"the adapter spoke samples of shape {samples.shape}: mono audio has shape (n,)"
    if not np.isfinite(samples).all():
        return "the adapter spoke NaN or infinite samples"
    return ""


def _valid(text: str) -> str:
    """The text without lone surrogates, which a broken tokeniser may leave and UTF-8 cannot carry."""
    return text.encode("utf-8", "replace").decode() if not text.isascii() else text
