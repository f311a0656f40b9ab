"""The `hf-asr` service: speech in, its transcript out, with another ASR model than the default one."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from omnigap.errors import ContractError
from omnigap.media.audio import Samples
from omnigap.vocabulary import Condition, FinishReason, Modality, Reason, primary_language
from omnigap_services.adapter import NATIVE, Adapter, Card, Completion, Turn
from omnigap_services.audio import SILENCE_PEAK, compression_ratio, match_language, single_clip
from omnigap_services.chunking import MAX_SILENCE_S, batches, cut, without_silence
from omnigap_services.hf.asr.loading import LoadedRecogniser, load_recogniser
from omnigap_services.hf.asr.recogniser import SAMPLE_RATE, SERVICE, HfAsrOptions, Segment
from omnigap_services.options import read_options
from omnigap_services.source import source_hash
from omnigap_services.torch_utils.generation import CancellationHook, GenerationCancelledError, split_on_oom
from omnigap_services.torch_utils.versions import let_torchvision_import

# Shorter clips are padded with zeros to 0.1 s: convolutional feature extractors need a minimum of samples.
_MIN_SAMPLES = SAMPLE_RATE // 10

# Longest clip of a request; longer than `window_s` it is cut into segments.
_MAX_CLIP_S = 600.0

PendingClip = tuple[Turn, Samples]


class HfAsrAdapter(Adapter):
    """An ASR scorer: never samples, is given the language if the model takes one, and gets no prompt."""

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._options = read_options(HfAsrOptions, SERVICE, options)

    @classmethod
    def build_tiny(cls, options: Mapping[str, object], folder: Path) -> dict[str, object]:
        let_torchvision_import()
        from omnigap_services.hf.asr.tiny import build

        return build(options, folder)

    def load(self) -> Card:
        self._loaded = load_recogniser(self._options)
        self._recogniser = self._loaded.recogniser
        self._cancellation = CancellationHook(self._recogniser.model)
        self._languages = (
            self._recogniser.languages or self._options.languages or (primary_language(self._options.language),)
        )
        self._window = int(min(self._options.window_s, self._recogniser.max_seconds) * SAMPLE_RATE)
        return self._card(self._loaded)

    def generate(self, batch: Sequence[Turn]) -> None:
        groups: dict[tuple[str, int], list[PendingClip]] = defaultdict(list)
        for turn in batch:
            if turn.cancelled:
                continue
            try:
                samples = single_clip(turn.request)
                groups[self._language(turn), self._beam_size(turn)].append((turn, samples))
            except ContractError as error:
                turn.fail(error)
        for (language, beam_size), pending in groups.items():
            work = partial(self._answer, language=language, beam_size=beam_size)
            try:
                split_on_oom(pending, work, lambda one, error: one[0].fail(error))
            except Exception as error:  # fails this group only: the other groups have not run yet
                for turn, _ in pending:
                    turn.fail(error)

    def _answer(self, pending: Sequence[PendingClip], language: str, beam_size: int) -> None:
        try:
            # A batch is cancelled only when every caller is gone: the passes are shared.
            with self._cancellation.stop_when(lambda: all(turn.cancelled for turn, _ in pending)):
                transcripts = self._transcribe([samples for _, samples in pending], language, beam_size)
        except GenerationCancelledError:
            return
        for (turn, samples), segments in zip(pending, transcripts, strict=True):
            turn.write(" ".join(segment.text for segment in segments if segment.text))
            turn.complete(_completion(segments, len(samples) / SAMPLE_RATE, language))

    def _transcribe(self, clips: Sequence[Samples], language: str, beam_size: int) -> list[list[Segment]]:
        """The segments of each clip, in order; a clip of digital silence has none."""
        # Digital silence is not sent to the model: a decoder may invent words for it.
        sounding = [without_silence(clip) for clip in clips]
        pieces = [
            piece
            for number, clip in enumerate(sounding)
            if len(clip)
            for piece in cut(clip, self._window, number)
            if float(np.abs(clip[piece.start : piece.end]).max()) > SILENCE_PEAK
        ]
        inputs = [sounding[piece.clip][piece.start : piece.end] for piece in pieces]
        inputs = [np.pad(samples, (0, max(0, _MIN_SAMPLES - len(samples)))) for samples in inputs]
        max_batch_size = 1 if self._recogniser.one_at_a_time else self._options.max_batch_size
        found: dict[int, Segment] = {}
        # Grouped by whole seconds: little is padded, and the token limit that Moonshine derives from the length does
        # not depend on the other segments of a batch.
        for batch in batches([len(samples) for samples in inputs], SAMPLE_RATE, max_batch_size):
            segments = self._recogniser.transcribe(
                [inputs[number] for number in batch.clips], language, beam_size, batch.frames / SAMPLE_RATE
            )
            found.update(zip(batch.clips, segments, strict=True))
        return [
            [found[number] for number, piece in enumerate(pieces) if piece.clip == clip] for clip in range(len(clips))
        ]

    def _language(self, turn: Turn) -> str:
        language = turn.request.language or self._options.language
        found = match_language(language, self._languages)
        if found is None:
            known = ", ".join(self._languages)
            text = f"language {language!r} is not known to {self._loaded.weights.name}: send one of {known}"
            fix = ", or set another checkpoint" if self._recogniser.languages else ", or add it to the option languages"
            raise ContractError(Reason.BAD_REQUEST, text + fix)
        return found

    def _beam_size(self, turn: Turn) -> int:
        requested = turn.request.decoding.beam_size
        if not self._recogniser.has_beam_search:
            if requested is not None and requested > 1:
                text = f"decoding.beam_size is {requested}, but a {self._loaded.model_type} is greedy: leave it unset"
                raise ContractError(Reason.BAD_REQUEST, text)
            return 1
        return requested or self._options.beam_size

    def _card(self, loaded: LoadedRecogniser) -> Card:
        options = self._options
        return Card(
            name=options.name or loaded.weights.name,
            conditions={Condition(Modality.SPEECH, Modality.TEXT): NATIVE},
            weights_revision=loaded.weights.revision,
            weights_source=loaded.weights.source,
            settings={
                **loaded.recogniser.settings,
                **loaded.placement.settings(),
                "code.torch_utils": source_hash("omnigap_services.torch_utils"),
                "code.audio": source_hash("omnigap_services.audio", "omnigap_services.chunking"),
                "family": loaded.model_type,
                "temperature": "0.0",
                "beam_size": str(options.beam_size if loaded.recogniser.has_beam_search else 1),
                "max_new_tokens": str(options.max_new_tokens),
                "allow_missing_weights": json.dumps(options.allow_missing_weights),
                "language": options.language,
                "language_forced": str(loaded.recogniser.forces_language),
                "window_s": str(self._window / SAMPLE_RATE),
                "silence_peak": str(SILENCE_PEAK),
                "max_silence_s": str(MAX_SILENCE_S),
            },
            libraries=("torch", "transformers", "tokenizers"),
            languages=self._languages,
            max_batch_size=options.max_batch_size,
            max_queue=options.max_queue,
            input_sample_rate_hz=SAMPLE_RATE,
            max_audio_seconds=_MAX_CLIP_S,
        )


def _completion(segments: Sequence[Segment], duration_s: float, language: str) -> Completion:
    """How a transcript ended, with diagnostics named as those of the default ASR service.

    A statistic that the family does not compute is left out.
    """
    text = " ".join(segment.text for segment in segments if segment.text)
    diagnostics = {"duration_s": duration_s, "compression_ratio": compression_ratio(text)}
    scored = sum(segment.scored_tokens for segment in segments)
    logprobs = [segment.logprob for segment in segments if segment.logprob is not None]
    if not segments:
        # The values that the default ASR service reports for digital silence.
        diagnostics |= {"avg_logprob": 0.0, "no_speech_prob": 1.0}
    elif len(logprobs) == len(segments) and scored:
        diagnostics["avg_logprob"] = sum(logprobs) / scored
    if segments and segments[0].no_speech_prob is not None:
        diagnostics["no_speech_prob"] = segments[0].no_speech_prob
    return Completion(
        finish_reason=FinishReason.LENGTH if any(segment.truncated for segment in segments) else FinishReason.STOP,
        output_tokens=sum(segment.tokens for segment in segments),
        diagnostics=diagnostics,
        detected_language=language,
    )
