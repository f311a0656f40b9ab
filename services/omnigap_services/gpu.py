"""The device of a model: `auto` takes a GPU if there is one, and is an error without one where a GPU is required."""

from __future__ import annotations

import os
from collections.abc import Callable

from omnigap.errors import quoted
from omnigap_services.options import OptionsError

REQUIRE_GPU = "OMNIGAP_REQUIRE_GPU"
"""Environment variable: with 1, `auto` never means the CPU. Compose sets it in containers that reserve a GPU."""


def device_of(option: str, asked: str, available: bool, fault: Callable[[], object]) -> str:
    """The device that an option means on this machine: `cpu`, or a CUDA device.

    Args:
        option: name of the option, for errors.
        asked: its value: `auto`, `cpu`, `cuda` or `cuda:N`.
        available: whether the framework finds a GPU.
        fault: raises the framework's error about the missing GPU; called only if a GPU is needed.

    Raises:
        OptionsError: no GPU although the option or the variable asks for one, or the variable has an unknown value.
    """
    required = _is_required()
    if asked == "cpu":
        return asked
    if available:
        return "cuda" if asked == "auto" else asked
    if asked == "auto" and not required:
        return "cpu"
    why = f" and {REQUIRE_GPU} is 1" if asked == "auto" else ""
    raise OptionsError(
        f"option {option!r} is {asked!r}{why}, but there is no usable GPU{_said(fault)}. Check that"
        " nvidia-smi shows one here with a driver that is new enough for this CUDA build, and, in a container, that"
        " the NVIDIA container toolkit is installed and a GPU is reserved. For the CPU set the option to 'cpu'"
        + (f", or {REQUIRE_GPU} to 0" if asked == "auto" else "")
    )


def _is_required() -> bool:
    value = os.environ.get(REQUIRE_GPU, "").strip()
    if value not in ("", "0", "1"):
        raise OptionsError(f"{REQUIRE_GPU} is {quoted(value)}: set it to 1, or to 0 or nothing")
    return value == "1"


def _said(fault: Callable[[], object]) -> str:
    """A framework's error about the missing GPU: no device, a driver that is too old, or a build without CUDA."""
    try:
        fault()
    except Exception as error:
        # Some frameworks add several lines of advice to the first line.
        return f" ({(str(error).strip().splitlines() or [type(error).__name__])[0]})"
    return ""
