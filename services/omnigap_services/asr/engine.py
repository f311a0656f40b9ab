"""The ASR engine: faster-whisper with deterministic settings, and many clips in one pass of the model.

The clips of many requests form one batch of faster-whisper's `BatchedInferencePipeline`. Its `forward` takes features.
Its `transcribe` would pad every clip to 3,000 frames, so that most of the work on a short clip is spent on zeros; a
checkpoint that was trained with less padding says so (`padding_seconds`). For any other one, less padding is refused.

No prompt and no hot words are passed: gold text in them would leak the answer into the transcript.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from omnigap.errors import ContractError
from omnigap.media.audio import Samples
from omnigap.vocabulary import Reason, primary_language
from omnigap_services.asr.checkpoint_files import Checkpoint, find_checkpoint
from omnigap_services.asr.options import AsrOptions
from omnigap_services.audio import SILENCE_PEAK, check_clip
from omnigap_services.chunking import (
    MAX_SILENCE_S,
    SAMPLE_RATE,
    Piece,
    batches,
    cut,
    longest_stretch,
    without_silence,
)
from omnigap_services.gpu import device_of
from omnigap_services.options import OptionsError

_log = logging.getLogger(__name__)

Features = npt.NDArray[np.float32]

PADDED_FRAMES = 3000
"""The length to which faster-whisper pads every clip, independent of the checkpoint's window."""

# Everything by which the package retries or drops segments is off: statistics are reported, and no text is deleted.
_DECODING: dict[str, Any] = {
    # One temperature: the package's fallback to higher ones samples, and a scorer must be deterministic.
    "temperature": 0.0,
    # Windows are independent, so that a repetition loop does not carry over to the next one.
    "condition_on_previous_text": False,
    # Only the text is used; timestamps would split it into segments.
    "without_timestamps": True,
    # Voice activity detection would delete what it takes for silence.
    "vad_filter": False,
    "compression_ratio_threshold": None,
    "log_prob_threshold": None,
    "no_speech_threshold": None,
    # Half of Whisper's text positions, as in OpenAI's own decoding. It ends repetition loops.
    "max_new_tokens": 224,
}


