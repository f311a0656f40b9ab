"""Lets a torchvision without its compiled operators be imported, as beside a CPU build of torch.

Processors of omni models ask for a video processor, and that imports torchvision. Its image functions are plain torch;
what fails is the registration of `nms` and `qnms`, which no processor calls. Declaring the two schemas first is enough.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
from typing import Any

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
