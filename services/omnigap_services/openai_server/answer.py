"""Reads chat completions: text and audio in all fields that servers use, and diagnostics of the audio."""

from __future__ import annotations

import base64
import binascii
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import soundfile

from omnigap.errors import ContractError
from omnigap.media import AudioClip, AudioLimits, decode_audio
from omnigap.vocabulary import FinishReason, Reason
from omnigap_services.openai_server.body_errors import check_body, check_choice, tool_calls_error

# One hour; a server that sends more did not end its answer.
_LIMITS = AudioLimits(max_seconds=3_600.0)
_MIME_TYPES = {"wav": "audio/wav", "flac": "audio/flac"}

_FINISH = {
    "length": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
    "content_filter": FinishReason.REFUSED,
}

# Hz; nothing is played at it, and empty audio of any rate is the same.
_EMPTY_RATE = 24_000

# A frame is silent below this level, which is 60 dB under full scale.
_SILENCE_RMS = 0.001
_FRAME_S = 0.02


@dataclass(frozen=True, slots=True)
class ChatAnswer:
    """One answer of a server.

    Attributes:
        text: the model's own text.
        audio: as sent, at the rate in its header; without samples for an empty file, None for no audio at all.
        tokens: of the input, the output, and the output's audio; 0 if the server does not count them.
    """

    text: str = ""
    reasoning: str = ""
    audio: AudioClip | None = None
    finish_reason: FinishReason = FinishReason.STOP
    tokens: tuple[int, int, int] = (0, 0, 0)
    diagnostics: Mapping[str, float] = field(default_factory=dict)


def read_answer(payload: str, audio_format: str, speech: bool) -> ChatAnswer:
    """Reads a response body in every form that servers are known to send.

    An empty content is an empty text: SGLang writes null for it, vLLM an empty string.

    Args:
        speech: speech was requested; audio that was not requested is dropped.

    Raises:
        ContractError: UPSTREAM_UNAVAILABLE for a body that is truncated or not JSON; MODEL_ERROR for JSON that is not a
            chat completion, for tool calls instead of an answer, and for audio that cannot be decoded; the error's own
            reason for an error in the body or in a choice.
    """
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError) as error:
        # A body that was truncated on its way still has status 200.
        text = f"the server's answer is not valid JSON, maybe truncated ({error}); it begins {payload[:80]!r}"
        raise ContractError(Reason.UPSTREAM_UNAVAILABLE, text) from None
    if isinstance(found, dict):
        check_body(found)
    choices = found.get("choices") if isinstance(found, dict) else None
    if not isinstance(choices, list) or not choices or not all(isinstance(choice, dict) for choice in choices):
        raise ContractError(Reason.MODEL_ERROR, f"the server's answer has no choices; it begins {payload[:80]!r}")
    messages = [_message(choice) for choice in choices]
    sounds = [_table(message.get("audio")) for message in messages]
    # Over all choices: vLLM-Omni up to 0.20 sends text and audio as two choices, both with index 0. SGLang-Omni and
    # OpenAI have the text in the transcript of the audio.
    text = _first(
        *(_text(message.get("content")) for message in messages),
        *(_text(sound.get("transcript")) for sound in sounds),
        *(_text(message.get("refusal")) for message in messages),
    )
    audio = _audio(sounds, audio_format) if speech else None
    if not text and audio is None and any(m.get("tool_calls") or m.get("function_call") for m in messages):
        raise tool_calls_error(choices[0].get("finish_reason"))
    return ChatAnswer(
        text=text,
        reasoning=_first(*(_text(m.get("reasoning_content") or m.get("reasoning")) for m in messages)),
        audio=audio,
        finish_reason=_finish(choices, messages),
        tokens=token_counts(found.get("usage")),
        diagnostics=audio_diagnostics(audio, text) if speech else {},
    )


def token_counts(usage: object) -> tuple[int, int, int]:
    """Tokens of the input, the output, and the output's audio; 0 for those that the server does not count."""
    counts = _table(usage)
    details = _table(counts.get("completion_tokens_details"))
    return (
        _count(counts.get("prompt_tokens")),
        _count(counts.get("completion_tokens")),
        _count(details.get("audio_tokens")),
    )


def finish_reason_of(reason: object) -> FinishReason:
    """The contract's finish reason for a server's."""
    # Some gateways append what was filtered: "content_filter: RECITATION".
    return _FINISH.get(str(reason).lower().partition(":")[0].strip(), FinishReason.STOP)


