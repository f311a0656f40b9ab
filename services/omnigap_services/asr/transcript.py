"""What was heard in a clip, and how it is put together from the model's passes over the clip's pieces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Heard:
    """One transcript and its statistics, as Whisper gives them.

    Attributes:
        avg_logprob: mean log probability of the text's tokens.
        no_speech_prob: probability that the (first) window holds no speech.
        compression_ratio: characters over their zlib size; loops compress well.
        duration_s: seconds of audio.
        language: the language that was decoded or, where asked to detect, heard.
        tokens: text tokens, the end mark not counted.
    """

    text: str
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float
    duration_s: float
    language: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Segment:
    """What one pass of the model wrote for one piece of a clip; statistics as in `Heard`."""

    text: str
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float
    tokens: int


def segment_of(output: Sequence[Mapping[str, Any]]) -> Segment:
    """The pipeline's parts of one piece (more than one only where it wrote timestamps) as one."""
    return Segment(
        text=" ".join(text for part in output if (text := part["text"].strip())),
        avg_logprob=float(output[0]["avg_logprob"]),
        no_speech_prob=float(output[0]["no_speech_prob"]),
        compression_ratio=max(float(part["compression_ratio"]) for part in output),
        tokens=sum(len(part["tokens"]) for part in output),
    )


def merged(segments: Sequence[Segment], duration_s: float, language: str) -> Heard:
    """One transcript out of a clip's segments; log probabilities are averaged by tokens, the end mark counted."""
    if not segments:
        return Heard("", 0.0, 1.0, 0.0, duration_s, language, 0)
    weights = [segment.tokens + 1 for segment in segments]
    weighted = sum(segment.avg_logprob * weight for segment, weight in zip(segments, weights, strict=True))
    return Heard(
        text=" ".join(segment.text for segment in segments if segment.text),
        avg_logprob=weighted / sum(weights),
        no_speech_prob=segments[0].no_speech_prob,
        compression_ratio=max(segment.compression_ratio for segment in segments),
        duration_s=duration_s,
        language=language,
        tokens=sum(segment.tokens for segment in segments),
    )
