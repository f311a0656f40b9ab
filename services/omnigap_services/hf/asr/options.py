"""What a user may set about the `hf-asr` service."""

from __future__ import annotations

from pydantic import Field

from omnigap_services.torch_utils.checkpoint import CheckpointOptions

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
