"""The turn that an adapter writes to: checks and times its output, and passes it to the event loop in order."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque

import numpy as np

from omnigap.convert import finish_to_proto
from omnigap.errors import SHOWN_CHARS, ContractError, no_audio
from omnigap.media import AudioClip, encode_pcm16
from omnigap.media.audio import PCM, Samples
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import FinishReason, Modality, Reason
from omnigap_services.adapter import Completion, Request
from omnigap_services.failures import failure_of
from omnigap_services.server.response import ResponseLog, Result

# A long utterance is sent in chunks well below the message limit of gRPC.
_MAX_CHUNK_BYTES = 512 * 1024

# One answer, all kinds of output together. A model that does not end must not fill the server's memory.
_MAX_ANSWER_BYTES = 64 * 1024 * 1024
# Each event costs memory and time besides its content.
_EVENT_BYTES = 64

Event = bytes | Result
"""An event of an answer: a serialised delta, or its end."""


class LoopBridge:
    """Passes events from worker threads to their logs on the event loop, in the order in which they were posted.

    `call_soon_threadsafe` writes to a pipe on every call. So one pending wake-up serves everything that is posted until
    it runs.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        # append and popleft of a deque are atomic, so posting needs no lock.
        self._posted: deque[tuple[ResponseLog, Event]] = deque()
        self._scheduled = False

    def post(self, log: ResponseLog, event: Event) -> None:
        """May be called from any thread. After the loop has closed, events are dropped."""
        # Appended before the flag is read: see `_deliver`.
        self._posted.append((log, event))
        if not self._scheduled:
            self._scheduled = True
            try:
                self._loop.call_soon_threadsafe(self._deliver)
            except RuntimeError:
                # The loop is closed: the server has stopped, and no caller is left.
                self._posted.clear()

    def _deliver(self) -> None:
        # The flag is cleared before the queue is read. An event posted after this line schedules another delivery; one
        # posted before it is already in the queue. In the other order an event could be left without a wake-up.
        self._scheduled = False
        # Only what is there now: a thread that posts without pause must not keep the loop from its other work.
        for _ in range(len(self._posted)):
            log, event = self._posted.popleft()
            if isinstance(event, bytes):
                log.push(event)
            else:
                log.end(event)


