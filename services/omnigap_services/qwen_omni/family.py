"""What differs between Qwen2.5-Omni and Qwen3-Omni, as far as it can be told in a table; chosen by `model_type`."""

from __future__ import annotations

from dataclasses import dataclass

from omnigap.vocabulary import Architecture

_QWEN25_SYSTEM = (
    "You are Qwen, a virtual human developed by the Qwen Team, Alibaba Group, capable of perceiving auditory and visual"
    " inputs, as well as generating text and speech."
)


@dataclass(frozen=True, slots=True)
class Family:
    """One generation of the model.

    Attributes:
        model_type: as the checkpoint's config.json names it.
        model_class: in transformers.
        system_prompt: that the checkpoint was trained with; empty: none.
        own_system_turn: the system prompt above has to stand alone in the system's turn, or speech suffers; one that
            a request brings opens the user's turn instead.
        default_speaker: the authors' choice.
        frames_per_second: of the codec.
    """

    model_type: str
    model_class: str
    architecture: Architecture
    system_prompt: str
    own_system_turn: bool
    default_speaker: str
    frames_per_second: float


QWEN25 = Family(
    model_type="qwen2_5_omni",
    model_class="Qwen2_5OmniForConditionalGeneration",
    architecture=Architecture.NATIVE_OMNI,
    system_prompt=_QWEN25_SYSTEM,
    own_system_turn=True,
    default_speaker="Chelsie",
    frames_per_second=50.0,
)
QWEN3 = Family(
    model_type="qwen3_omni_moe",
    model_class="Qwen3OmniMoeForConditionalGeneration",
    architecture=Architecture.MOE,
    system_prompt="",
    own_system_turn=False,
    default_speaker="Ethan",
    frames_per_second=12.5,
)
FAMILIES = (QWEN25, QWEN3)

SAMPLE_RATE = 24_000
"""Of both wave decoders; neither configuration says it."""


def family_of(model_type: str) -> Family:
    """The family of a checkpoint.

    Raises:
        ValueError: for any other model.
    """
    for family in FAMILIES:
        if family.model_type == model_type:
            return family
    known = " or ".join(family.model_type for family in FAMILIES)
    raise ValueError(
        f"the checkpoint's model_type is {model_type!r}, but qwen-omni serves {known}: set the option checkpoint"
    )
