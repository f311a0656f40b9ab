"""Finding a Whisper checkpoint, and telling which one it is."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from omnigap.digest import file_sha256
from omnigap_services.asr.options import SHIPPED_CHECKPOINT, SHIPPED_NAME
from omnigap_services.options import OptionsError

# What CTranslate2 and faster-whisper read from a checkpoint; other files beside them change no answer.
_READ = ("model.bin", "config.json", "tokenizer.json", "preprocessor_config.json", "vocabulary.json", "vocabulary.txt")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint on this machine.

    Attributes:
        revision: the hub's commit, or the hash of the files' content.
        padding_s: seconds to whose multiples clips may be padded; 0: the whole window, as OpenAI's checkpoints need.
    """

    folder: Path
    name: str
    revision: str
    padding_s: float = 0.0


def find_checkpoint(name: str, revision: str | None = None) -> Checkpoint:
    """The checkpoint of a folder or, downloaded where needed, of a hub name; an empty name is the shipped one.

    Raises:
        OptionsError: where there is no such folder, or it lacks the model, or the hub does not have the name.
    """
    folder = Path(name).expanduser() if name else SHIPPED_CHECKPOINT
    looks_like_path = not name or folder.is_dir() or name.startswith((".", "/", "~"))
    if not looks_like_path:
        return _from_hub(name, revision)
    if not (folder / "model.bin").is_file():
        raise OptionsError(f"no Whisper checkpoint in {folder} (model.bin is missing): set the option checkpoint")
    return Checkpoint(folder, folder.name if name else SHIPPED_NAME, content_hash(folder), _padding_seconds(folder))


def _from_hub(name: str, revision: str | None) -> Checkpoint:
    from faster_whisper.utils import download_model

    try:
        folder = Path(download_model(name, revision=revision))
    except Exception as error:
        raise OptionsError(
            f"the checkpoint {name!r} is no folder, and the hub does not give it ({error}): set the option checkpoint"
        ) from error
    # The hub's cache keeps each commit in snapshots/COMMIT.
    commit = folder.name if folder.parent.name == "snapshots" else content_hash(folder)
    return Checkpoint(folder, name, f"{name}@{commit}", _padding_seconds(folder))


def _padding_seconds(folder: Path) -> float:
    """`padding_seconds` of the checkpoint's preprocessor_config.json, a key of this project's own checkpoints."""
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        return 0.0
    return float(json.loads(path.read_text(encoding="utf-8")).get("padding_seconds", 0.0))


def content_hash(folder: Path) -> str:
    """SHA-256 (hex) over names and bytes of the files that the engine reads."""
    digest = hashlib.sha256()
    for name in _READ:
        path = folder / name
        if not path.is_file():
            continue
        digest.update(f"{name}\0{file_sha256(path)}\0".encode())
    return digest.hexdigest()
