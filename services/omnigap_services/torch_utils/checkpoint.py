"""Which weights these are: a hub name at one commit, or a folder by the hash of its content."""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from omnigap.digest import file_sha256
from omnigap_services.options import OptionsError
from omnigap_services.torch_utils.device import DeviceOptions

_COMMIT = re.compile(r"[0-9a-f]{40}")

# Beside the weights in hub folders, and read by nobody who answers: hashing them would tell equal weights apart.
_UNREAD_NAMES = ("readme.md", "license", "license.txt", "license.md", "notice", ".gitattributes", ".gitignore")
_UNREAD_SUFFIXES = (".md", ".png", ".jpg", ".jpeg", ".gif", ".pdf")

# Other frameworks' copies of the same weights, which only cost disk.
_FOREIGN = ("*.onnx", "*.onnx_data", "onnx/*", "*.msgpack", "*.h5", "*.tflite", "*.gguf", "*.ot", "coreml/*", "*.nemo")


@dataclass(frozen=True, slots=True)
class Weights:
    """A checkpoint on this machine.

    Attributes:
        folder: what `from_pretrained` is given.
        name: hub name, or the folder's last part: for people.
        revision: `NAME@COMMIT`, or `sha256:` and a hash of the folder's content: what a digest holds.
    """

    folder: Path
    name: str
    revision: str


def find_weights(service: str, option: str, name: str, revision: str = "") -> Weights:
    """The checkpoint of a folder or, downloaded where the cache lacks it, of a hub name at a commit.

    Args:
        option: the option that holds `name`, for messages.
        revision: for a hub name the commit, in full; a folder takes none, it is hashed.

    Raises:
        OptionsError: a folder that is not there or has no config.json, a hub name without a commit, and one that
            neither the cache nor the hub has.
    """
    folder = Path(name).expanduser()
    if not name:
        raise _wrong(service, option, "is not set: name a folder, or a hub name with its revision")
    if folder.is_dir() or name.startswith((".", "/", "~")) or name.count("/") > 1:
        return _local(service, option, folder, revision)
    if not _COMMIT.fullmatch(revision):
        cached = _cached_commit(name)
        found = f'; the cache of this machine holds "{cached}"' if cached else ""
        raise _wrong(
            service,
            option,
            f"is the hub name {name!r}: its revision must be a commit of 40 hex digits, as the"
            f" model's page lists them under Files, not {revision!r}, which may move{found}",
        )
    return Weights(_download(service, option, name, revision), name, f"{name}@{revision}")


def _local(service: str, option: str, folder: Path, revision: str) -> Weights:
    if not (folder / "config.json").is_file():
        raise _wrong(service, option, f"is {str(folder)!r}, but there is no config.json: name a checkpoint's folder")
    if folder.parent.name == "snapshots" and _COMMIT.fullmatch(folder.name):
        # The hub's cache: the folder is named after its commit.
        hub_name = folder.parent.parent.name.removeprefix("models--").replace("--", "/")
        return Weights(folder, hub_name, f"{hub_name}@{folder.name}")
    if revision:
        raise _wrong(
            service, option, f"is a folder, which is known by its content: leave out the revision {revision!r}"
        )
    return Weights(folder, folder.resolve().name, f"sha256:{content_hash(folder)}")


def content_hash(folder: Path) -> str:
    """SHA-256 (hex) over the names and bytes of a checkpoint's files, subfolders included.

    Reads everything: about a minute for 60 GB from a fast disk. Files that no loader reads (README, licence, pictures,
    hidden ones) are left out.
    """
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and _is_read(path.relative_to(folder))]
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        hashes = pool.map(file_sha256, files)
    digest = hashlib.sha256()
    for path, found in zip(files, hashes, strict=True):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{found}\0".encode())
    return digest.hexdigest()


def file_revision(path: Path) -> str:
    """`sha256:` and the hash of one file, such as a speaker embedding."""
    return f"sha256:{file_sha256(path)}"


def _is_read(path: Path) -> bool:
    if any(part.startswith(".") or part == "__pycache__" for part in path.parts):
        return False
    name = path.name.lower()
    return name not in _UNREAD_NAMES and not name.endswith(_UNREAD_SUFFIXES)


