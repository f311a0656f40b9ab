"""The `asr` service: audio in, its text out. It scores speech answers; it is no model under test."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from omnigap.errors import ContractError
from omnigap.media import AudioClip
from omnigap.media.audio import Samples
from omnigap.vocabulary import Condition, FinishReason, Modality, Reason
from omnigap_services.adapter import NATIVE, Adapter, Card, Completion, DecodingOptions, Request, Turn
from omnigap_services.asr.engine import AsrEngine, check_clip
from omnigap_services.asr.options import AsrOptions
from omnigap_services.asr.transcript import Heard
from omnigap_services.options import read_options


class AsrAdapter(Adapter):
    """Whisper behind the Generate server: one audio part in, text out, statistics as diagnostics."""

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._options = read_options(AsrOptions, "asr", options)

    def load(self) -> Card:
        self._engine = AsrEngine(self._options)
        return Card(
            name="asr",
            conditions={Condition(Modality.SPEECH, Modality.TEXT): NATIVE},
            weights_revision=self._engine.checkpoint.revision,
            settings={**self._engine.settings, "checkpoint": self._engine.checkpoint.name},
            libraries=("faster-whisper", "ctranslate2", "tokenizers"),
            languages=self._engine.languages,
            max_batch_size=self._options.max_batch_size,
            max_concurrent=2 * self._options.max_batch_size,
            max_audio_seconds=600.0,
        )

    def generate(self, batch: Sequence[Turn]) -> None:
        groups: dict[tuple[str, int | None], list[tuple[Turn, Samples]]] = defaultdict(list)
        for turn in batch:
            if turn.cancelled:
                continue
            try:
                samples = clip_of(turn.request)
                language = self._engine.language_code(turn.request.language)
            except ContractError as error:
                turn.fail(error)
                continue
            groups[language, turn.request.decoding.beam_size].append((turn, samples))
        for (language, beam_size), turns in groups.items():
            heard = self._engine.hear([samples for _, samples in turns], language, beam_size)
            for (turn, _), transcript in zip(turns, heard, strict=True):
                turn.write(transcript.text)
                turn.complete(completion_of(transcript))


def clip_of(request: Request) -> Samples:
    """The one clip that a scorer is sent; anything that could steer the transcript is refused.

    Raises:
        ContractError: BAD_REQUEST for decoding, texts and further parts; BAD_MEDIA for a clip that holds nothing.
    """
    if refused := _refused_decoding(request.decoding):
        raise ContractError(
            Reason.BAD_REQUEST,
            f"decoding asks for {', '.join(refused)}: the ASR is deterministic and takes beam_size alone (and"
            " temperature 0), leave the others unset",
        )
    if len(request.parts) != 1 or not isinstance(request.carrier, AudioClip) or request.system_prompt:
        raise ContractError(
            Reason.BAD_REQUEST,
            f"{len(request.parts)} parts{' and a system prompt' if request.system_prompt else ''}: the ASR takes"
            " one audio part and no text, which could lead it to the answer",
        )
    check_clip(request.carrier.samples)
    return request.carrier.samples


def _refused_decoding(decoding: DecodingOptions) -> list[str]:
    """`name=value` of each setting that a deterministic beam search has no use for; a seed does no harm."""
    asked = {
        "temperature": decoding.temperature or None,
        "top_p": decoding.top_p,
        "top_k": decoding.top_k,
        "repetition_penalty": decoding.repetition_penalty,
        "max_new_tokens": decoding.max_new_tokens,
        **decoding.extra,
    }
    return [f"{name}={value}" for name, value in asked.items() if value is not None]


def completion_of(heard: Heard) -> Completion:
    """How a transcript ended, with its statistics."""
    return Completion(
        finish_reason=FinishReason.STOP,
        output_tokens=heard.tokens,
        diagnostics={
            "avg_logprob": heard.avg_logprob,
            "no_speech_prob": heard.no_speech_prob,
            "compression_ratio": heard.compression_ratio,
            "duration_s": heard.duration_s,
        },
        detected_language=heard.language,
    )
