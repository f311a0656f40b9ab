"""Weights outside of transformers' layouts, such as `.pt` files: found, read without running code, and loaded whole."""

from __future__ import annotations

import json
import logging
import pickle
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnigap_services.failures import is_out_of_memory
from omnigap_services.options import OptionsError
from omnigap_services.torch_utils.checkpoint import (
    Weights,
    check_commit,
    check_complete,
    is_folder_name,
    matches,
    not_on_hub,
    shortened,
)
from omnigap_services.weights import LFS_POINTER, content_revision, hub_origin, is_lfs_pointer

if TYPE_CHECKING:
    import torch

_log = logging.getLogger(__name__)


def find_files(
    service: str, option: str, name: str, revision: str, files: Sequence[str], optional: Sequence[str] = ()
) -> Weights:
    """The named files in a folder, or of a hub name at a commit, downloaded if the cache does not have them.

    The revision covers these files only: others in the folder are not read.

    Args:
        option: the option that holds `name`, for messages.
        name: a folder, a hub name, or the path of the file itself if `files` has one name.
        revision: the full commit of a hub name; empty for a folder, which is identified by its content.
        files: relative paths with slashes, all of which must exist.
        optional: further ones, which are read where they exist; also beside a file that `name` is the path of.

    Raises:
        OptionsError: a file is missing or only a Git LFS pointer, or the hub name has no full commit.
    """
    if not name:
        raise wrong(
            service, option, f"is not set: name a folder with {', '.join(files)}, or a hub name with its revision"
        )
    path = Path(name).expanduser()
    if path.is_file() and len(files) == 1:
        folder, files = path.parent, [path.name]
    elif is_folder_name(name):
        folder = path
    else:
        check_commit(service, option, name, revision)
        folder = _download(service, option, name, revision, [*files, *optional])
    if missing := [file for file in files if not (folder / file).is_file()]:
        where = f"at {revision}" if folder != path and not path.is_file() else "in it"
        raise wrong(
            service, option, f"is {name!r}, and there is no {', '.join(missing)} {where}: download the whole checkpoint"
        )
    present = [*files, *(file for file in optional if (folder / file).is_file())]
    if pointer := next((file for file in present if is_lfs_pointer(folder / file)), ""):
        raise wrong(service, option, f"is {name!r}, whose {pointer} is {LFS_POINTER}: download it again")
    hub_name, commit, below = hub_origin(folder)
    if revision and not commit:
        raise wrong(
            service, option, f"is on this machine and identified by its content: remove the revision {revision!r}"
        )
    found = hub_name or (path.name if path.is_file() else folder.resolve().name)
    source = f"{found}@{commit}{f'/{below}' if below else ''}" if commit else found
    return Weights(folder, found, content_revision(folder, present), source)


def only_file(name: str, weights: Weights, file: str) -> Path:
    """The path of the one file that `find_files` was asked for: `file` in the folder, or the file that `name` names."""
    given = Path(name).expanduser()
    return given if given.is_file() else weights.folder / file


def _download(service: str, option: str, name: str, revision: str, files: Sequence[str]) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=list(files)))
    except Exception as error:  # huggingface_hub and its HTTP client have no common base class
        raise not_on_hub(service, option, name, revision, error) from error


def read_tensors(service: str, option: str, path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a state dict, on the CPU.

    Raises:
        OptionsError: the file can't be read, holds something other than named tensors, or would run code.
    """
    import torch

    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            found: Any = load_file(path)
        else:
            # Weights of other types are pickled objects, whose code would run here.
            found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        text = "holds pickled objects other than tensors, which could run code"
        raise wrong(
            service, option, f"names {path}, which {text} ({_short(error)}): save only its state dict"
        ) from error
    except Exception as error:  # zipfile, struct and torch's C++ code raise many kinds for a damaged file
        if is_out_of_memory(error):
            raise
        raise wrong(
            service, option, f"names {path}, which can't be read ({_short(error)}): download it again"
        ) from error
    if not isinstance(found, Mapping) or not found:
        raise wrong(service, option, f"names {path}, which holds {type(found).__name__} instead of named tensors")
    if others := sorted(str(key) for key, value in found.items() if not isinstance(value, torch.Tensor)):
        raise wrong(service, option, f"names {path}, which holds more than tensors ({shortened(others)})")
    return {str(key): value for key, value in found.items()}


def load_tensors(
    module: torch.nn.Module,
    tensors: Mapping[str, torch.Tensor],
    who: str,
    unused: Collection[str] = (),
    allowed: Collection[str] | None = None,
) -> None:
    """Copies tensors into a module. Every tensor is used, or named as unused; no weight keeps its initial value.

    Args:
        tensors: under the names of the module.
        who: the beginning of messages: service, option and file.
        unused: patterns (with * and ?) of tensors that no answer depends on.
        allowed: `allow_missing_weights`; None: the service has no such option for these weights.

    Raises:
        OptionsError: a tensor is missing, has no place in the module, another shape, or values that are not finite.
    """
    import torch

    own = module.state_dict()
    extra = sorted(name for name in tensors if name not in own)
    if unknown := [name for name in extra if not matches(name, unused)]:
        raise OptionsError(
            f"{who} has {len(unknown)} tensors that this service does not use ({shortened(unknown)}): it is another"
            " kind of checkpoint"
        )
    if extra:
        _log.info("%s: %d tensors are not used: %s", who, len(extra), shortened(extra))
    found = {name: tensor for name, tensor in tensors.items() if name in own}
    mismatched = [(name, found[name].shape, own[name].shape) for name in found if found[name].shape != own[name].shape]
    missing = [name for name in own if name not in found]
    check_complete({"missing_keys": missing, "mismatched_keys": mismatched}, who, allowed)
    damaged = sorted(
        name for name, tensor in found.items() if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all())
    )
    if damaged:
        raise OptionsError(
            f"{who} has tensors with values that are not finite ({shortened(damaged)}): download it again"
        )
    module.load_state_dict(found, strict=False)


def sizes_beside(service: str, option: str, file: Path, published: Mapping[str, int]) -> dict[str, int]:
    """Sizes that tensors don't determine: those in a config.json beside the file, else those of the published model.

    Raises:
        OptionsError: config.json is not valid, or one of the sizes in it is not a positive integer.
    """
    config = file.with_name("config.json")
    try:
        given = json.loads(config.read_bytes()) if config.is_file() else {}
    except (OSError, ValueError) as error:
        text = f"is {str(file)!r}, beside which config.json can't be read ({error})"
        raise wrong(service, option, text) from error
    sizes = {name: given.get(name, value) if isinstance(given, dict) else value for name, value in published.items()}
    for name, value in sizes.items():
        if type(value) is not int or value < 1:
            text = f"is {str(file)!r}, beside which config.json has {name!r}: {value!r}, which is no positive integer"
            raise wrong(service, option, text)
    return sizes


def wrong(service: str, option: str, text: str) -> OptionsError:
    """The error about an option of a service."""
    return OptionsError(f"service {service}: option {option!r} {text}")


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