def audio_diagnostics(audio: AudioClip | None, text: str) -> dict[str, float]:
    """Diagnostics that reveal empty audio, silence, and audio that is too short for its text.

    `audio_rms` and `audio_peak` are relative to full scale; `silent_share` is the share of 20 ms frames below -60 dB;
    `silent_end_s` is the silence after the last louder frame; `audio_rate_hz` is the rate in the header.
    `seconds_per_word` counts words between spaces, `seconds_per_char` is for languages that write no spaces; both are
    left out without text.
    """
    words, chars = len(text.split()), sum(not char.isspace() for char in text)
    if audio is None or not len(audio.samples):
        return {"audio_seconds": 0.0, "audio_rms": 0.0, "text_words": float(words)}
    samples = audio.samples.astype(np.float64)
    step = max(1, int(audio.sample_rate * _FRAME_S))
    # Whole frames only; a clip shorter than one frame is a single frame.
    whole = len(samples) - len(samples) % step or len(samples)
    loud = np.sqrt((samples[:whole].reshape(-1, min(step, whole)) ** 2).mean(axis=1)) >= _SILENCE_RMS
    after = len(loud) - 1 - int(np.flatnonzero(loud)[-1]) if loud.any() else len(loud)
    return {
        "audio_seconds": audio.seconds,
        "audio_rate_hz": float(audio.sample_rate),
        "audio_rms": float(np.sqrt((samples**2).mean())),
        "audio_peak": float(np.abs(samples).max()),
        "silent_share": float(1 - loud.mean()),
        "silent_end_s": after * step / audio.sample_rate,
        "text_words": float(words),
        **({"seconds_per_word": audio.seconds / words, "seconds_per_char": audio.seconds / chars} if words else {}),
    }


def _message(choice: dict[str, Any]) -> dict[str, Any]:
    """The message of a choice.

    Raises:
        ContractError: the choice reports an error, has no message, or its content has no known form.
    """
    message = choice.get("message")
    check_choice(choice.get("error") or _table(message).get("error"), choice.get("finish_reason"))
    if not isinstance(message, dict):
        raise ContractError(Reason.MODEL_ERROR, f"a choice of the server has no message: {str(choice)[:80]!r}")
    content = message.get("content")
    if content is not None and not isinstance(content, str | list):
        text = f"the server's content is neither text nor a list of parts: {str(content)[:80]!r}"
        raise ContractError(Reason.MODEL_ERROR, text)
    return message


def _audio(sounds: list[dict[str, Any]], audio_format: str) -> AudioClip | None:
    """The audio of an answer; None if no choice has any. Empty data and a file without samples are empty audio."""
    if not any(isinstance(sound.get("data"), str) for sound in sounds):
        return None
    data = _first(*(_text(sound.get("data")) for sound in sounds))
    try:
        # Some servers send a data URL.
        raw = base64.b64decode(data.rpartition(",")[2], validate=True)
    except binascii.Error as error:
        raise ContractError(Reason.MODEL_ERROR, f"the server's audio is not base64 ({error})") from None
    if _empty(raw):
        return AudioClip(np.zeros(0, np.float32), _EMPTY_RATE)
    try:
        return decode_audio(raw, _MIME_TYPES[audio_format], limits=_LIMITS)
    except ContractError as error:
        raise ContractError(Reason.MODEL_ERROR, f"the server's audio cannot be read: {error.message}") from None


def _empty(raw: bytes) -> bool:
    """True for no bytes, or a file without samples: that is an answer without sound, not an error."""
    try:
        return not raw or (raw.startswith((b"RIFF", b"fLaC")) and soundfile.info(io.BytesIO(raw)).frames == 0)
    except (RuntimeError, TypeError, ValueError):  # a broken file: `decode_audio` says what is wrong
        return False


def _finish(choices: list[dict[str, Any]], messages: list[dict[str, Any]]) -> FinishReason:
    found = {finish_reason_of(choice.get("finish_reason")) for choice in choices}
    if FinishReason.REFUSED in found or any(_text(message.get("refusal")) for message in messages):
        return FinishReason.REFUSED
    return FinishReason.LENGTH if FinishReason.LENGTH in found else FinishReason.STOP


def _text(content: object) -> str:
    """The text of a content, which is a string or a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(_text(_table(part).get("text")) for part in content)
    return ""


def _first(*texts: str) -> str:
    return next((text for text in texts if text.strip()), "")


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: object) -> int:
    # The contract's counters are uint32; a server may send null or nonsense.
    return value if isinstance(value, int) and 0 <= value < 2**32 else 0
