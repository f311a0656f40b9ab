"""Constants of the two model families, Qwen2.5-Omni and Qwen3-Omni, chosen by `model_type`."""

from __future__ import annotations

from dataclasses import dataclass

from omnigap.vocabulary import Architecture

# Speech comes out right only with exactly this system prompt.
_QWEN25_SYSTEM = (
    "You are Qwen, a virtual human developed by the Qwen Team, Alibaba Group, capable of perceiving auditory and visual"
    " inputs, as well as generating text and speech."
)


@dataclass(frozen=True, slots=True)
class Family:
    """One generation of the model.

    Attributes:
        model_type: in the checkpoint's config.json.
        model_class: in transformers.
        system_prompt: the one that the checkpoint was trained with; empty: none.
        fixed_system_turn: the system turn may hold nothing but that prompt, or speech suffers; a request's own system
            prompt then opens the user's turn.
        default_speaker: the authors' default.
        frames_per_second: of the codec.
    """

    model_type: str
    model_class: str
    architecture: Architecture
    system_prompt: str
    fixed_system_turn: bool
    default_speaker: str
    frames_per_second: float


QWEN25 = Family(
    model_type="qwen2_5_omni",
    model_class="Qwen2_5OmniForConditionalGeneration",
    architecture=Architecture.NATIVE_OMNI,
    system_prompt=_QWEN25_SYSTEM,
    fixed_system_turn=True,
    default_speaker="Chelsie",
    frames_per_second=50.0,
)
QWEN3 = Family(
    model_type="qwen3_omni_moe",
    model_class="Qwen3OmniMoeForConditionalGeneration",
    architecture=Architecture.MOE,
    system_prompt="",
    fixed_system_turn=False,
    default_speaker="Ethan",
    frames_per_second=12.5,
)
FAMILIES = (QWEN25, QWEN3)

SAMPLE_RATE = 24_000
"""Hz of both wave decoders; neither configuration has it."""


def family_of(model_type: str) -> Family:
    """The family of a checkpoint.

    Raises:
        ValueError: any other model type.
    """
    for family in FAMILIES:
        if family.model_type == model_type:
            return family
    known = " or ".join(family.model_type for family in FAMILIES)
    raise ValueError(
        f"the checkpoint's model_type is {model_type!r}, but qwen-omni serves {known}: set the option checkpoint to one"
    )
