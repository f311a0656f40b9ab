"""Finds a checkpoint (a folder or a hub name at a commit), and loads it without missing weights."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from omnigap.digest import file_sha256
from omnigap_services.options import OptionsError
from omnigap_services.torch_utils.device import DeviceOptions
from omnigap_services.weights import (
    LFS_POINTER,
    content_revision,
    files_below,
    hub_failure,
    hub_origin,
    is_lfs_pointer,
)

_log = logging.getLogger(__name__)

_COMMIT = re.compile(r"[0-9a-f]{40}")

# Files next to the weights that no loader reads: hashing them would give equal weights different revisions.
_UNREAD = (
    *("license", "license.*", "notice", "*.md", "*.png", "*.jpg", "*.jpeg", "*.gif", "*.webp", "*.svg", "*.pdf"),
    *("*.mp4", "__pycache__/*", "*/__pycache__/*"),
    *("training_args.bin", "trainer_state.json", "optimizer.pt", "optimizer.bin", "scheduler.pt", "rng_state*.pth"),
)

# With one of the first files present, transformers reads none of the second ones.
_PREFERRED: Mapping[tuple[str, ...], tuple[str, ...]] = {
    ("model.safetensors", "model.safetensors.index.json"): (
        *("pytorch_model*.bin", "pytorch_model*.bin.index.json", "consolidated*.safetensors", "consolidated*.pth"),
    ),
    ("adapter_model.safetensors",): ("adapter_model.bin",),
}

# The same weights in formats of other frameworks: not downloaded, they only take disk space.
_OTHER = (
    "*.onnx",
    "*.onnx_data",
    "onnx/*",
    "*.msgpack",
    "*.h5",
    "*.tflite",
    "*.gguf",
    "*.ot",
    "coreml/*",
    "*.nemo",
    "original/*",
)

WEIGHT_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".ckpt")
"""Endings of the files of weights that transformers reads, other than GGUF."""

# Weights that only training reads: the embedding of masked audio, which facebook/wav2vec2-base-960h and similar
# checkpoints lack, and the step counters of batch norms.
_TRAINING_ONLY = ("*masked_spec_embed", "*num_batches_tracked")

# Names of weights in one message; a wrong class can miss hundreds.
_MAX_NAMES = 3


@dataclass(frozen=True, slots=True)
class Weights:
    """A checkpoint on this machine.

    Attributes:
        folder: the argument of `from_pretrained`.
        name: hub name, or the folder's last part; for reports.
        revision: `sha256:` and the hash of the files that transformers reads; part of the digest.
        source: `NAME@COMMIT`, for a subfolder of a repository with its path, or the folder's name; for reports.
        gguf: names of the GGUF file in the folder, or of its parts; empty: another format.
    """

    folder: Path
    name: str
    revision: str
    source: str = ""
    gguf: tuple[str, ...] = ()

    @classmethod
    def of(cls, folder: Path, name: str, commit: str = "") -> Weights:
        """The weights in a folder, identified by their content.

        Args:
            commit: of a hub name, with the path of a subfolder behind it.
        """
        source = f"{name}@{commit}" if commit else name
        return cls(folder, name, content_revision(folder, loader_files(folder)), source)


class CheckpointOptions(DeviceOptions):
    """Base of the options of services that load a checkpoint with transformers; extends `DeviceOptions`.

    Attributes:
        allow_missing_weights: patterns (with * and ?) of weights that the checkpoint may lack because no answer
            depends on them, such as "posterior_encoder.*" of a VITS. They stay randomly initialised; a checkpoint that
            lacks any other weight is refused.
    """

    allow_missing_weights: tuple[str, ...] = ()


def find_weights(service: str, option: str, name: str, revision: str = "") -> Weights:
    """The checkpoint in a folder, or of a hub name at a commit, downloaded if the cache does not have it.

    Args:
        option: the option that holds `name`, for messages.
        revision: the full commit of a hub name; empty for a folder, which is identified by its content.

    Raises:
        OptionsError: the folder does not exist or has no config.json, the hub name has no full commit, or neither the
            cache nor the hub has it.
    """
    if not name:
        raise _wrong(service, option, "is not set: name a folder, or a hub name with its revision")
    if is_folder_name(name):
        return _local(service, option, Path(name).expanduser(), revision)
    check_commit(service, option, name, revision)
    folder = _download(service, option, name, revision)
    if lacking := _lacking(folder):
        raise _wrong(
            service,
            option,
            f"is {name!r}, which has no {lacking} at {revision}: name a repository with a checkpoint of transformers;"
            " of one with GGUF files, hf-chat reads the file named in gguf_file",
        )
    return Weights.of(folder, name, revision)


def is_folder_name(name: str) -> bool:
    """Whether a name means a folder of this machine, also if it does not exist, and not a repository of the hub."""
    # A hub name is OWNER/NAME or NAME. Anything else is meant as a path, and so is a GGUF file's: better an error about
    # the folder than a download attempt.
    is_path = name.startswith((".", "/", "~")) or name.count("/") > 1 or name.lower().endswith(".gguf")
    return is_path or Path(name).expanduser().is_dir()


def check_commit(service: str, option: str, name: str, revision: str) -> None:
    """Checks that the revision of a hub name is a full commit.

    Raises:
        OptionsError: it is not; the message has the commit that the cache holds.
    """
    if _COMMIT.fullmatch(revision):
        return
    # Branches and tags can move, so the digest would not identify the weights.
    cached = _cached_commit(name)
    found = f'; the cache of this machine holds "{cached}"' if cached else ""
    raise _wrong(
        service,
        option,
        f"is the hub name {name!r}: its revision must be a full commit (40 hex digits, see Files on the model's"
        f" page), not {revision!r}{found}",
    )


def _local(service: str, option: str, folder: Path, revision: str) -> Weights:
    found = folder.is_dir() and any(name.lower().endswith(".gguf") for name in files_below(folder))
    lacking = _lacking(folder)
    # A config without weights may still be of a kind that the service refuses, which is the better message.
    if lacking and (found or lacking == "config.json"):
        gguf = ": it holds GGUF files, which only hf-chat reads" if found else ""
        raise _wrong(service, option, f"is {str(folder)!r}, which has no {lacking}{gguf}: name a checkpoint's folder")
    if pointer := next((name for name in loader_files(folder) if is_lfs_pointer(folder / name)), ""):
        raise _wrong(service, option, f"is {str(folder)!r}, whose {pointer} is {LFS_POINTER}: download it again")
    hub_name, commit, below = hub_origin(folder)
    if commit:
        return Weights.of(folder, hub_name, f"{commit}/{below}" if below else commit)
    if revision:
        raise _wrong(
            service, option, f"is a folder, which is identified by its content: remove the revision {revision!r}"
        )
    return Weights.of(folder, folder.resolve().name)


def _lacking(folder: Path) -> str:
    """What a folder lacks to be a checkpoint of transformers; empty if nothing."""
    if not (folder / "config.json").is_file():
        return "config.json"
    suffixes = (*WEIGHT_SUFFIXES, ".index.json")
    return "" if any(name.lower().endswith(suffixes) for name in loader_files(folder)) else "weights in a known format"


def loader_files(folder: Path) -> list[str]:
    """Relative paths of the files of a checkpoint that transformers may read, subfolders included.

    Documents, pictures, hidden files, weights for other frameworks and what training leaves behind are left out, and
    weights in PyTorch's older format beside the same ones as safetensors.
    """
    names = [name for name in files_below(folder) if not matches(name.lower(), (*_UNREAD, *_OTHER))]
    present = set(names)
    return [name for name in names if not _is_duplicate(PurePosixPath(name), present)]


def _is_duplicate(name: PurePosixPath, present: Collection[str]) -> bool:
    """Whether transformers reads the safetensors file next to it instead."""
    return any(
        matches(name.name, patterns) and any(str(name.with_name(preferred)) in present for preferred in preferreds)
        for preferreds, patterns in _PREFERRED.items()
    )


def file_revision(path: Path) -> str:
    """`sha256:` and the hash of one file, such as a speaker embedding."""
    return f"sha256:{file_sha256(path)}"


def _download(service: str, option: str, name: str, revision: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=revision, ignore_patterns=list(_OTHER)))
    except Exception as error:  # huggingface_hub and its HTTP client have no common base class
        raise not_on_hub(service, option, name, revision, error) from error


def not_on_hub(
    service: str, option: str, name: str, revision: str, error: Exception, file: str = "", hint: str = ""
) -> OptionsError:
    """The error for a hub name, or one file of it, that is neither in the cache nor on the hub.

    Args:
        hint: further words behind the library's message.
    """
    which = f"{file!r} of {name!r}" if file else repr(name)
    return _wrong(
        service, option, f"is {which} at {revision}, which is {hub_failure(name, revision, error, file, hint)}"
    )


def _cached_commit(name: str) -> str:
    """The commit of a hub name's `main` in this machine's cache; empty if it is not cached."""
    from huggingface_hub.constants import HF_HUB_CACHE

    path = Path(HF_HUB_CACHE) / f"models--{name.replace('/', '--')}" / "refs" / "main"
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""


def load_whole(
    load: Callable[..., Any],
    weights: Weights,
    service: str,
    option: str,
    allowed: Collection[str],
    advice: str = "",
    **arguments: Any,
) -> Any:
    """Loads a model with transformers and checks that every weight came from the checkpoint.

    transformers initialises a missing weight randomly, differently at every start, and only logs it. Not counted as
    missing: tied weights, weights that the class itself ignores, and keys under older names, which the library renames.

    Args:
        load: `from_pretrained` of a transformers class; called with `arguments`.
        option: the option that names the checkpoint, for messages.
        allowed: `allow_missing_weights`.
        advice: another way to fix it, for the message.

    Raises:
        OptionsError: the checkpoint lacks weights, or has some in another shape.
    """
    model, found = load(
        str(weights.folder),
        output_loading_info=True,
        # Mismatches come back in the loading info and are refused below: the library's own error names no option.
        ignore_mismatched_sizes=True,
        **arguments,
    )
    check_complete(found, f"service {service}: option {option!r}: the checkpoint {weights.name}", allowed, advice)
    return model


def check_not_offloaded(model: Any, weights: Weights, service: str, advice: str = "") -> None:
    """Checks that every weight is on a device.

    accelerate moves what does not fit to main memory without a message: a weight on the meta device has no data, and
    what is written into it is lost.

    Args:
        advice: another way to fix it, for the message.

    Raises:
        OptionsError: a weight is in main memory or on the disk.
    """
    if any(weight.is_meta for weight in model.parameters()):
        raise OptionsError(
            f"service {service}: the weights of {weights.name} do not fit on the visible GPUs, a part stays in main"
            f" memory: use more GPUs with the option device_map{advice}"
        )


def check_complete(found: Mapping[str, Any], who: str, allowed: Collection[str] | None = (), advice: str = "") -> None:
    """Checks the library's loading info.

    Args:
        found: `missing_keys`, and `mismatched_keys` with the shapes in the checkpoint and in the model.
        who: the beginning of messages.
        allowed: `allow_missing_weights`; None: the service has no such option for these weights.

    Raises:
        OptionsError: see `load_whole`.
    """
    if others := sorted(found["mismatched_keys"]):
        shown = shortened([f"{name} {_shape(here)} for {_shape(wanted)}" for name, here, wanted in others])
        raise OptionsError(
            f"{who} has {_count(len(others))} in another shape than its config says ({shown}): download it again"
        )
    missing = sorted(name for name in found["missing_keys"] if not matches(name, _TRAINING_ONLY))
    if refused := [name for name in missing if not matches(name, allowed or ())]:
        option = "" if allowed is None else "; if no answer depends on them, list them in allow_missing_weights"
        raise OptionsError(
            f"{who} lacks {_count(len(refused))} of this kind of model ({shortened(refused)}), which would be random:"
            f" download the whole checkpoint{advice}{option}"
        )
    if missing:
        _log.warning(
            "%s lacks %s (%s), which allow_missing_weights permits", who, _count(len(missing)), shortened(missing)
        )


def matches(name: str, patterns: Collection[str]) -> bool:
    """Whether a name fits one of the patterns, which may have * and ?."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _count(weights: int) -> str:
    return f"{weights} weight{'' if weights == 1 else 's'}"


def _shape(shape: Collection[int]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def shortened(names: list[str]) -> str:
    """The first names of a list, for a message."""
    return ", ".join(names[:_MAX_NAMES]) + (", ..." if len(names) > _MAX_NAMES else "")


def _wrong(service: str, option: str, text: str) -> OptionsError:
    return OptionsError(f"service {service}: option {option!r} {text}")
