"""The ASR engine: faster-whisper with deterministic settings, many clips in one pass.

The clips of many requests are one batch of faster-whisper's `BatchedInferencePipeline`, whose `forward` takes features.
Its `transcribe` pads every clip to 3,000 frames; most of the work on a short clip is then spent on zeros. A checkpoint
whose training allows for less says so (`padding_seconds`).

Temperature 0 alone (the package's fallback to higher temperatures samples), no conditioning on earlier text, no prompt,
no hot words (gold text there would leak the answer), a fixed language, no voice activity filter.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from omnigap.errors import ContractError
from omnigap.media.audio import Samples
from omnigap.vocabulary import Reason, primary_language
from omnigap_services.asr.checkpoint import Checkpoint, find_checkpoint
from omnigap_services.asr.options import AsrOptions
from omnigap_services.asr.transcript import Heard, Segment, merged, segment_of
from omnigap_services.audio import SILENCE_PEAK, check_clip
from omnigap_services.chunking import SAMPLE_RATE, batches, cut

Features = npt.NDArray[np.float32]

PADDED_FRAMES = 3000
"""What faster-whisper pads every clip to, whatever the checkpoint's window."""

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
        extractor = self._model.feature_extractor
        # In samples: 30 s in OpenAI's checkpoints; the shipped one was trained on shorter clips.
        self.window = int(extractor.chunk_length * SAMPLE_RATE)
        seconds = self.checkpoint.padding_s if options.padding_s is None else options.padding_s
        self._padding = round(seconds * SAMPLE_RATE / extractor.hop_length) or PADDED_FRAMES

    @property
    def languages(self) -> tuple[str, ...]:
        """Two-letter codes that the checkpoint knows."""
        known = self._model.supported_languages
        if len(known) == 1:
            return tuple(known)
        # The package tells every multilingual checkpoint Cantonese, which only large-v3 and its like have a token for.
        return tuple(code for code in known if self._model.hf_tokenizer.token_to_id(f"<|{code}|>") is not None)

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
            "padding_frames": str(self._padding),
            "silence_peak": str(SILENCE_PEAK),
        }

    def language_code(self, language: str) -> str:
        """The checkpoint's code for a BCP-47 tag; an empty tag is the option's.

        Raises:
            ContractError: BAD_REQUEST for a language that the checkpoint does not know.
        """
        code = primary_language(language or self.options.language)
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
            for piece in cut(clip, self.window, number)
        ]
        found: dict[int, list[Segment]] = {}
        segments = self._segments([clips[p.clip][p.start : p.end] for p in pieces], code, beam_size)
        for piece, segment in zip(pieces, segments, strict=True):
            found.setdefault(piece.clip, []).append(segment)
        heard = []
        for number, clip in enumerate(clips):
            of_clip = found.get(number, [])
            spoken = self._spoken_language(clip, code) if of_clip else code
            heard.append(merged(of_clip, len(clip) / SAMPLE_RATE, spoken))
        return heard

    def _segments(self, pieces: Sequence[Samples], language: str, beam_size: int | None) -> list[Segment]:
        """What is said in each piece, in order."""
        from faster_whisper.tokenizer import Tokenizer

        tokenizer = Tokenizer(
            self._model.hf_tokenizer, self._model.model.is_multilingual, task="transcribe", language=language
        )
        options = self._transcription_options(beam_size or self.options.beam_size)
        # The extractor appends one frame of its own padding, which faster-whisper leaves out everywhere.
        features = [self._model.feature_extractor(_no_shorter(piece))[..., :-1] for piece in pieces]
        segments: dict[int, Segment] = {}
        for batch in batches([f.shape[-1] for f in features], self._padding, self.options.max_batch_size):
            stacked = np.stack([_padded(features[number], batch.frames) for number in batch.clips])
            metadata = [{"offset": 0.0, "duration": len(pieces[n]) / SAMPLE_RATE} for n in batch.clips]
            outputs = self._pipeline.forward(stacked, tokenizer, metadata, options)
            for number, output in zip(batch.clips, outputs, strict=True):
                segments[number] = segment_of(output)
        return [segments[number] for number in range(len(pieces))]

    @cache  # noqa: B019  (an engine lives as long as its process)
    def _transcription_options(self, beam_size: int) -> Any:
        """The package's own options object, as its `transcribe` makes it; that generator is never run."""
        second = np.zeros(SAMPLE_RATE, dtype=np.float32)
        clip = [{"start": 0.0, "end": 1.0}]
        _, info = self._pipeline.transcribe(
            second, language=self.languages[0], beam_size=beam_size, clip_timestamps=clip, **_DECODING
        )
        return info.transcription_options

    def _spoken_language(self, clip: Samples, code: str) -> str:
        if not self.options.detect_language or len(self.languages) == 1:
            return code
        language, _, _ = self._model.detect_language(audio=clip)
        return str(language)


def _no_shorter(piece: Samples) -> Samples:
    """The piece, filled up with silence to a tenth of a second: a few samples make no frame."""
    return np.pad(piece, (0, max(0, SAMPLE_RATE // 10 - len(piece))))


def _padded(features: Features, frames: int) -> Features:
    """Features, shape (mels, n), with zeros up to `frames`; longer ones are cut there."""
    return np.pad(features[:, :frames], ((0, 0), (0, max(0, frames - features.shape[1]))))


def _cores() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
