"""Options of an ASR engine; `checkpoint_files` finds the checkpoint that they name."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from omnigap_services.options import Options

SHIPPED_CHECKPOINT = Path(__file__).parent / "checkpoint"
"""The micro Whisper of this project: English, CTranslate2 format."""

SHIPPED_NAME = "omnigap-micro-whisper"
"""Its name in reports."""


class AsrOptions(Options):
    """Options of the `asr` service, and of every in-process ASR engine.

    Attributes:
        checkpoint: folder of a CTranslate2 Whisper, or a name of faster-whisper or of the hub; empty: the
            shipped one.
        revision: hub revision (branch, tag or commit) of a named checkpoint; for a folder it is refused.
        name: of this scorer in reports; empty: that of the checkpoint, from the hub or its folder.
        device: `auto` is CUDA if there is a GPU, else the CPU unless OMNIGAP_REQUIRE_GPU is 1.
        compute_type: CTranslate2's name of a number format; `auto` is float16 on CUDA and int8 on CPU.
        beam_size: used if the request sets none.
        cpu_threads: 0: as many as the process has cores, at most four.
        max_batch_size: clips that go through the model at once.
        padding_s: clips are padded to multiples of this many seconds; 0: to the checkpoint's whole window; unset: the
            `padding_seconds` of the checkpoint's preprocessor_config.json, else the whole window. Refused if the
            checkpoint declares no `padding_seconds`: it was trained with the whole window.
        force_padding: use a `padding_s` that the checkpoint does not declare: docs/models/asr-scorers.md.
        language: used if the request names none.
        detect_language: report the spoken language too (multilingual checkpoints; costs a second encoder pass).
    """

    checkpoint: str = ""
    revision: str | None = None
    name: str = Field(default="", max_length=100)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    compute_type: Literal["auto", "int8", "int8_float32", "int8_float16", "float16", "bfloat16", "float32"] = "auto"
    beam_size: int = Field(default=5, ge=1, le=20)
    cpu_threads: int = Field(default=0, ge=0, le=256)
    max_batch_size: int = Field(default=8, ge=1, le=256)
    padding_s: float | None = Field(default=None, ge=0, le=60)
    force_padding: bool = False
    language: str = Field(default="en", min_length=2)
    detect_language: bool = False
