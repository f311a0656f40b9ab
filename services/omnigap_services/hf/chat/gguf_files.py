"""Finds the GGUF file of a model: in a folder, by its path, or in a hub repository at a commit."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from omnigap_services.options import OptionsError
from omnigap_services.torch_utils.checkpoint import (
    WEIGHT_SUFFIXES,
    Weights,
    check_commit,
    is_folder_name,
    not_on_hub,
)
from omnigap_services.weights import file_hash, files_below, hub_origin

SUFFIX = ".gguf"

# llama-gguf-split writes NAME-00001-of-00003.gguf.
_PART = re.compile(r"(?P<stem>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.IGNORECASE)
# Files of other tools next to a model: image projectors, and the statistics that a quantisation was made with.
_OTHER_USES = re.compile(r"mmproj|imatrix", re.IGNORECASE)
_MAX_LISTED = 8


def find_gguf(service: str, option: str, name: str, revision: str = "", gguf_file: str = "") -> Weights | None:
    """The GGUF file that the options mean; None if they mean a checkpoint in another format.

    Without `gguf_file` it is the only one of a folder without other weights. A file that is split into parts counts
    as one, and all its parts are found by the name of any.

    Args:
        name: a folder, a .gguf file, or a hub name.
        revision: the full commit of a hub name.
        gguf_file: name of the file in the folder or repository.

    Raises:
        OptionsError: there is no such file, there are several to choose from, or the hub name has no full commit.
    """
    path = Path(name).expanduser()
    if gguf_file and not gguf_file.lower().endswith(SUFFIX):
        raise _wrong(service, "gguf_file", f"is {gguf_file!r}, which does not end in {SUFFIX}")
    if name.lower().endswith(SUFFIX) and (path.is_file() or is_folder_name(name)) and not path.is_dir():
        if gguf_file:
            raise _wrong(service, "gguf_file", f"is {gguf_file!r}, but {option!r} already names a file: remove one")
        if not path.is_file():
            raise _wrong(service, option, f"is {name!r}: no such file")
        return _local(service, option, path.parent, revision, path.name, path.stem)
    if is_folder_name(name):
        chosen = gguf_file or _only(service, path)
        return _local(service, option, path, revision, chosen, "") if chosen else None
    return _remote(service, option, name, revision, gguf_file) if gguf_file else None


def gguf_names(folder: Path) -> list[str]:
    """Names of the GGUF files with a model's weights; a split file has the name of its first part."""
    return sorted(_first_parts(name for name in files_below(folder) if name.lower().endswith(SUFFIX)))


def _first_parts(names: Iterable[str]) -> list[str]:
    models: dict[str, list[str]] = defaultdict(list)
    for name in names:
        if not _OTHER_USES.search(name.rpartition("/")[2]):
            part = _PART.fullmatch(name)
            models[f"{part['stem']}-of-{part['count']}" if part else name].append(name)
    return [min(parts) for parts in models.values()]


def _only(service: str, folder: Path) -> str:
    """The GGUF file of a folder; empty if it has other weights, or none."""
    names = list(files_below(folder))
    if any(name.lower().endswith(WEIGHT_SUFFIXES) for name in names):
        return ""
    found = gguf_names(folder)
    if len(found) > 1:
        raise _wrong(service, "gguf_file", f"is not set, and {folder} has {_listed(found)}: name one of them")
    return found[0] if found else ""


def _local(service: str, option: str, folder: Path, revision: str, gguf_file: str, name: str) -> Weights:
    parts = _parts(gguf_file)
    if missing := [part for part in parts if not (folder / part).is_file()]:
        if len(parts) > 1 and (folder / gguf_file).is_file():
            text = f"is split into {len(parts)} files, and {folder} lacks {', '.join(missing[:3])}: copy all of them"
        else:
            found = gguf_names(folder)
            text = f"is {gguf_file!r}, but {folder} has {_listed(found) if found else f'no {SUFFIX} file'}"
        raise _wrong(service, "gguf_file", text)
    hub_name, commit, below = hub_origin(folder)
    if revision and not commit:
        raise _wrong(
            service, option, f"is on this machine and identified by its content: remove the revision {revision!r}"
        )
    return _weights(folder, parts, hub_name or name or folder.resolve().name, f"{commit}/{below}" if below else commit)


def _remote(service: str, option: str, name: str, revision: str, gguf_file: str) -> Weights:
    from huggingface_hub import hf_hub_download

    check_commit(service, option, name, revision)
    parts = _parts(gguf_file)
    folder = Path()
    for part in parts:
        try:
            path = Path(hf_hub_download(name, part, revision=revision))
        except Exception as error:  # huggingface_hub and its HTTP client have no common base class
            there = _listed_on_hub(name, revision)
            hint = f"; the repository has {_listed(there)}" if there and part not in there else ""
            raise not_on_hub(service, option, name, revision, error, file=part, hint=hint) from error
        # The file may be in a subfolder of the snapshot.
        folder = path.parents[part.count("/")]
    return _weights(folder, parts, name, revision)


def _listed_on_hub(name: str, revision: str) -> list[str]:
    from huggingface_hub import HfApi

    with suppress(Exception):  # the hub is not reachable, or the name does not exist: the download's error says so
        names = HfApi().list_repo_files(name, revision=revision)
        return sorted(_first_parts(name for name in names if name.lower().endswith(SUFFIX)))
    return []


def _parts(name: str) -> tuple[str, ...]:
    """All parts of a split file, by the name of one; only itself if it is not split."""
    part = _PART.fullmatch(name)
    if part is None:
        return (name,)
    count = int(part["count"])
    suffix = name[-len(SUFFIX) :]
    return tuple(f"{part['stem']}-{number:05d}-of-{count:05d}{suffix}" for number in range(1, count + 1))


def _weights(folder: Path, parts: Sequence[str], name: str, commit: str) -> Weights:
    """Identified by the bytes of the files only: the same file has one revision under every name.

    Args:
        commit: of a hub name, with the path of a subfolder behind it.
    """
    if len(parts) == 1:
        # The same number as the file's SHA-256 on the hub's page.
        revision = f"sha256:{file_hash(folder / parts[0])}"
    else:
        hashes = " ".join(file_hash(folder / part) for part in parts)
        revision = f"sha256:{hashlib.sha256(hashes.encode()).hexdigest()}"
    source = f"{name}@{commit}/{parts[0]}" if commit else f"{name}/{parts[0]}"
    return Weights(folder, name, revision, source, tuple(parts))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else ""
    return ", ".join(names[:_MAX_LISTED]) + more


def _wrong(service: str, option: str, text: str) -> OptionsError:
    return OptionsError(f"service {service}: option {option!r} {text}")
