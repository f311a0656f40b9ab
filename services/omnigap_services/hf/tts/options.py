"""What a user may set about the `hf-tts` service."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from omnigap_services.torch_utils.checkpoint import CheckpointOptions
from omnigap_services.torch_utils.device import Dtype

SERVICE = "hf-tts"


class TtsOptions(CheckpointOptions):
    """Options of the `hf-tts` service, beside those of `CheckpointOptions`.

    Attributes:
        model: a checkpoint's folder, or its hub name.
        revision: for a hub name, the commit in full.
        vocoder, vocoder_revision: likewise, of the model that turns spectrograms into sound (SpeechT5).
        name: in reports; empty: the model's.
        languages: it speaks, as BCP-47 tags; the first is the default. Items in another one are refused.
        voices: by name, what each is to the model: a speaker's number (VITS, CSM, SeamlessM4T), an embedding's file
            (SpeechT5: .npy, .pt, .bin), a preset (Bark), a speaker's mark (Dia: S1).
        voice: the one that speaks where a request names none; empty: the first.
        seed: of the noise, where a request brings none.
        speed: of speaking, 1 is the voice's own (VITS).
        words_per_minute: what the voice speaks at speed 1; 0: not known, and requests for a rate are refused.
        spell_out: digits and signs are written as words; `auto`: for voices that read letters alone.
        max_new_tokens: of the voices that write sound token by token; 0: the checkpoint's own limit.
        generate: further arguments of such a model's generate, as { guidance_scale = 3.0 }; in the digest.
        dtype: as in DeviceOptions; speech is made in float32 where it is not said otherwise.
        max_text_chars: of one question.
    """

    model: str = Field(min_length=1)
    revision: str = ""
    vocoder: str = ""
    vocoder_revision: str = ""
    name: str = ""
    languages: tuple[str, ...] = Field(default=("en",), min_length=1)
    voices: dict[str, str] = Field(default_factory=dict)
    voice: str = ""
    seed: int = Field(default=0, ge=0)
    speed: float = Field(default=1.0, ge=0.2, le=5.0)
    words_per_minute: float = Field(default=0.0, ge=0, le=1_000)
    spell_out: Literal["auto", "yes", "no"] = "auto"
    max_new_tokens: int = Field(default=0, ge=0, le=131_072)
    generate: dict[str, Any] = Field(default_factory=dict)
    dtype: Dtype = "float32"
    max_queue: int = Field(default=64, ge=0)
    max_text_chars: int = Field(default=2_000, ge=1, le=100_000)
