"""Checks the version of transformers at the start, and makes torchvision importable without its compiled operators."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
from importlib import metadata
from typing import Any

from packaging.version import InvalidVersion, Version

from omnigap.errors import OmnigapError

_log = logging.getLogger(__name__)

OLDEST = "5.16"
NEWEST = "5.23"
"""First and last minor version that the adapters were tested with; every patch release of them is accepted."""

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_OPERATORS = ("nms", "qnms")

# A torch Library object drops its schemas when it is garbage-collected, so it is kept for the life of the process.
_libraries: list[Any] = []


class VersionError(OmnigapError, RuntimeError):
    """An installed library is outside the supported range; the message has the command that installs one inside."""


def check_transformers(service: str, oldest: str = OLDEST, newest: str = NEWEST) -> str:
    """The installed version of transformers.

    The adapters drive internals of models (talker, codec, pipelines) that change between minor versions: an unknown
    one fails here, before the run, and not halfway through it.

    Raises:
        VersionError: outside `oldest` to `newest` (minor versions, both included).
    """
    installed = metadata.version("transformers")
    if not in_range(installed, oldest, newest):
        raise VersionError(
            f"service {service} works with transformers {oldest} to {newest}, but {installed} is installed:"
            f" pip install 'transformers>={oldest},<{_after(newest)}'"
        )
    return installed


def in_range(installed: str, oldest: str, newest: str) -> bool:
    """True if a version is in the range of minor versions; a development version counts as its release."""
    try:
        release = Version(installed).release
    except InvalidVersion:
        return False
    return Version(oldest).release[:2] <= release[:2] <= Version(newest).release[:2]


def _after(minor: str) -> str:
    major, number = Version(minor).release[:2]
    return f"{major}.{number + 1}"


def let_torchvision_import() -> bool:
    """Imports torchvision, declaring its operators first where its compiled ones do not load.

    Processors of omni models ask for a video processor, which imports torchvision. Its image functions are plain torch.
    Next to a CPU build of torch the import fails at the registration of `nms` and `qnms`, which no processor calls:
    declaring the two schemas is enough.

    Returns:
        False if torchvision is not installed.

    Raises:
        RuntimeError, ImportError: it cannot be imported even with the schemas.
    """
    if importlib.util.find_spec("torchvision") is None:
        return False
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if not any(f"torchvision::{name} does not exist" in str(error) for name in _OPERATORS):
            raise
        _log.info("torchvision has no compiled operators (%s): declaring their schemas", error)
        _forget_torchvision()
        _declare_operators()
        importlib.import_module("torchvision")
    return True


def _forget_torchvision() -> None:
    """Removes half-imported modules, which the next import would otherwise reuse as they are."""
    for name in [name for name in sys.modules if name == "torchvision" or name.startswith("torchvision.")]:
        del sys.modules[name]


def _declare_operators() -> None:
    import torch

    # FRAGMENT adds to a namespace that may exist already; DEF would claim it.
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in _OPERATORS:
        library.define(f"{name}{_SCHEMA}")
    _libraries.append(library)
