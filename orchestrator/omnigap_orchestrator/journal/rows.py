"""Rows of the journal: one dataclass per table, with fields in the order of the columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

_Class = TypeVar("_Class")


@dataclass_transform(frozen_default=True)
def _row(of: type[_Class]) -> type[_Class]:
    """A dataclass that only the type checker treats as frozen.

    Creating a frozen one of 20 fields takes three times as long, and a journal may have millions of rows.
    """
    return dataclass(slots=True, unsafe_hash=True)(of)


@_row
class CarrierRow:
    """The medium of a carrier, rendered or supplied by the item."""

    key: str
    media_sha: str
    extension: str
    mime_type: str
    seconds: float | None = None


@_row
class AnswerRow:
    """A model's answer. Times are in seconds, `finished_at` is Unix time, `diagnostics` is JSON."""

    key: str
    own_text: str
    reasoning: str
    media_sha: str | None
    audio_seconds: float | None
    audio_rms: float | None
    audio_peak: float | None
    finish_reason: str
    input_tokens: int
    output_tokens: int
    audio_tokens: int
    latency_s: float
    queue_s: float
    compute_s: float
    ttft_s: float
    audio_ttfp_s: float
    model_digest: str
    endpoint: str
    diagnostics: str
    finished_at: float


@_row
class TranscriptRow:
    """The ASR scorer's transcript of one audio answer."""

    key: str
    text: str
    detected_language: str
    avg_logprob: float | None
    no_speech_prob: float | None
    compression_ratio: float | None
    diagnostics: str
    asr_digest: str
    finished_at: float


@_row
class VerdictRow:
    """One vote of the judge on an answer; `rating` is null if the rubric has labels."""

    key: str
    text: str
    rating: float | None
    score: float
    judge_digest: str
    endpoint: str
    finished_at: float


@_row
class ScoreRow:
    """The score of an answer and its comparable form; `flags` are joined with spaces."""

    key: str
    score: float
    own_text_score: float | None
    metric: str
    flags: str
    wer_errors: int | None = None
    wer_words: int | None = None
    normalised_answer: str | None = None
    wer_errors_whisper: int | None = None
    wer_words_whisper: int | None = None


@_row
class FailureRow:
    """The last failure of a cell in a stage, after all retries."""

    stage: str
    model: str
    item_id: str
    condition: str
    replicate: int
    reason: str
    message: str
    endpoint: str
    attempts: int
    at: float


@_row
class ServiceRow:
    """A service's own description; `describe` is a serialised DescribeResponse."""

    role: str
    name: str
    digest: str
    describe: bytes
    seen_at: float


Row = CarrierRow | AnswerRow | TranscriptRow | VerdictRow | ScoreRow | FailureRow | ServiceRow