class AsrEngine:
    """A loaded Whisper, for use from one thread."""

    def __init__(self, options: AsrOptions, prefix: str = "") -> None:
        """
        Args:
            prefix: of the names of options, for errors: `asr_` in services that have this engine as a part.

        Raises:
            OptionsError: the checkpoint can't be found, is incomplete, or can't be loaded with these options.
        """
        import ctranslate2
        from faster_whisper import BatchedInferencePipeline, WhisperModel
        from faster_whisper.feature_extractor import FeatureExtractor

        self.options = options
        found = ctranslate2.get_cuda_device_count() > 0
        # The count is 0 without a reason; the list of types raises it.
        fault = partial(ctranslate2.get_supported_compute_types, "cuda")
        # Before the checkpoint, which may be downloaded.
        self.device = device_of(f"{prefix}device", options.device, found, fault)
        self.checkpoint: Checkpoint = find_checkpoint(options, prefix)
        self._padding, self._forced = _padding_frames(options, self.checkpoint, prefix)
        automatic = "float16" if self.device == "cuda" else "int8"
        self.compute_type = automatic if options.compute_type == "auto" else options.compute_type
        try:
            self._model = WhisperModel(
                str(self.checkpoint.folder),
                device=self.device,
                compute_type=self.compute_type,
                cpu_threads=options.cpu_threads or min(4, _cores()),
            )
        except (RuntimeError, ValueError) as error:
            if "out of memory" in str(error).lower():
                raise
            raise OptionsError(
                f"the option {prefix}checkpoint: {self.checkpoint.folder} can't be used: model.bin does not load on "
                f"{self.device} as {self.compute_type} ({error}): copy or download it again, or set another "
                f"{prefix}compute_type"
            ) from error
        features = {**self.checkpoint.features, "feature_size": self._mel_bins(prefix)}
        # The package takes its own values for what preprocessor_config.json lacks: 80 mel bins for large-v3, too.
        self._model.feat_kwargs = features
        extractor = self._model.feature_extractor = FeatureExtractor(**features)
        self._pipeline = BatchedInferencePipeline(model=self._model)
        # In samples. 30 s in OpenAI's checkpoints; the shipped one was trained on shorter clips.
        self.window = int(extractor.chunk_length * SAMPLE_RATE)
        self._trained = int(self.checkpoint.trained_s * SAMPLE_RATE)
        for assumption in self.checkpoint.assumed:
            _log.warning("%s: %s", self.checkpoint.name, assumption)
        if self._forced:
            _log.warning("%s: padded to %s s, for which it was not trained", self.checkpoint.name, options.padding_s)

    def _mel_bins(self, prefix: str) -> int:
        declared, bins = self.checkpoint.features["feature_size"], int(self._model.model.n_mels)
        # Checked again: the sizes of a model.bin of a version that is not known here can't be read before.
        if declared != bins and not any("feature_size" in said for said in self.checkpoint.assumed):
            raise OptionsError(
                f"the option {prefix}checkpoint: preprocessor_config.json of {self.checkpoint.folder} has feature_size "
                f"{declared}, but the model has {bins} mel bins: replace it with the checkpoint's own, or remove it"
            )
        return bins

    @property
    def languages(self) -> tuple[str, ...]:
        """Two-letter codes that the checkpoint knows."""
        known = self._model.supported_languages
        if len(known) == 1:
            return tuple(known)
        # The package lists Cantonese for every multilingual checkpoint, but only large-v3 and later have its token.
        return tuple(code for code in known if self._model.hf_tokenizer.token_to_id(f"<|{code}|>") is not None)

    @property
    def settings(self) -> dict[str, str]:
        """Everything except the weights that changes transcripts."""
        shown = {name: str(value) for name, value in _DECODING.items()}
        return {
            **shown,
            "device": self.device,
            "compute_type": self.compute_type,
            "beam_size": str(self.options.beam_size),
            "language": self.options.language,
            "languages": self.languages[0] if len(self.languages) == 1 else f"{len(self.languages)} languages",
            "detect_language": str(self.options.detect_language),
            "padding_frames": str(self._padding),
            "silence_peak": str(SILENCE_PEAK),
            "max_silence_s": str(MAX_SILENCE_S),
            "trained_s": str(self.checkpoint.trained_s),
            **({"assumed": "; ".join(self.checkpoint.assumed)} if self.checkpoint.assumed else {}),
            **({"force_padding": "True"} if self._forced else {}),
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
                f"language {language!r} is unknown to the ASR checkpoint {self.checkpoint.name}: send one of {known},"
                " or set another checkpoint",
            )
        return code

    def transcribe(
        self, clips: Sequence[Samples], language: str = "", beam_size: int | None = None
    ) -> list[Transcript]:
        """Transcribes clips (float32, 16 kHz, each of shape (n,)), `max_batch_size` windows in one pass.

        Long digital silence is left out, so that no window consists of it.

        Raises:
            ContractError: BAD_MEDIA for empty or non-finite clips, BAD_REQUEST for an unknown language.
        """
        for clip in clips:
            check_clip(clip)
        code = self.language_code(language)
        # Silence does not reach the model: Whisper invents text for it.
        sounding = [without_silence(clip) for clip in clips]
        cuts = [self._pieces(samples, number) for number, samples in enumerate(sounding)]
        pieces = [piece for of_clip in cuts for piece in of_clip]
        by_clip: dict[int, list[_Segment]] = {}
        segments = self._segments([sounding[p.clip][p.start : p.end] for p in pieces], code, beam_size)
        for piece, segment in zip(pieces, segments, strict=True):
            by_clip.setdefault(piece.clip, []).append(segment)
        transcripts = []
        for number, clip in enumerate(clips):
            of_clip = by_clip.get(number, [])
            spoken = self._spoken_language(clip, code) if of_clip else code
            stretch_s = longest_stretch(cuts[number]) / SAMPLE_RATE
            transcripts.append(_merged(of_clip, len(clip) / SAMPLE_RATE, spoken, stretch_s))
        return transcripts

    def _pieces(self, samples: Samples, number: int) -> list[Piece]:
        """The pieces of a clip that sound; the last one may hold only the silence after the words."""
        if not len(samples):
            return []
        found = cut(samples, self.window, number, self._trained)
        return [piece for piece in found if float(np.abs(samples[piece.start : piece.end]).max()) > SILENCE_PEAK]

    def _segments(self, pieces: Sequence[Samples], language: str, beam_size: int | None) -> list[_Segment]:
        """One segment per piece, in order."""
        from faster_whisper.tokenizer import Tokenizer

        tokenizer = Tokenizer(
            self._model.hf_tokenizer, self._model.model.is_multilingual, task="transcribe", language=language
        )
        options = self._transcription_options(beam_size or self.options.beam_size)
        # The extractor appends one frame of padding, which faster-whisper itself always cuts off.
        features = [self._model.feature_extractor(_lengthened(piece))[..., :-1] for piece in pieces]
        segments: dict[int, _Segment] = {}
        for batch in batches([f.shape[-1] for f in features], self._padding, self.options.max_batch_size):
            stacked = np.stack([_padded(features[number], batch.frames) for number in batch.clips])
            metadata = [{"offset": 0.0, "duration": len(pieces[n]) / SAMPLE_RATE} for n in batch.clips]
            outputs = self._pipeline.forward(stacked, tokenizer, metadata, options)
            for number, output in zip(batch.clips, outputs, strict=True):
                segments[number] = _segment_of(output)
        return [segments[number] for number in range(len(pieces))]

    @cache  # noqa: B019  (an engine lives as long as its process)
    def _transcription_options(self, beam_size: int) -> Any:
        """The package's options object, taken from its `transcribe`, whose generator is never run.

        Fields that another version of the package adds then have the package's own defaults.
        """
        # The language does not enter the options; any that the checkpoint knows is accepted.
        second = np.zeros(SAMPLE_RATE, dtype=np.float32)
        clip = [{"start": 0.0, "end": 1.0}]
        _, info = self._pipeline.transcribe(
            second, language=self.languages[0], beam_size=beam_size, clip_timestamps=clip, **_DECODING
        )
        return info.transcription_options

    def _spoken_language(self, clip: Samples, code: str) -> str:
        # `transcribe` decodes in the requested language; this second pass only reports what was spoken.
        if not self.options.detect_language or len(self.languages) == 1:
            return code
        language, _, _ = self._model.detect_language(audio=clip)
        return str(language)


