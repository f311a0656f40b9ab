"""Which transformers the adapters were written for: another one is refused at the start, not half-way through a run."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
from importlib import metadata
from typing import Any

from packaging.version import InvalidVersion, Version

from omnigap.errors import OmnigapError

OLDEST = "5.16"
NEWEST = "5.23"
"""First and last minor version that the adapters were read against; every patch release of them counts."""


class VersionError(OmnigapError, RuntimeError):
    """An installed library is older or newer than what an adapter knows; the message says what to install."""


def check_transformers(service: str, oldest: str = OLDEST, newest: str = NEWEST) -> str:
    """The installed version of transformers.

    Raises:
        VersionError: outside of `oldest` to `newest` (minor versions, both included).
    """
    installed = metadata.version("transformers")
    if not in_range(installed, oldest, newest):
        raise VersionError(
            f"service {service} works with transformers {oldest} to {newest}, but {installed} is installed:"
            f" pip install 'transformers>={oldest},<{_after(newest)}'"
        )
    return installed


def in_range(installed: str, oldest: str, newest: str) -> bool:
    """Whether a version lies in the range of minor versions; a development version counts as its release."""
    try:
        release = Version(installed).release
    except InvalidVersion:
        return False
    return Version(oldest).release[:2] <= release[:2] <= Version(newest).release[:2]


def _after(minor: str) -> str:
    major, number = Version(minor).release[:2]
    return f"{major}.{number + 1}"


# Lets a torchvision without its compiled operators be imported, as beside a CPU build of torch. Processors of omni
# models ask for a video processor, and that imports torchvision. Its image functions are plain torch; what fails is
# the registration of `nms` and `qnms`, which no processor calls. Declaring the two schemas first is enough.

_log = logging.getLogger(__name__)

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_OPERATORS = ("nms", "qnms")

# A library that is collected takes its schemas with it.
_kept: list[Any] = []


def let_torchvision_import() -> bool:
    """Imports torchvision, with the two schemas declared where it fails without them; False where it is not installed.

    Raises:
        RuntimeError, ImportError: where it cannot be imported even so.
    """
    if importlib.util.find_spec("torchvision") is None:
        return False
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if not any(f"torchvision::{name} does not exist" in str(error) for name in _OPERATORS):
            raise
        _log.info("torchvision has no compiled operators here (%s): their schemas are declared instead", error)
        _forget_torchvision()
        _declare()
        importlib.import_module("torchvision")
    return True


def _declare() -> None:
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in _OPERATORS:
        library.define(f"{name}{_SCHEMA}")
    _kept.append(library)


def _forget_torchvision() -> None:
    """Half-imported modules would be taken as they are by the next import."""
    for name in [name for name in sys.modules if name == "torchvision" or name.startswith("torchvision.")]:
        del sys.modules[name]