def _download(service: str, option: str, name: str, revision: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=revision, ignore_patterns=list(_FOREIGN)))
    except Exception as error:
        said = " ".join(str(error).split())[:300]
        raise _wrong(
            service,
            option,
            f"is {name!r} at {revision}, which neither the cache nor the hub gives"
            f" ({type(error).__name__}: {said}): fetch it first with hf download {name} --revision {revision}",
        ) from error


def _cached_commit(name: str) -> str:
    """The commit that `main` of a hub name is in this machine's cache; empty where it is not there."""
    from huggingface_hub.constants import HF_HUB_CACHE

    path = Path(HF_HUB_CACHE) / f"models--{name.replace('/', '--')}" / "refs" / "main"
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""


def _wrong(service: str, option: str, text: str) -> OptionsError:
    return OptionsError(f"service {service}: option {option!r} {text}")


# Loads a checkpoint whole: what it lacks the library would make up, other weights at every start, without a word.

_log = logging.getLogger(__name__)

# Read in training alone: the stand-in for masked sound, which facebook/wav2vec2-base-960h and its kin lack, and the
# step counters of batch norms.
_NEVER_READ = ("*masked_spec_embed", "*num_batches_tracked")

_SHOWN = 3


class CheckpointOptions(DeviceOptions):
    """Base of the options of services that load a checkpoint with transformers, beside those of `DeviceOptions`.

    Attributes:
        allow_missing_weights: names, with * and ?, of weights that the checkpoint may lack since no answer depends on
            them, as "posterior_encoder.*" of a VITS. They are random, and others that it lacks are still refused.
    """

    allow_missing_weights: tuple[str, ...] = ()


def load_whole(
    load: Callable[..., Any],
    weights: Weights,
    service: str,
    option: str,
    allowed: Collection[str],
    advice: str = "",
    **arguments: Any,
) -> Any:
    """The model that transformers makes of a checkpoint, with every weight out of that.

    Tied weights, and what the class itself ignores on loading, are not missed; keys that older versions of torch and
    transformers wrote otherwise are renamed by the library.

    Args:
        load: the `from_pretrained` of a transformers class, which is given `arguments`.
        option: the option that names the checkpoint, for messages.
        allowed: `allow_missing_weights`.
        advice: what else may mend it, for the message.

    Raises:
        OptionsError: for weights that the checkpoint lacks, or has in another shape.
    """
    model, found = load(
        str(weights.folder),
        output_loading_info=True,
        # Not ignored but told below: the library's own error names no key.
        ignore_mismatched_sizes=True,
        **arguments,
    )
    check_complete(found, f"service {service}: option {option!r}: the checkpoint {weights.name}", allowed, advice)
    return model


def check_complete(found: Mapping[str, Any], who: str, allowed: Collection[str] = (), advice: str = "") -> None:
    """Looks through what the library says about a load.

    Args:
        found: `missing_keys`, and `mismatched_keys` with the shapes in the checkpoint and in the model.
        who: the beginning of messages.

    Raises:
        OptionsError: see `load_whole`.
    """
    if others := sorted(found["mismatched_keys"]):
        shown = _some([f"{name} {_shape(here)} for {_shape(wanted)}" for name, here, wanted in others])
        raise OptionsError(
            f"{who} has {_weights(len(others))} in another shape than its config says ({shown}): fetch it anew"
        )
    missing = sorted(name for name in found["missing_keys"] if not _fits(name, _NEVER_READ))
    if refused := [name for name in missing if not _fits(name, allowed)]:
        raise OptionsError(
            f"{who} lacks {_weights(len(refused))} of this kind of model ({_some(refused)}), which would be random:"
            f" fetch the whole of it{advice}; where no answer depends on them, name them in allow_missing_weights"
        )
    if missing:
        _log.warning(
            "%s lacks %s (%s), which allow_missing_weights lets pass", who, _weights(len(missing)), _some(missing)
        )


def _fits(name: str, patterns: Collection[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _weights(count: int) -> str:
    return f"{count} weight{'' if count == 1 else 's'}"


def _shape(shape: Collection[int]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def _some(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