def _padding_frames(options: AsrOptions, checkpoint: Checkpoint, prefix: str) -> tuple[int, bool]:
    """Frames to whose multiples clips are padded, and whether the checkpoint was not trained for that.

    Raises:
        OptionsError: `padding_s` of a checkpoint that does not declare it, without `force_padding`, or more seconds
            than its window.
    """
    hop, seconds = checkpoint.features["hop_length"], options.padding_s
    if seconds is None:
        return round(checkpoint.padding_s * SAMPLE_RATE / hop) or PADDED_FRAMES, False
    frames = max(1, round(seconds * SAMPLE_RATE / hop)) if seconds else PADDED_FRAMES
    option = f"the option {prefix}padding_s is {seconds:g}"
    if frames > PADDED_FRAMES:
        raise OptionsError(f"{option}: set at most {PADDED_FRAMES * hop / SAMPLE_RATE:g}, the window of the checkpoint")
    undeclared = frames < PADDED_FRAMES and not checkpoint.declares_padding
    if undeclared and not options.force_padding:
        raise OptionsError(
            f"{option}, but the checkpoint {checkpoint.name} was not trained so: its preprocessor_config.json declares "
            f"no padding_seconds, and less padding changes its transcripts of short answers. Remove the option, or set "
            f"{prefix}force_padding = true"
        )
    return frames, undeclared


def _lengthened(piece: Samples) -> Samples:
    """The piece, padded with silence to 0.1 s: a few samples do not fill one feature frame."""
    return np.pad(piece, (0, max(0, SAMPLE_RATE // 10 - len(piece))))


def _padded(features: Features, frames: int) -> Features:
    """Features of shape (mels, n), zero-padded or cut to `frames`."""
    # Zeros, as in faster-whisper's own `pad_or_trim`.
    return np.pad(features[:, :frames], ((0, 0), (0, max(0, frames - features.shape[1]))))


def _cores() -> int:
    """Cores that this process may use, which a container may limit."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Transcript:
    """The transcript of a clip, with Whisper's statistics.

    Attributes:
        avg_logprob: mean log probability of the text's tokens.
        no_speech_prob: probability that the (first) window contains no speech.
        compression_ratio: characters over their zlib size; loops compress well.
        duration_s: seconds of audio.
        language: that was decoded, or detected with `detect_language`.
        tokens: text tokens, without the end token.
        stretch_s: seconds of the longest stretch of the clip without a pause in which it could be cut.
    """

    text: str
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float
    duration_s: float
    language: str
    tokens: int
    stretch_s: float


@dataclass(frozen=True, slots=True)
class _Segment:
    """The output of one pass of the model for one piece of a clip; statistics as in `Transcript`."""

    text: str
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float
    tokens: int


def _segment_of(output: Sequence[Mapping[str, Any]]) -> _Segment:
    """The parts that the pipeline returns for one piece as one segment; it has several only with timestamps."""
    return _Segment(
        text=" ".join(text for part in output if (text := part["text"].strip())),
        avg_logprob=float(output[0]["avg_logprob"]),
        no_speech_prob=float(output[0]["no_speech_prob"]),
        compression_ratio=max(float(part["compression_ratio"]) for part in output),
        tokens=sum(len(part["tokens"]) for part in output),
    )


def _merged(segments: Sequence[_Segment], duration_s: float, language: str, stretch_s: float) -> Transcript:
    """The transcript of a clip from its segments.

    Log probabilities are averaged with the segments' token counts as weights, the end token included, since Whisper's
    own average includes it.
    """
    # A silent clip: certainly no speech.
    if not segments:
        return Transcript("", 0.0, 1.0, 0.0, duration_s, language, 0, 0.0)
    weights = [segment.tokens + 1 for segment in segments]
    weighted = sum(segment.avg_logprob * weight for segment, weight in zip(segments, weights, strict=True))
    return Transcript(
        text=" ".join(segment.text for segment in segments if segment.text),
        avg_logprob=weighted / sum(weights),
        no_speech_prob=segments[0].no_speech_prob,
        compression_ratio=max(segment.compression_ratio for segment in segments),
        duration_s=duration_s,
        language=language,
        tokens=sum(segment.tokens for segment in segments),
        stretch_s=stretch_s,
    )
