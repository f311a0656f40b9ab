"""From the arrays of the output tensors to an answer: text and audio as they come, numbers at the end."""

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

# An hour; a server that sends more has lost its end.
_LIMITS = AudioLimits(max_seconds=3_600.0)

_BROKEN = "\N{REPLACEMENT CHARACTER}"

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
        self._spoken = output is Modality.SPEECH
        # A character's bytes may be cut between two responses.
        self._text = codecs.getincrementaldecoder("utf-8")("replace")
        self._reasoning = codecs.getincrementaldecoder("utf-8")("replace")
        self._sofar = {"text": "", "reasoning": ""}
        self._whole = {"text": "", "reasoning": ""}
        self._rate = options.output_sample_rate_hz
        self._waiting: list[Samples] = []
        self._last: dict[str, Array] = {}

    @property
    def wanted(self) -> list[str]:
        """The output tensors to ask for: all that are mapped, without audio where text is asked for."""
        options = self._options
        audio = {options.outputs.audio, options.outputs.sample_rate}
        named = [*(tensor for _, tensor in options.outputs.named()), *options.diagnostics.values()]
        return [tensor for tensor in dict.fromkeys(named) if self._spoken or tensor not in audio]

    def take(self, response: Mapping[str, Array]) -> Delta:
        """Reads one response, by tensor; a decoupled model may leave any of them out.

        Raises:
            ContractError: MODEL_ERROR for audio that is not mono or does not decode, or whose rate changes.
        """
        outputs = self._options.outputs
        self._last.update(response)
        return Delta(
            self._new_text("text", response.get(outputs.text), self._text),
            self._new_text("reasoning", response.get(outputs.reasoning), self._reasoning),
            self._new_audio(response),
        )

    def rest(self) -> Delta:
        """What is left at the end: bytes of a character that never came, and audio at another rate than the card's."""
        audio = None
        if self._waiting:
            clip = AudioClip(np.concatenate(self._waiting), self._rate)
            audio = resample(clip, self._options.output_sample_rate_hz).samples
        text, reasoning = (self._whole[role][len(self._sofar[role]) :] for role in ("text", "reasoning"))
        return Delta(
            text + self._text.decode(b"", final=True), reasoning + self._reasoning.decode(b"", final=True), audio
        )

    def completion(self, retries: int) -> Completion:
        """How the answer ended, from the last response that said so."""
        outputs = self._options.outputs
        diagnostics = {name: self._number(tensor) for name, tensor in self._options.diagnostics.items()}
        return Completion(
            finish_reason=_FINISH.get(self._word(outputs.finish_reason).lower(), FinishReason.STOP),
            input_tokens=self._count(outputs.input_tokens),
            output_tokens=self._count(outputs.output_tokens),
            audio_tokens=self._count(outputs.audio_tokens),
            diagnostics={
                **{name: value for name, value in diagnostics.items() if math.isfinite(value)},
                "retries": float(retries),
            },
            detected_language=self._word(outputs.language),
        )

    def _new_text(self, role: str, array: Array | None, decoder: codecs.IncrementalDecoder) -> str:
        if array is None:
            return ""
        found = b"".join(_bytes(element) for element in array.ravel())
        if self._options.text_out == "pieces":
            return decoder.decode(found)
        whole = self._whole[role] = found.decode("utf-8", "replace")
        # A character of several tokens shows as a broken one until its last token is there.
        whole = whole.rstrip(_BROKEN)
        before = self._sofar[role]
        if not whole.startswith(before):
            raise _model_error(
                f"a response's text {whole[-80:]!r} does not go on from the one before it, as text_out = 'so_far' says:"
                " set text_out = 'pieces'"
            )
        self._sofar[role] = whole
        return whole[len(before) :]

    def _new_audio(self, response: Mapping[str, Array]) -> Samples | None:
        outputs = self._options.outputs
        found = response.get(outputs.audio) if self._spoken and outputs.audio else None
        if found is None or not found.size:
            return None
        clip = self._clip(found)
        if self._waiting and clip.sample_rate != self._rate:
            raise _model_error(f"the audio is at {clip.sample_rate} Hz after {self._rate} Hz: one answer has one rate")
        self._rate = clip.sample_rate
        if clip.sample_rate == self._options.output_sample_rate_hz:
            return clip.samples
        # Pieces that were resampled one by one would click where they meet.
        self._waiting.append(clip.samples)
        return None

    def _clip(self, found: Array) -> AudioClip:
        rate = round(self._number(self._options.outputs.sample_rate, self._options.output_sample_rate_hz))
        if found.dtype == np.object_:
            return self._from_bytes(b"".join(_bytes(element) for element in found.ravel()), rate)
        if found.size != max(found.shape):
            raise _model_error(
                f"the audio tensor {self._options.outputs.audio!r} has the shape {found.shape}: mono only"
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
            text = f"the audio in {self._options.outputs.audio!r} is no {kind} as audio_out says: {error}"
            raise _model_error(text) from None

    def _number(self, tensor: str, otherwise: float = math.nan) -> float:
        """The last value of a tensor; the mean where it has more than one."""
        found = self._last.get(tensor)
        return otherwise if found is None or not found.size else float(found.astype(np.float64).mean())

    def _count(self, tensor: str) -> int:
        value = self._number(tensor, 0.0)
        return int(value) if 0 <= value < 2**32 else 0

    def _word(self, tensor: str) -> str:
        found = self._last.get(tensor)
        return "" if found is None or not found.size else _bytes(found.ravel()[0]).decode("utf-8", "replace").strip()


def _bytes(element: object) -> bytes:
    return element if isinstance(element, bytes) else str(element).encode()


def _model_error(text: str) -> ContractError:
    return ContractError(Reason.MODEL_ERROR, text)
