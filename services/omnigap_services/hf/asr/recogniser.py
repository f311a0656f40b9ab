"""Options of the `hf-asr` service, and the interface that every family of ASR models implements."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from omnigap.media.audio import Samples
from omnigap_services.torch_utils.checkpoint import CheckpointOptions, Weights, load_whole
from omnigap_services.torch_utils.device import Placement

SERVICE = "hf-asr"

SAMPLE_RATE = 16_000
"""Hz; all ASR models of transformers take audio at this rate."""


class HfAsrOptions(CheckpointOptions):
    """Options of the `hf-asr` service; extends `CheckpointOptions`.

    Attributes:
        model: a checkpoint's folder, or its hub name.
        revision: the full commit of a hub name.
        name: in reports; empty: the model's.
        language: used if the request names none.
        languages: languages of a checkpoint that does not list them (CTC, Parakeet, Moonshine); empty: `language`.
        beam_size: used if the request sets none; 1 is greedy. Models without a decoder are always greedy.
        max_new_tokens: tokens of one segment's transcript.
        window_s: longer clips are cut into segments of at most this many seconds, at their quietest points.
        max_batch_size: segments in one pass of the model.
        max_queue: requests that may wait.
    """

    model: str = Field(min_length=1)
    revision: str = ""
    name: str = ""
    language: str = Field(default="en", min_length=2)
    languages: tuple[str, ...] = ()
    beam_size: int = Field(default=1, ge=1, le=20)
    max_new_tokens: int = Field(default=224, ge=1, le=4_096)
    window_s: float = Field(default=30.0, ge=1.0, le=600.0)
    max_batch_size: int = Field(default=8, ge=1, le=256)
    max_queue: int = Field(default=64, ge=0)


@dataclass(frozen=True, slots=True)
class Segment:
    """The transcript of one segment of a clip.

    Attributes:
        logprob: log probability, summed over `scored_tokens`; None if the family does not compute it.
        tokens: number of tokens of the text.
        scored_tokens: number of tokens in `logprob`; one more than `tokens` if the end mark is scored.
        no_speech_prob: Whisper's probability of no speech; None for other families.
        truncated: the transcript reached its maximum length.
    """

    text: str
    logprob: float | None
    tokens: int
    scored_tokens: int
    no_speech_prob: float | None = None
    truncated: bool = False


class Recogniser(ABC):
    """A loaded ASR model.

    Attributes:
        model: the torch module.
        languages: two-letter codes; empty: the checkpoint does not list them.
        forces_language: the model is given the language; otherwise it transcribes what it was trained on.
        has_beam_search: the model has a decoder that supports it.
        max_seconds: longest clip of one pass.
        one_at_a_time: clips are not batched, because padding would change the transcript.
        settings: further settings that change transcripts, for the digest.
    """

    model: Any
    languages: tuple[str, ...] = ()
    forces_language: bool = False
    has_beam_search: bool = False
    max_seconds: float = float("inf")
    one_at_a_time: bool = False
    settings: dict[str, str]

    def __init__(self, options: HfAsrOptions, placement: Placement) -> None:
        self.options = options
        self.placement = placement
        self.settings = {}

    def load_model(self, model_class: Any, weights: Weights) -> Any:
        """A model of a transformers class in evaluation mode.

        Raises:
            OptionsError: the checkpoint lacks weights.
        """
        allowed = self.options.allow_missing_weights
        return load_whole(
            model_class.from_pretrained, weights, SERVICE, "model", allowed, **self.placement.load_arguments()
        ).eval()

    @abstractmethod
    def transcribe(self, clips: Sequence[Samples], language: str, beam_size: int, seconds: float) -> list[Segment]:
        """The transcript of each clip, in order.

        Args:
            clips: mono samples at `SAMPLE_RATE`, shape (n,) each; between 0.1 s and `max_seconds` long.
            language: a two-letter code; ignored unless `forces_language`.
            seconds: upper bound of the clips' lengths.
        """

    def to_device(self, inputs: Any) -> dict[str, Any]:
        """Tensors on the model's device; floating-point features in the model's dtype, ids and masks unchanged."""
        import torch

        found = {}
        for name, value in dict(inputs).items():
            if isinstance(value, torch.Tensor):
                dtype = self.placement.torch_dtype if value.is_floating_point() else None
                value = value.to(device=self.model.device, dtype=dtype)
            found[name] = value
        return found