class ResponseStream:
    """Implements `omnigap_services.adapter.Turn`. Everything that is written to it after its end is dropped.

    Invalid output of the adapter ends this turn with MODEL_ERROR instead of raising: an exception in `generate` would
    end all turns of the batch.
    """

    def __init__(self, request: Request, log: ResponseLog, bridge: LoopBridge, digest: str) -> None:
        self._request = request
        self._log = log
        self._bridge = bridge
        self._digest = digest
        # Guards the end: an adapter may complete a turn from one thread while another fails it.
        self._lock = threading.Lock()
        self._open = True
        self._cancelled = False
        self._started = 0.0
        self._first_text = 0.0
        self._first_audio = 0.0
        self._batch_size = 0
        self._rate = 0
        self._samples_out = 0
        self._bytes_out = 0
        # The beginning of the own text, for the message of an answer that lacks its audio.
        self._text_start = ""

    @property
    def request(self) -> Request:
        return self._request

    @property
    def cancelled(self) -> bool:
        # Never reset: an adapter that has read True has stopped generating. If another caller joins at that moment, the
        # half answer must not become complete again.
        self._cancelled = self._cancelled or self._log.abandoned
        return self._cancelled

    def write(self, text: str) -> None:
        if text:
            text = _encodable(text)
            if len(self._text_start) < SHOWN_CHARS:
                self._text_start += text
            self._send(pb.Delta(text=text))

    def reason(self, text: str) -> None:
        if text:
            self._send(pb.Delta(reasoning=_encodable(text)))

    def speak(self, samples: Samples, sample_rate: int) -> None:
        samples = np.asarray(samples, dtype=np.float32)
        if fault := self._rate_fault(sample_rate) or _samples_fault(samples):
            self.fail(ContractError(Reason.MODEL_ERROR, fault))
            return
        self._send_pcm16(encode_pcm16(samples), sample_rate)

    def speak_pcm16(self, data: bytes, sample_rate: int) -> None:
        fault = self._rate_fault(sample_rate)
        if not fault and len(data) % 2:
            fault = f"the adapter spoke {len(data)} bytes of 16-bit audio: half a sample is missing"
        if fault:
            self.fail(ContractError(Reason.MODEL_ERROR, fault))
            return
        self._send_pcm16(data, sample_rate)

    def complete(self, completion: Completion) -> None:
        if self._lacks_audio(completion):
            self.fail(no_audio(self._text_start))
            return
        now = time.monotonic()
        created = self._log.created
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
        self._end(message)

    def fail(self, error: Exception) -> None:
        failure = failure_of(error)
        # An adapter sees only that a turn is cancelled, not whether its callers left or their deadline passed.
        self._end(self._log.abandonment() if failure.reason is Reason.CANCELLED and self.cancelled else failure)

    def start(self, batch_size: int) -> None:
        """Called by the worker when it takes the turn out of the queue."""
        self._started = time.monotonic()
        self._batch_size = batch_size

    def abandon(self) -> None:
        """Ends a turn that no caller waits for."""
        self._end(self._log.abandonment())

    def finish(self, error: ContractError | None = None) -> None:
        """Ends a turn that `generate` left open: with its error, as abandoned, or with a default completion."""
        if not self._open:
            return
        # Checked first: an adapter that stops at `cancelled` simply returns, and has written half an answer.
        if self.cancelled:
            self.abandon()
        elif error is not None:
            self._end(error)
        else:
            self.complete(Completion())

    def _send_pcm16(self, data: bytes, sample_rate: int) -> None:
        self._rate = sample_rate
        self._samples_out += len(data) // 2
        # At least one chunk: an empty one says that there is audio and that it is empty.
        for start in range(0, max(1, len(data)), _MAX_CHUNK_BYTES):
            chunk = data[start : start + _MAX_CHUNK_BYTES]
            self._send(pb.Delta(audio=pb.Audio(data=chunk, mime_type=PCM, sample_rate_hz=sample_rate, channels=1)))

    def _send(self, delta: pb.Delta) -> None:
        if not self._open:
            return
        if delta.HasField("audio"):
            if delta.audio.data:
                self._first_audio = self._first_audio or time.monotonic()
        elif delta.HasField("text"):
            self._first_text = self._first_text or time.monotonic()
        event = pb.GenerateResponse(delta=delta).SerializeToString()
        self._bytes_out += len(event) + _EVENT_BYTES
        if self._bytes_out > _MAX_ANSWER_BYTES:
            # Stops the adapter too.
            self._cancelled = True
            limit = _MAX_ANSWER_BYTES // 1024**2
            text = f"the answer is over the limit of {limit} MiB and was cut off: set a limit of tokens"
            self.fail(ContractError(Reason.TOO_LARGE, text))
            return
        self._bridge.post(self._log, event)

    def _end(self, event: Result) -> None:
        with self._lock:
            if not self._open:
                return
            self._open = False
        self._bridge.post(self._log, event)

    def _lacks_audio(self, completion: Completion) -> bool:
        """Whether a speech answer has no audio at all; empty audio counts, and a refusal needs none."""
        speech = self._request.output is Modality.SPEECH
        return speech and not self._rate and completion.finish_reason is not FinishReason.REFUSED

    def _rate_fault(self, sample_rate: int) -> str:
        """Why audio of this rate cannot be part of the answer; empty if it can."""
        if self._request.output is not Modality.SPEECH:
            return "the adapter spoke although text was asked for: check request.output before speaking"
        if sample_rate <= 0 or (self._rate and sample_rate != self._rate):
            return f"the adapter spoke at {sample_rate} Hz after {self._rate} Hz: an answer has one rate above 0"
        return ""


def _samples_fault(samples: Samples) -> str:
    """What is wrong with a chunk of audio; empty if nothing is."""
    if samples.ndim != 1:
        return f"the adapter spoke samples of shape {samples.shape}: mono audio has shape (n,)"
    if not np.isfinite(samples).all():
        return "the adapter spoke NaN or infinite samples"
    return ""


def _encodable(text: str) -> str:
    """The text without lone surrogates: a tokeniser that splits characters may emit them, and UTF-8 has no code."""
    return text.encode("utf-8", "replace").decode() if not text.isascii() else text
