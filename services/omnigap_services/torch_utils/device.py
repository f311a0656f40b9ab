"""Device, dtype and attention of a model: the options of every torch service, resolved on this machine."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from omnigap_services.gpu import device_of
from omnigap_services.options import Options, OptionsError

if TYPE_CHECKING:
    import torch

DeviceMap = Literal["", "auto", "balanced", "balanced_low_0", "sequential"]
Dtype = Literal["auto", "float32", "bfloat16", "float16"]
Attention = Literal["auto", "eager", "sdpa", "flash_attention_2"]


class DeviceOptions(Options):
    """Base of the options of services that own a torch model.

    Attributes:
        device: `auto` is CUDA if there is one, else the CPU (an error with OMNIGAP_REQUIRE_GPU=1); or `cpu`, `cuda:1`.
        device_map: how accelerate spreads the weights over several GPUs; empty: one device.
        dtype: `auto` is bfloat16 on CUDA and float32 on the CPU.
        attention: `auto` is FlashAttention 2 if it is installed and applicable, else the library's default.
        cpu_threads: threads of torch; 0 keeps torch's default.
    """

    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    device_map: DeviceMap = ""
    dtype: Dtype = "auto"
    attention: Attention = "auto"
    cpu_threads: int = Field(default=0, ge=0, le=256)


@dataclass(frozen=True, slots=True)
class Placement:
    """`DeviceOptions`, resolved on this machine.

    Attributes:
        device: `cpu`, `cuda` or `cuda:N`; inputs are moved there.
        dtype: name of the floating-point type of the weights.
        device_map: empty: all weights are on `device`.
        attention: empty: the library's default.
    """

    device: str
    dtype: str
    device_map: str = ""
    attention: str = ""

    @property
    def kind(self) -> str:
        """The device without its number."""
        return self.device.partition(":")[0]

    @property
    def torch_dtype(self) -> torch.dtype:
        import torch

        found: torch.dtype = getattr(torch, self.dtype)
        return found

    def settings(self) -> dict[str, str]:
        """The part that can change answers, for the card and its digest."""
        # The GPU's number is left out: the same model on another GPU of the machine keeps its digest.
        return {"device": self.kind, "dtype": self.dtype, "attention": self.attention or "default"}

    def load_arguments(self) -> dict[str, Any]:
        """Keyword arguments of `from_pretrained`."""
        # {"": device} puts the whole model on one device while it loads; without a map it would be loaded on the CPU.
        arguments: dict[str, Any] = {"dtype": self.torch_dtype, "device_map": self.device_map or {"": self.device}}
        if self.attention:
            arguments["attn_implementation"] = self.attention
        return arguments


def place(options: DeviceOptions, service: str, flash_possible: bool = True) -> Placement:
    """Resolves the options; also sets torch's number of threads.

    Args:
        flash_possible: True if the model's class supports FlashAttention 2; `auto` takes it only then.

    Raises:
        OptionsError: CUDA or FlashAttention is requested and not available.
    """
    import torch

    if options.cpu_threads:
        torch.set_num_threads(options.cpu_threads)
    device = device_of("device", options.device, torch.cuda.is_available(), torch.cuda.init)
    if device.startswith("cuda:") and int(device.partition(":")[2]) >= torch.cuda.device_count():
        raise _wrong(service, f"'device' is {device!r}, but there are {torch.cuda.device_count()} CUDA devices")
    if options.device_map and device == "cpu":
        raise _wrong(service, f"'device_map' is {options.device_map!r}, but the device is the CPU: leave it out")
    dtype = options.dtype
    # In float32 on the CPU an answer does not depend on the batch that it was part of.
    if dtype == "auto":
        dtype = "float32" if device == "cpu" else "bfloat16"
    attention = _attention(options, service, device, dtype, flash_possible)
    return Placement(device, dtype, options.device_map, attention)


@contextmanager
def full_float32() -> Iterator[None]:
    """Inside the block convolutions and LSTMs of float32 are computed in float32 on CUDA too, and repeatably.

    By default cuDNN rounds their inputs to TF32, with 10 bits of mantissa, which flips codes of a codec.
    """
    import torch

    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        yield


def _attention(options: DeviceOptions, service: str, device: str, dtype: str, flash_possible: bool) -> str:
    installed = importlib.util.find_spec("flash_attn") is not None
    # FlashAttention 2 has kernels for half precision on CUDA only.
    applicable = installed and device != "cpu" and dtype != "float32"
    if options.attention == "flash_attention_2" and not applicable:
        why = (
            "flash_attn is not installed"
            if not installed
            else f"it needs CUDA and half precision, not {device} {dtype}"
        )
        raise _wrong(service, f"'attention' is 'flash_attention_2', but {why}: set \"sdpa\"")
    if options.attention == "auto":
        return "flash_attention_2" if applicable and flash_possible else ""
    return options.attention


def _wrong(service: str, text: str) -> OptionsError:
    return OptionsError(f"service {service}: option {text}")
