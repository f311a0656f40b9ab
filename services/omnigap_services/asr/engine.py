"""The ASR engine: faster-whisper with deterministic settings, many clips in one call.

Temperature 0 alone (the package's fallback to higher temperatures samples), no conditioning on earlier text, no prompt,
no hot words (gold text there would leak the answer), a fixed language, no voice activity filter.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from omnigap.errors import ContractError
from omnigap.media.audio import Samples
from omnigap.vocabulary import Reason
from omnigap_services.asr.batching import SAMPLE_RATE, Piece, cut, lay
from omnigap_services.asr.checkpoint import Checkpoint, find_checkpoint
from omnigap_services.asr.options import AsrOptions

SILENCE_PEAK = 1e-4
"""A clip that never exceeds this (three steps of 16-bit audio) is digital silence: there is nothing to hear in it."""

# What the package would use to retry or to drop segments is off: statistics are reported, nothing is deleted.
_DECODING: dict[str, Any] = {
    "temperature": 0.0,
    "condition_on_previous_text": False,
    "without_timestamps": True,
    "vad_filter": False,
    "compression_ratio_threshold": None,
    "log_prob_threshold": None,
    "no_speech_threshold": None,
    # Half of Whisper's text positions, as in OpenAI's own decoding: a loop ends there.
    "max_new_tokens": 224,
}


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


class AsrEngine:
    """A loaded Whisper. One thread uses it."""

    def __init__(self, options: AsrOptions) -> None:
        import ctranslate2
        from faster_whisper import BatchedInferencePipeline, WhisperModel

        self.options = options
        self.checkpoint: Checkpoint = find_checkpoint(options.checkpoint, options.revision)
        on_cuda = options.device == "cuda" or (options.device == "auto" and ctranslate2.get_cuda_device_count() > 0)
        self.device = "cuda" if on_cuda else "cpu"
        automatic = "float16" if on_cuda else "int8"
        self.compute_type = automatic if options.compute_type == "auto" else options.compute_type
        self._model = WhisperModel(
            str(self.checkpoint.folder),
            device=self.device,
            compute_type=self.compute_type,
            cpu_threads=options.cpu_threads or min(4, _cores()),
        )
        self._pipeline = BatchedInferencePipeline(model=self._model)
        # 30 s in OpenAI's checkpoints; the shipped one was trained on shorter clips.
        self._window = int(self._model.feature_extractor.chunk_length * SAMPLE_RATE)

    @property
    def languages(self) -> tuple[str, ...]:
        """Two-letter codes that the checkpoint knows."""
        return tuple(self._model.supported_languages)

    @property
    def settings(self) -> dict[str, str]:
        """All that changes transcripts beside the weights."""
        shown = {name: str(value) for name, value in _DECODING.items()}
        return {
            **shown,
            "device": self.device,
            "compute_type": self.compute_type,
            "beam_size": str(self.options.beam_size),
            "language": self.options.language,
            "detect_language": str(self.options.detect_language),
            "silence_peak": str(SILENCE_PEAK),
        }

    def language_code(self, language: str) -> str:
        """The checkpoint's code for a BCP-47 tag; an empty tag is the option's.

        Raises:
            ContractError: BAD_REQUEST for a language that the checkpoint does not know.
        """
        code = (language or self.options.language).split("-")[0].lower()
        if code not in self.languages:
            known = ", ".join(self.languages)
            raise ContractError(
                Reason.BAD_REQUEST,
                f"language {language!r} is not known to the ASR checkpoint {self.checkpoint.name}: send one of {known},"
                " or set another checkpoint",
            )
        return code

    def hear(self, clips: Sequence[Samples], language: str = "", beam_size: int | None = None) -> list[Heard]:
        """Transcribes clips (float32, 16 kHz, each of shape (n,)) together, `max_batch_size` windows at a time.

        Raises:
            ContractError: BAD_MEDIA for empty or non-finite clips, BAD_REQUEST for an unknown language.
        """
        for clip in clips:
            check_clip(clip)
        code = self.language_code(language)
        pieces = [
            piece
            for number, clip in enumerate(clips)
            if float(np.abs(clip).max()) > SILENCE_PEAK
            for piece in cut(clip, self._window, number)
        ]
        found: dict[int, list[Any]] = {}
        for number, segment in self._segments(clips, pieces, code, beam_size or self.options.beam_size):
            found.setdefault(number, []).append(segment)
        heard = []
        for number, clip in enumerate(clips):
            segments = found.get(number, [])
            spoken = self._spoken_language(clip, code) if segments else code
            heard.append(_merged(segments, len(clip) / SAMPLE_RATE, spoken))
        return heard

    def _segments(
        self, clips: Sequence[Samples], pieces: Sequence[Piece], language: str, beam_size: int
    ) -> list[tuple[int, Any]]:
        """Segments with the number of their clip, in order."""
        if not pieces:
            return []
        tape = lay(clips, pieces)
        segments, _ = self._pipeline.transcribe(
            tape.samples,
            language=language,
            beam_size=beam_size,
            clip_timestamps=tape.timestamps(),
            batch_size=self.options.max_batch_size,
            **_DECODING,
        )
        return [(pieces[tape.piece_at(segment.start)].clip, segment) for segment in segments]

    def hear_alone(self, clip: Samples, language: str = "", beam_size: int | None = None) -> str:
        """The text of one clip through the package's own sequential `transcribe`: what batching is checked against."""
        segments, _ = self._model.transcribe(
            clip,
            language=self.language_code(language),
            beam_size=beam_size or self.options.beam_size,
            **_DECODING,
        )
        return "".join(segment.text for segment in segments).strip()

    def _spoken_language(self, clip: Samples, code: str) -> str:
        if not self.options.detect_language or len(self.languages) == 1:
            return code
        language, _, _ = self._model.detect_language(audio=clip)
        return str(language)


def check_clip(clip: Samples) -> None:
    """Raises ContractError (BAD_MEDIA) for an empty or non-finite clip: Whisper would make up text for it."""
    if not len(clip) or not np.isfinite(clip).all():
        raise ContractError(Reason.BAD_MEDIA, "the clip is empty or holds NaN or infinite samples: write it again")


def _merged(segments: Sequence[Any], duration_s: float, language: str) -> Heard:
    """One transcript out of a clip's segments; log probabilities are averaged by tokens."""
    if not segments:
        return Heard("", 0.0, 1.0, 0.0, duration_s, language, 0)
    weights = [len(segment.tokens) + 1 for segment in segments]
    weighted = sum(segment.avg_logprob * weight for segment, weight in zip(segments, weights, strict=True))
    return Heard(
        text=" ".join(text for segment in segments if (text := segment.text.strip())),
        avg_logprob=float(weighted / sum(weights)),
        no_speech_prob=float(segments[0].no_speech_prob),
        compression_ratio=float(max(segment.compression_ratio for segment in segments)),
        duration_s=duration_s,
        language=language,
        tokens=sum(len(segment.tokens) for segment in segments),
    )


def _cores() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
