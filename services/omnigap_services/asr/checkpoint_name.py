"""The true name of a checkpoint's folder: many are called `model` or by a commit, which says nothing in a report."""

from __future__ import annotations

import os
import re
from pathlib import Path

_COMMIT = re.compile(r"[0-9a-f]{40}")
_HUB_PREFIX = "models--"

# Names of folders that say what kind of thing is in them, not which: the parent's name is used instead.
_WORDS = (
    *("models?", "checkpoints?", "ckpts?", "snapshots?", "weights?", "whisper", "asr", "stt", "speech", "ctranslate2"),
    *("ct2", "faster[-_ ]?whisper", "converted", "conversion", "output", "outputs", "out", "export", "exported"),
    *("final", "best", "last", "latest", "current", "main", "master", "default", "release", "data", "files", "assets"),
    *("hub", "cache", "tmp", "temp", "downloads?", "home", "root", "mnt", "opt", "srv", "var", "usr", "share", "lib"),
    *("u?int8", "u?int16", "float16", "float32", "bfloat16", "fp16", "fp32", "bf16", "en", "english", "volume", "app"),
)
_GENERIC = re.compile(
    rf"(?:(?:{'|'.join(_WORDS)})(?:[-_. ]?(?:{'|'.join(_WORDS)}|\d+))*|v?\d+(?:[._-]\d+)*|[0-9a-f]{{7,64}})",
    re.IGNORECASE,
)


def true_name(folder: Path, otherwise: str) -> tuple[str, str]:
    """Name and commit of the checkpoint in a folder; the commit is empty outside of the hub's cache.

    A folder of the hub's cache has the hub's name. Any other one has its own, or that of the nearest folder above it
    that says more than "model" or "checkpoint".

    Args:
        otherwise: the name if no folder says anything.
    """
    # As it was given first: a link has been named by someone, and what it points to may be a commit.
    places = [Path(os.path.abspath(folder)), folder.resolve()]  # noqa: PTH100 - Path.absolute keeps `..`
    for place in places:
        if found := _in_hub_cache(place):
            return found
    home = Path("~").expanduser()
    for place in places:
        for part in (place, *place.parents):
            if part in (home, *home.parents):
                # A user's name is not that of a model.
                break
            if not _GENERIC.fullmatch(part.name):
                return part.name, ""
    return otherwise, ""


def _in_hub_cache(folder: Path) -> tuple[str, str] | None:
    """Of models--OWNER--NAME/snapshots/COMMIT and the folders in it."""
    parts = folder.parts
    for repository, kind, commit in zip(parts, parts[1:], parts[2:], strict=False):
        if repository.startswith(_HUB_PREFIX) and kind == "snapshots" and _COMMIT.fullmatch(commit):
            return repository.removeprefix(_HUB_PREFIX).replace("--", "/"), commit
    return None
