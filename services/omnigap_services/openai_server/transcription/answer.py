"""From a transcription's JSON to a text and the default scorer's statistics, as far as the server tells them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_services.audio import compression_ratio


@dataclass(frozen=True, slots=True)
class Transcript:
    """What the server heard.

    Attributes:
        language: as the server names it, a code or an English word; empty where it does not tell.
        tokens: of the text; 0 where it does not tell.
    """

    text: str
    language: str
    tokens: int
    diagnostics: Mapping[str, float]


def read_transcript(payload: str) -> Transcript:
    """Reads `json` and `verbose_json` alike.

    Raises:
        ContractError: UPSTREAM_UNAVAILABLE for a body that is cut off, MODEL_ERROR for JSON without a text.
    """
    try:
        found = json.loads(payload)
    except ValueError as error:
        text = f"the server's answer is no JSON, cut off perhaps ({error}), and begins {payload[:80]!r}"
        raise ContractError(Reason.UPSTREAM_UNAVAILABLE, text) from None
    if not isinstance(found, dict) or not isinstance(found.get("text"), str):
        raise ContractError(Reason.MODEL_ERROR, f"the server's answer holds no text, and begins {payload[:80]!r}")
    text = found["text"].strip()
    segments = [part for part in found.get("segments") or () if isinstance(part, dict)]
    language = found.get("language")
    return Transcript(
        text=text,
        language=language if isinstance(language, str) else "",
        tokens=sum(_tokens(part) for part in segments),
        diagnostics={"compression_ratio": compression_ratio(text), **_statistics(segments)},
    )


def _statistics(segments: list[dict[str, Any]]) -> dict[str, float]:
    """The mean log probability by tokens, the end mark counted, and the first segment's no-speech probability."""
    found: dict[str, float] = {}
    logprobs = [number for part in segments if (number := _number(part.get("avg_logprob"))) is not None]
    if segments and len(logprobs) == len(segments):
        weights = [_tokens(part) + 1 for part in segments]
        total = sum(value * weight for value, weight in zip(logprobs, weights, strict=True))
        found["avg_logprob"] = total / sum(weights)
    silence = _number(segments[0].get("no_speech_prob")) if segments else None
    return found if silence is None else {**found, "no_speech_prob": silence}


def _tokens(segment: dict[str, Any]) -> int:
    tokens = segment.get("tokens")
    return len(tokens) if isinstance(tokens, list) else 0


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
