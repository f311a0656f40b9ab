"""The `asr` service: transcribes one clip per request. It scores speech answers and is not a model under test."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from omnigap.errors import ContractError
from omnigap.media.audio import Samples
from omnigap.vocabulary import Condition, FinishReason, Modality
from omnigap_services.adapter import NATIVE, Adapter, Card, Completion, Turn
from omnigap_services.asr.engine import AsrEngine, Transcript
from omnigap_services.asr.options import AsrOptions
from omnigap_services.audio import single_clip
from omnigap_services.options import read_options
from omnigap_services.source import source_hash


class AsrAdapter(Adapter):
    """Whisper behind the Generate server: one audio part in, text out, statistics in the diagnostics."""

    without_tiny = "its default checkpoint is tiny, trained, and part of omnigap"

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._options = read_options(AsrOptions, "asr", options)

    def load(self) -> Card:
        self._engine = AsrEngine(self._options)
        return Card(
            name=self._engine.checkpoint.name,
            conditions={Condition(Modality.SPEECH, Modality.TEXT): NATIVE},
            weights_revision=self._engine.checkpoint.revision,
            weights_source=self._engine.checkpoint.source,
            settings={
                **self._engine.settings,
                "code.audio": source_hash("omnigap_services.audio", "omnigap_services.chunking"),
            },
            libraries=("faster-whisper", "ctranslate2", "tokenizers"),
            languages=self._engine.languages,
            max_batch_size=self._options.max_batch_size,
            # One batch runs while the next one fills.
            max_concurrent=2 * self._options.max_batch_size,
            max_audio_seconds=600.0,
        )

    def generate(self, batch: Sequence[Turn]) -> None:
        # A pass of the model decodes one language with one beam size.
        groups: dict[tuple[str, int | None], list[tuple[Turn, Samples]]] = defaultdict(list)
        for turn in batch:
            if turn.cancelled:
                continue
            # Checked per turn: an exception in the pass below would fail the whole batch.
            try:
                samples = single_clip(turn.request)
                language = self._engine.language_code(turn.request.language)
            except ContractError as error:
                turn.fail(error)
                continue
            groups[language, turn.request.decoding.beam_size].append((turn, samples))
        for (language, beam_size), turns in groups.items():
            transcripts = self._engine.transcribe([samples for _, samples in turns], language, beam_size)
            for (turn, _), transcript in zip(turns, transcripts, strict=True):
                turn.write(transcript.text)
                turn.complete(_completion_of(transcript, self._engine.checkpoint.trained_s))


def _completion_of(transcript: Transcript, trained_s: float) -> Completion:
    """
    Args:
        trained_s: the length that the checkpoint was trained for; 0 if it does not say.
    """
    # Named as the orchestrator reads them: a stretch beyond the trained length makes a transcript suspect.
    lengths = {"longest_stretch_s": transcript.stretch_s, "trained_s": trained_s} if trained_s else {}
    return Completion(
        finish_reason=FinishReason.STOP,
        output_tokens=transcript.tokens,
        diagnostics={
            "avg_logprob": transcript.avg_logprob,
            "no_speech_prob": transcript.no_speech_prob,
            "compression_ratio": transcript.compression_ratio,
            "duration_s": transcript.duration_s,
            **lengths,
        },
        detected_language=transcript.language,
    )
