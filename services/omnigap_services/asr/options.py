"""Options of an ASR engine, and the Whisper checkpoint that they name."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from omnigap_services.options import Options, OptionsError
from omnigap_services.weights import content_revision

SHIPPED_CHECKPOINT = Path(__file__).parent / "checkpoint"
"""The micro Whisper of this project: English, CTranslate2 format."""

SHIPPED_NAME = "omnigap-micro-whisper"
"""Its name in reports, which say that it is not suited to the voices of real models."""

# The files of a checkpoint that CTranslate2 and faster-whisper read. Others, such as a README, change no answer.
_READ = ("model.bin", "config.json", "tokenizer.json", "preprocessor_config.json", "vocabulary.json", "vocabulary.txt")


class AsrOptions(Options):
    """Options of the `asr` service, and of every in-process ASR engine.

    Attributes:
        checkpoint: folder of a CTranslate2 Whisper, or a name that faster-whisper knows or finds on the hub; empty: the
            shipped one.
        revision: hub revision (branch, tag or commit) of a named checkpoint.
        device: `auto` is CUDA if there is a GPU, else the CPU unless OMNIGAP_REQUIRE_GPU is 1.
        compute_type: CTranslate2's name of a number format; `auto` is float16 on CUDA and int8 on CPU.
        beam_size: used if the request sets none.
        cpu_threads: 0: as many as the process has cores, at most four.
        max_batch_size: clips that go through the model at once.
        padding_s: clips are padded to multiples of this many seconds; 0: to the checkpoint's whole window; unset: the
            `padding_seconds` of the checkpoint's preprocessor_config.json, else the whole window.
        language: used if the request names none.
        detect_language: report the spoken language too (multilingual checkpoints; costs a second encoder pass).
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


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint on this machine.

    Attributes:
        revision: `sha256:` and the hash of the files that the engine reads.
        source: `NAME@COMMIT`, or the folder's name; for reports.
        padding_s: seconds to whose multiples clips may be padded; 0: the whole window, as OpenAI's checkpoints need.
        trained_s: seconds that its training clips rarely exceed, if it says so: longer clips are cut in their pauses,
            and speech without a pause for longer is reported; 0: the whole window.
    """

    folder: Path
    name: str
    revision: str
    source: str
    padding_s: float = 0.0
    trained_s: float = 0.0

    @classmethod
    def of(cls, folder: Path, name: str, commit: str = "") -> Checkpoint:
        """The checkpoint in a folder, identified by its content."""
        source = f"{name}@{commit}" if commit else name
        read = [file for file in _READ if (folder / file).is_file()]
        return cls(folder, name, content_revision(folder, read), source, *_declared_seconds(folder))


def find_checkpoint(name: str, revision: str | None = None) -> Checkpoint:
    """The checkpoint in a folder, or with a hub name (downloaded if needed); an empty name is the shipped one.

    Raises:
        OptionsError: if there is no such folder, or it has no model, or the hub does not have the name.
    """
    folder = Path(name).expanduser() if name else SHIPPED_CHECKPOINT
    # A path that does not exist is a separate error; it must not be looked up on the hub.
    looks_like_path = not name or folder.is_dir() or name.startswith((".", "/", "~"))
    if not looks_like_path:
        return _from_hub(name, revision)
    if not (folder / "model.bin").is_file():
        raise OptionsError(f"no Whisper checkpoint in {folder} (model.bin is missing): set the option checkpoint")
    return Checkpoint.of(folder, folder.name if name else SHIPPED_NAME)


def _from_hub(name: str, revision: str | None) -> Checkpoint:
    from faster_whisper.utils import download_model

    try:
        folder = Path(download_model(name, revision=revision))
    except Exception as error:
        raise OptionsError(
            f"the checkpoint {name!r} is not a folder, and the hub download failed ({error}): set the option checkpoint"
        ) from error
    # The hub's cache keeps each commit in snapshots/COMMIT. The commit is recorded instead of the branch that was asked
    # for, because a branch moves.
    return Checkpoint.of(folder, name, folder.name if folder.parent.name == "snapshots" else "")


def _declared_seconds(folder: Path) -> tuple[float, float]:
    """`padding_seconds` and `trained_seconds` of a checkpoint's preprocessor_config.json; 0 for what it lacks.

    Both are keys of this project's own checkpoints.
    """
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        return 0.0, 0.0
    found = json.loads(path.read_text(encoding="utf-8"))
    return float(found.get("padding_seconds", 0.0)), float(found.get("trained_seconds", 0.0))
