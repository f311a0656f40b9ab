"""An answer: collects the events of a response stream, and checks each against the contract and its bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from omnigap import convert, limits
from omnigap.errors import ContractError, no_audio, quoted, shown
from omnigap.media.audio import PCM, AudioLimits
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import FinishReason, Reason

UNREADABLE = pb.GenerateResponse()
"""Takes the place of bytes that are not a GenerateResponse; recognised by identity."""

_FORMATS = AudioLimits()
_DIGEST_CHARS = 12


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished answer.

    Attributes:
        own_text: all text deltas, joined.
        pcm: signed 16-bit little-endian mono audio; empty for an answer without audio, or with empty audio.
        sample_rate: sample rate of `pcm` in Hz; 0 without audio, the rate of an empty one otherwise.
        latency_s: seconds from sending the request to the last byte, by the caller's clock.
    """

    own_text: str
    reasoning: str
    pcm: bytes
    sample_rate: int
    finish_reason: FinishReason
    usage: pb.Usage
    timings: pb.Timings
    digest: str
    diagnostics: Mapping[str, float]
    detected_language: str
    latency_s: float
    endpoint: str

    @property
    def audio_seconds(self) -> float:
        return len(self.pcm) / 2 / self.sample_rate if self.sample_rate else 0.0

    def check_request(self, request: pb.GenerateRequest) -> Answer:
        """Returns this answer if it is what was requested: of the expected service, in the requested modality.

        A text answer may be empty, as a transcript often is.

        Raises:
            ContractError: DIGEST_MISMATCH if the request names a digest and the answer has another or none;
                MODEL_ERROR for audio in a text answer, and for a speech answer without any audio (not even empty
                audio) that is not a refusal.
        """
        expected = request.expected_digest
        # A service may ignore `expected_digest`: its answer would be stored as the answer of another model.
        if expected and self.digest != expected:
            given = f"digest {shown(self.digest, _DIGEST_CHARS)}" if self.digest else "no digest"
            text = f"{self.endpoint} answered with {given}, but {expected[:_DIGEST_CHARS]} was asked"
            raise ContractError(Reason.DIGEST_MISMATCH, f"{text}: complete.digest must be the digest of Describe")
        if request.output == pb.MODALITY_TEXT and self.sample_rate:
            raise ContractError(Reason.MODEL_ERROR, f"{self.endpoint} sent audio in a text answer")
        # A model that refuses to answer has nothing to say, so its text or its finish reason is the answer.
        refused = self.finish_reason is FinishReason.REFUSED
        if request.output == pb.MODALITY_SPEECH and not self.sample_rate and not refused:
            raise no_audio(self.own_text)
        return self


def bound_of(value: float) -> float:
    """The largest value of a number in `usage` or `timings`: of seconds (double) or of a count (integer)."""
    return limits.MAX_SECONDS if isinstance(value, float) else limits.MAX_COUNT


