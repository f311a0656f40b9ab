"""From the output tensors to an answer: text and audio response by response, counts and diagnostics at the end."""

from __future__ import annotations

import base64
import binascii
import codecs
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from omnigap.errors import ContractError
from omnigap.media import AudioClip, AudioLimits, decode_audio, pcm16_to_float, resample
from omnigap.media.audio import WAV, Samples
from omnigap.vocabulary import FinishReason, Modality, Reason
from omnigap_services.adapter import Completion
from omnigap_services.triton_server.options import TritonOptions
from omnigap_services.triton_server.tensors import Array

# One hour; a server that sends more did not end its answer.
_LIMITS = AudioLimits(max_seconds=3_600.0)

# Tokenizers decode an incomplete UTF-8 sequence to this character.
_INCOMPLETE = "\N{REPLACEMENT CHARACTER}"

_FINISH = {
    "length": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
    "content_filter": FinishReason.REFUSED,
    "refused": FinishReason.REFUSED,
}


@dataclass(frozen=True, slots=True)
class Delta:
    """What one response adds to an answer; audio is mono float32 at the card's rate, shape (n,)."""

    text: str = ""
    reasoning: str = ""
    audio: Samples | None = None


class OutputReader:
    """Reads the responses to one request, in order."""

    def __init__(self, options: TritonOptions, output: Modality) -> None:
        self._options = options
        self._speech = output is Modality.SPEECH
        # The bytes of a character may be split between two responses.
        self._text = codecs.getincrementaldecoder("utf-8")("replace")
        self._reasoning = codecs.getincrementaldecoder("utf-8")("replace")
        # For cumulative texts: what was sent, and the newest response as it was.
        self._sent = {"text": "", "reasoning": ""}
        self._whole = {"text": "", "reasoning": ""}
        self._rate = options.output_sample_rate_hz
        self._to_resample: list[Samples] = []
        self._collected = 0
        # The newest value of every tensor; a decoupled model may send a count with any of its responses.
        self._last: dict[str, Array] = {}

    @property
    def requested(self) -> list[str]:
        """The output tensors to request: all that are mapped, but no audio for a text answer."""
        options = self._options
        audio = {options.outputs.audio, options.outputs.sample_rate}
        named = [*(tensor for _, tensor in options.outputs.named()), *options.diagnostics.values()]
        return [tensor for tensor in dict.fromkeys(named) if self._speech or tensor not in audio]

    def add(self, response: Mapping[str, Array]) -> Delta:
        """Reads one response; a decoupled model may leave out any tensor.

        Raises:
            ContractError: MODEL_ERROR for audio that is not mono, cannot be decoded, or changes its rate, and for a
                cumulative text that does not continue the one before.
        """
        outputs = self._options.outputs
        self._last.update(response)
        return Delta(
            self._new_text("text", response.get(outputs.text), self._text),
            self._new_text("reasoning", response.get(outputs.reasoning), self._reasoning),
            self._new_audio(response),
        )

    def finish(self) -> Delta:
        """What is left at the end: an incomplete character, and audio that has to be resampled as a whole."""
        audio = None
        if self._to_resample:
            clip = AudioClip(np.concatenate(self._to_resample), self._rate)
            audio = resample(clip, self._options.output_sample_rate_hz).samples
        text, reasoning = (self._whole[role][len(self._sent[role]) :] for role in ("text", "reasoning"))
        return Delta(
            text + self._text.decode(b"", final=True), reasoning + self._reasoning.decode(b"", final=True), audio
        )

    def completion(self, retries: int) -> Completion:
        """How the answer ended, from the last values of its tensors."""
        outputs = self._options.outputs
        diagnostics = {name: self._number(tensor) for name, tensor in self._options.diagnostics.items()}
        return Completion(
            finish_reason=_FINISH.get(self._text_of(outputs.finish_reason).lower(), FinishReason.STOP),
            input_tokens=self._count(outputs.input_tokens),
            output_tokens=self._count(outputs.output_tokens),
            audio_tokens=self._count(outputs.audio_tokens),
            diagnostics={
                # A tensor that was not sent is NaN; values that are not finite are left out.
                **{name: value for name, value in diagnostics.items() if math.isfinite(value)},
                "retries": float(retries),
            },
            detected_language=self._text_of(outputs.language),
        )

    def _new_text(self, role: str, array: Array | None, decoder: codecs.IncrementalDecoder) -> str:
        if array is None:
            return ""
        found = b"".join(_bytes(element) for element in array.ravel())
        if self._options.text_out == "pieces":
            return decoder.decode(found)
        whole = self._whole[role] = found.decode("utf-8", "replace")
        # A character of several tokens decodes to replacement characters until its last token is there.
        whole = whole.rstrip(_INCOMPLETE)
        before = self._sent[role]
        if not whole.startswith(before):
            raise _model_error(
                f"a response's text {whole[-80:]!r} does not continue the one before, but text_out is 'so_far': set"
                " text_out = 'pieces'"
            )
        self._sent[role] = whole
        return whole[len(before) :]

    def _new_audio(self, response: Mapping[str, Array]) -> Samples | None:
        outputs = self._options.outputs
        found = response.get(outputs.audio) if self._speech and outputs.audio else None
        if found is None:
            return None
        clip = self._clip(found) if found.size else None
        if clip is None or not clip.samples.size:
            # The tensor is there and empty: empty audio, which is an answer, and no audio is not.
            return np.zeros(0, np.float32)
        if self._to_resample and clip.sample_rate != self._rate:
            raise _model_error(f"the audio changes from {self._rate} to {clip.sample_rate} Hz: an answer has one rate")
        self._rate = clip.sample_rate
        if clip.sample_rate == self._options.output_sample_rate_hz:
            return clip.samples
        # Collected: pieces that are resampled one by one would click at their seams.
        self._to_resample.append(clip.samples)
        self._collected += len(clip.samples)
        if self._collected > _LIMITS.max_seconds * clip.sample_rate:
            text = f"the audio lasts over {_LIMITS.max_seconds:g} s: the model did not end its answer"
            raise ContractError(Reason.TOO_LARGE, text)
        return None

    def _clip(self, found: Array) -> AudioClip:
        stated = self._number(self._options.outputs.sample_rate, self._options.output_sample_rate_hz)
        # NaN fails both comparisons.
        if not _LIMITS.min_sample_rate <= stated <= _LIMITS.max_sample_rate:
            span = f"{_LIMITS.min_sample_rate} to {_LIMITS.max_sample_rate} Hz"
            raise _model_error(f"{self._options.outputs.sample_rate!r} is {stated:g}: a sample rate is {span}")
        rate = round(stated)
        if found.dtype == np.object_:
            return self._from_bytes(b"".join(_bytes(element) for element in found.ravel()), rate)
        if found.size != max(found.shape):
            raise _model_error(
                f"the audio tensor {self._options.outputs.audio!r} has the shape {found.shape}, which is not mono"
            )
        samples = found.ravel()
        if samples.dtype == np.int16:
            return AudioClip(pcm16_to_float(samples.astype("<i2").tobytes()), rate)
        return AudioClip(samples.astype(np.float32), rate)

    def _from_bytes(self, data: bytes, rate: int) -> AudioClip:
        kind = self._options.audio_out
        try:
            if kind == "wav_base64":
                data = base64.b64decode(data, validate=True)
            if not data:
                return AudioClip(np.zeros(0, np.float32), rate)
            if kind == "pcm16":
                return AudioClip(pcm16_to_float(data), rate)
            return decode_audio(data, WAV, limits=_LIMITS)
        except (ContractError, ValueError, binascii.Error) as error:
            text = f"the audio in {self._options.outputs.audio!r} is not {kind}, which audio_out is set to: {error}"
            raise _model_error(text) from None

    def _number(self, tensor: str, otherwise: float = math.nan) -> float:
        """The last value of a tensor, or the mean of its elements."""
        found = self._last.get(tensor)
        return otherwise if found is None or not found.size else float(found.astype(np.float64).mean())

    def _count(self, tensor: str) -> int:
        value = self._number(tensor, 0.0)
        # The contract's counters are uint32; NaN fails both comparisons.
        return int(value) if 0 <= value < 2**32 else 0

    def _text_of(self, tensor: str) -> str:
        found = self._last.get(tensor)
        return "" if found is None or not found.size else _bytes(found.ravel()[0]).decode("utf-8", "replace").strip()


def _bytes(element: object) -> bytes:
    return element if isinstance(element, bytes) else str(element).encode()


def _model_error(text: str) -> ContractError:
    return ContractError(Reason.MODEL_ERROR, text)
