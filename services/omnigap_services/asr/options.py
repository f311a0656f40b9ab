"""What a user may set about an ASR engine, and where the shipped checkpoint lies."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from omnigap_services.options import Options

SHIPPED_CHECKPOINT = Path(__file__).parent / "checkpoint"
"""The micro Whisper of this project: English, CTranslate2 format."""

SHIPPED_NAME = "omnigap-micro-whisper"
"""By which the reports know it: they say that it is not for real models' voices."""


class AsrOptions(Options):
    """Options of the `asr` service, and of every engine that hears.

    Attributes:
        checkpoint: folder of a CTranslate2 Whisper, or a name that faster-whisper knows or finds on the hub.
        revision: hub revision (branch, tag or commit) of a named checkpoint.
        device: `auto` takes CUDA where there is one.
        compute_type: CTranslate2's name of a number format; `auto` is float16 on CUDA and int8 on CPU.
        beam_size: width of the beam where the request sets none.
        cpu_threads: 0 takes the cores of this process, four at most.
        max_batch_size: clips that go through the model at once.
        padding_s: clips are padded to multiples of this many seconds; 0: to the checkpoint's whole window; unset: as
            the checkpoint's preprocessor_config.json says in `padding_seconds`, else the whole window.
        language: where the request names none.
        detect_language: also tell the language that is heard (multilingual checkpoints; costs a second encoder pass).
    """

    checkpoint: str = ""
    revision: str | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"
    compute_type: Literal["auto", "int8", "int8_float32", "int8_float16", "float16", "bfloat16", "float32"] = "auto"
    beam_size: int = Field(default=5, ge=1, le=20)
    cpu_threads: int = Field(default=0, ge=0, le=256)
    max_batch_size: int = Field(default=8, ge=1, le=256)
    padding_s: float | None = Field(default=None, ge=0, le=60)
    language: str = Field(default="en", min_length=2)
    detect_language: bool = False
