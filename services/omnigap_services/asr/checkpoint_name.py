"""The true name of a checkpoint's folder: many are called `model` or by a commit, which says nothing in a report."""

from __future__ import annotations

import os
import re
from pathlib import Path

from omnigap_services.weights import hub_origin

# Names of folders that say what kind of thing is in them, not which.
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
_WHISPER = re.compile(
    r"whisper|(?<![a-z])(?:tiny|base|small|medium|large|turbo|distil(?:led)?)(?![a-z])", re.IGNORECASE
)


def true_name(folder: Path, otherwise: str) -> tuple[str, str]:
    """Name and commit of the checkpoint in a folder; the commit is empty outside of the hub's cache.

    A folder of the hub's cache has the hub's name. Any other one has its own; if that says no more than "model" or
    "checkpoint", the name of the folder that it is in, provided that it is one of a Whisper.

    Args:
        otherwise: the name if the folders say nothing.
    """
    name, commit, _ = hub_origin(folder)
    if name:
        return name, commit
    home = Path("~").expanduser()
    # As it was given first: a link has been named by someone, and what it points to may be a commit.
    for place in (Path(os.path.abspath(folder)), folder.resolve()):  # noqa: PTH100 - Path.absolute keeps `..`
        for part in (place, place.parent):
            if part in (home, *home.parents):
                # A user's name is not that of a model.
                break
            # Folders above are often named after users and projects, and reports are public.
            if not _GENERIC.fullmatch(part.name) and (part == place or _WHISPER.search(part.name)):
                return part.name, ""
    return otherwise, ""
