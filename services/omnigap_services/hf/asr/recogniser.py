"""What a user may set about the `hf-asr` service."""

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


class HfAsrOptions(CheckpointOptions):
    """Options of the `hf-asr` service, beside those of `CheckpointOptions`.

    Attributes:
        model: a checkpoint's folder, or its hub name.
        revision: for a hub name, the commit in full.
        name: in reports; empty: the model's.
        language: where the request names none.
        languages: that it hears, where the checkpoint does not tell (CTC, Parakeet, Moonshine); empty: `language`.
        beam_size: where the request sets none; 1 is greedy. Models without a decoder are always greedy.
        max_new_tokens: of one piece's transcript.
        window_s: longer clips are cut into pieces of at most so many seconds, where it is quietest.
        max_batch_size: clips that go through the model at once.
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


# What a family of ears offers to the service: its languages, and what it heard in a few clips.

SAMPLE_RATE = 16_000
"""All ears of transformers hear at this rate."""


@dataclass(frozen=True, slots=True)
class Segment:
    """What was heard in one piece of a clip.

    Attributes:
        logprob: summed over the tokens and, where there is one, the end mark; None where the family does not tell.
        tokens: those of the text; `counted` are those in `logprob`.
        no_speech_prob: as Whisper tells it; None elsewhere.
        cut: the transcript had not ended at its longest length.
    """

    text: str
    logprob: float | None
    tokens: int
    counted: int
    no_speech_prob: float | None = None
    cut: bool = False


class Recogniser(ABC):
    """A loaded model that hears.

    Attributes:
        model: the torch module.
        languages: two-letter codes; empty: the checkpoint does not tell.
        forces_language: the model is told the language; else it hears what it was trained on.
        searches_beams: it has a decoder that can.
        longest_s: seconds that the model can take at once.
        alone: clips do not go together, since padding would change what is heard.
        facts: what else changes transcripts, for the digest.
    """

    model: Any
    languages: tuple[str, ...] = ()
    forces_language: bool = False
    searches_beams: bool = False
    longest_s: float = float("inf")
    alone: bool = False
    facts: dict[str, str]

    def __init__(self, options: HfAsrOptions, placement: Placement) -> None:
        self.options = options
        self.placement = placement
        self.facts = {}

    def loaded(self, kind: Any, weights: Weights) -> Any:
        """The model of a transformers class, ready to hear; raises OptionsError where the checkpoint lacks weights."""
        allowed = self.options.allow_missing_weights
        return load_whole(
            kind.from_pretrained, weights, SERVICE, "model", allowed, **self.placement.load_arguments()
        ).eval()

    @abstractmethod
    def hear(self, clips: Sequence[Samples], language: str, beam_size: int, seconds: float) -> list[Segment]:
        """What is said in each clip, in order.

        Args:
            clips: none longer than `longest_s`, none shorter than a tenth of a second.
            seconds: an upper bound of the clips' lengths.
        """

    def moved(self, inputs: Any) -> dict[str, Any]:
        """Tensors on the model's device; floating-point features in the model's type."""
        import torch

        found = {}
        for name, value in dict(inputs).items():
            if isinstance(value, torch.Tensor):
                dtype = self.placement.torch_dtype if value.is_floating_point() else None
                value = value.to(device=self.model.device, dtype=dtype)
            found[name] = value
        return found