class StreamCollector:
    """Collects the events of one response stream, in order.

    A stream that violates the contract is collected as well, so that `conform` can inspect it; `answer` raises for it.
    Events beyond the bounds of `omnigap.limits` are not collected.

    Attributes:
        chunks: every piece of audio.
        completes: every `complete`; a valid stream has one.
        late: number of events after the first `complete`.
        odd: number of events without content, and of messages that are not a GenerateResponse.
        fault: the first violation of the contract; None if there is none so far.
    """

    def __init__(self, source: str = "the service") -> None:
        """
        Args:
            source: name of the sender in error messages, such as its address.
        """
        self.chunks: list[pb.Audio] = []
        self.completes: list[pb.Complete] = []
        self.late = 0
        self.odd = 0
        self.fault: ContractError | None = None
        self._source = source
        self._texts: list[str] = []
        self._reasoning: list[str] = []
        self._events = 0
        self._text_chars = 0
        self._reasoning_chars = 0
        self._audio_bytes = 0

    @property
    def text(self) -> str:
        return "".join(self._texts)

    @property
    def reasoning(self) -> str:
        return "".join(self._reasoning)

    @property
    def pcm(self) -> bytes:
        return b"".join(chunk.data for chunk in self.chunks)

    @property
    def is_too_large(self) -> bool:
        """Whether the stream exceeded a bound: the caller should cancel the call."""
        return self.fault is not None and self.fault.reason is Reason.TOO_LARGE

    def add(self, response: pb.GenerateResponse) -> None:
        """Adds and checks one event; a violation is recorded in `fault` and does not raise."""
        self._events += 1
        if self._events > limits.MAX_ANSWER_EVENTS:
            self._too_large(f"more than {limits.MAX_ANSWER_EVENTS} events")
            return
        if self.completes:
            self.late += 1
            self._violation("the stream continued after `complete`: the service breaks the contract")
        event = response.WhichOneof("event")
        if event == "delta":
            self._add_delta(response.delta)
        elif event == "complete":
            self._check_complete(response.complete)
            self.completes.append(response.complete)
        elif response is UNREADABLE:
            self._odd("bytes that are not a GenerateResponse")
        else:
            self._odd("a response that is neither `delta` nor `complete`")

    def _add_delta(self, delta: pb.Delta) -> None:
        content = delta.WhichOneof("content")
        if content == "text":
            self._text_chars += len(delta.text)
            if self._text_chars > limits.MAX_ANSWER_TEXT_CHARS:
                self._too_large(f"more than {limits.MAX_ANSWER_TEXT_CHARS} characters of text")
                return
            self._texts.append(delta.text)
        elif content == "audio":
            self._add_audio(delta.audio)
        elif content == "reasoning":
            self._reasoning_chars += len(delta.reasoning)
            if self._reasoning_chars > limits.MAX_ANSWER_REASONING_CHARS:
                self._too_large(f"more than {limits.MAX_ANSWER_REASONING_CHARS} characters of reasoning")
                return
            self._reasoning.append(delta.reasoning)
        else:
            self._odd("a delta without text, audio or reasoning")

    def _add_audio(self, audio: pb.Audio) -> None:
        rate, size = audio.sample_rate_hz, len(audio.data)
        mime = audio.mime_type.split(";")[0].strip()
        if mime != PCM or audio.channels not in (0, 1) or not rate:
            found = f"{quoted(audio.mime_type)} with {audio.channels} channels at {rate} Hz"
            self._violation(f"answer audio must be mono {PCM} with a sample rate; {self._source} sent {found}")
        elif not _FORMATS.min_sample_rate <= rate <= _FORMATS.max_sample_rate:
            span = f"{_FORMATS.min_sample_rate} to {_FORMATS.max_sample_rate}"
            self._violation(f"{self._source} sent audio with sample_rate_hz {rate}: the contract allows {span}")
        elif self.chunks and self.chunks[0].sample_rate_hz != rate:
            rates = f"{self.chunks[0].sample_rate_hz} to {rate} Hz"
            self._violation(f"{self._source} changed the sample rate within one stream, from {rates}")
        elif size % 2:
            self._violation(f"{self._source} sent {size} bytes of 16-bit audio: half a sample is missing")
        self._audio_bytes += size
        if self._audio_bytes > limits.MAX_ANSWER_AUDIO_BYTES:
            self._too_large(f"more than {limits.MAX_ANSWER_AUDIO_BYTES} bytes of audio")
        elif self._audio_bytes > limits.MAX_ANSWER_AUDIO_S * 2 * max(rate, _FORMATS.min_sample_rate):
            self._too_large(f"more than {limits.MAX_ANSWER_AUDIO_S:g} s of audio")
        else:
            self.chunks.append(audio)

    def _check_complete(self, done: pb.Complete) -> None:
        try:
            convert.finish_from_proto(done.finish_reason)
        except ValueError as error:
            self._violation(f"{self._source} gave no finish reason: {error}")
        for name, message in (("usage", done.usage), ("timings", done.timings)):
            # ListFields gives only the fields that are set.
            for field, value in message.ListFields():
                # NaN fails every comparison.
                if not 0 <= value <= bound_of(value):
                    bound = f"it must be 0 to {bound_of(value):g}"
                    self._violation(f"{self._source} sent {name}.{field.name} {value}: {bound}")
        if len(done.diagnostics) > limits.MAX_DIAGNOSTICS:
            found = f"{len(done.diagnostics)} diagnostics"
            self._violation(f"{self._source} sent {found}: the contract allows {limits.MAX_DIAGNOSTICS}")
            return
        for key, number in done.diagnostics.items():
            self._check_name("the name of a diagnostic", key, limits.MAX_NAME_CHARS)
            if not math.isfinite(number):
                self._violation(f"{self._source} sent diagnostics[{quoted(key)}] {number}: it must be finite")
        self._check_name("digest", done.digest, limits.MAX_NAME_CHARS)
        self._check_name("detected_language", done.detected_language, limits.MAX_LANGUAGE_CHARS)

    def _check_name(self, field: str, value: str, longest: int) -> None:
        if len(value) > longest or not value.isprintable():
            found = f"{quoted(value)} ({len(value)} characters)"
            self._violation(f"{self._source} sent {field} {found}: at most {longest} printable characters")

    def _odd(self, found: str) -> None:
        self.odd += 1
        self._violation(f"{self._source} sent {found}")

    def _too_large(self, found: str) -> None:
        self._violation(f"{self._source} sent {found} in one answer: the call was cancelled", Reason.TOO_LARGE)

    def _violation(self, message: str, reason: Reason = Reason.MODEL_ERROR) -> None:
        # Only the first violation is kept: later ones are usually its consequences. A stream that is too large must
        # be cut off even if it broke another rule before.
        if self.fault is None or (reason is Reason.TOO_LARGE and not self.is_too_large):
            self.fault = ContractError(reason, message)

    def answer(self, latency_s: float = 0.0) -> Answer:
        """Returns the complete answer.

        Raises:
            ContractError: `fault`; INCOMPLETE_STREAM without `complete`.
        """
        if self.fault is not None:
            raise self.fault
        if not self.completes:
            text = f"{self._source} ended the stream without `complete`: the answer is cut off"
            raise ContractError(Reason.INCOMPLETE_STREAM, text)
        done = self.completes[0]
        return Answer(
            own_text=self.text,
            reasoning=self.reasoning,
            pcm=self.pcm,
            sample_rate=self.chunks[0].sample_rate_hz if self.chunks else 0,
            finish_reason=convert.finish_from_proto(done.finish_reason),
            usage=done.usage,
            timings=done.timings,
            digest=done.digest,
            diagnostics=dict(done.diagnostics),
            detected_language=done.detected_language,
            latency_s=latency_s,
            endpoint=self._source,
        )
