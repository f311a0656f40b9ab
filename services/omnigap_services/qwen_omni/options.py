"""What a user may set about the `qwen-omni` service."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from omnigap_services.torch_utils.checkpoint import CheckpointOptions

SERVICE = "qwen-omni"

Profile = Literal["greedy", "upstream"]


class QwenOmniOptions(CheckpointOptions):
    """Options of the `qwen-omni` service, beside those of `CheckpointOptions`.

    Attributes:
        checkpoint: a folder, or a hub name such as `Qwen/Qwen2.5-Omni-7B`.
        revision: the commit of a hub name, 40 hex digits; a folder takes none, it is known by its content.
        name: in reports; empty: the checkpoint's last part.
        profile: `greedy` decodes text and speech without sampling; `upstream` samples the speech as the authors do,
            seeded by the request, one request at a time.
        speech: false loads neither talker nor wave decoder, and leaves the three conditions with written answers.
        speaker: the voice where a request names none; empty: the family's default.
        system_prompt: of every prompt; unset: the one that the family was trained with; empty: none.
        max_new_tokens: of an answer's text, where a request sets none.
        talker_max_new_tokens: codec frames of an answer's speech; unset: a minute. A greedy talker may loop up to it.
        seed: of sampling and of the wave decoder's noise, where a request brings none.
        max_batch_size: requests that go through the model at once.
        max_batch_tokens: prompt tokens, padding included, that go through it at once; more are cut into batches of
            prompts of similar length.
        wave_chunk_frames: Qwen3-Omni's speech goes out in pieces of so many frames of 80 ms, while later ones are
            still being generated. 300 is the library's own; less is heard earlier, and each seam costs 23 ms of sound.
        max_queue: requests that may wait.
    """

    checkpoint: str = Field(min_length=1)
    revision: str = ""
    name: str = ""
    profile: Profile = "greedy"
    speech: bool = True
    speaker: str = ""
    system_prompt: str | None = None
    max_new_tokens: int = Field(default=512, ge=1, le=32_768)
    talker_max_new_tokens: int | None = Field(default=None, ge=1, le=16_384)
    seed: int = Field(default=0, ge=0)
    max_batch_size: int = Field(default=8, ge=1, le=256)
    max_batch_tokens: int = Field(default=16_384, ge=1)
    wave_chunk_frames: int = Field(default=300, ge=26, le=4_096)
    max_queue: int = Field(default=64, ge=0)
