"""Where a model runs and in which numbers: options of every torch service, and what they come to on a machine."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from omnigap_services.options import Options, OptionsError

if TYPE_CHECKING:
    import torch

DeviceMap = Literal["", "auto", "balanced", "balanced_low_0", "sequential"]
Dtype = Literal["auto", "float32", "bfloat16", "float16"]
Attention = Literal["auto", "eager", "sdpa", "flash_attention_2"]


class DeviceOptions(Options):
    """Base of the options of services that own a torch model.

    Attributes:
        device: `auto` takes CUDA where there is one; `cpu`, `cuda` or `cuda:1` say it.
        device_map: spreads the weights over several GPUs, by accelerate; empty: one device.
        dtype: `auto` is bfloat16 on CUDA and float32 on CPU.
        attention: `auto` takes FlashAttention 2 where it is installed and fits, else what the library takes.
        cpu_threads: of torch; 0 leaves torch's own choice.
    """

    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    device_map: DeviceMap = ""
    dtype: Dtype = "auto"
    attention: Attention = "auto"
    cpu_threads: int = Field(default=0, ge=0, le=256)


@dataclass(frozen=True, slots=True)
class Placement:
    """What `DeviceOptions` come to on this machine.

    Attributes:
        device: `cpu`, `cuda` or `cuda:N`: where inputs go.
        dtype: name of the floating-point type of the weights.
        device_map: empty: all weights are on `device`.
        attention: empty: left to the library.
    """

    device: str
    dtype: str
    device_map: str = ""
    attention: str = ""

    @property
    def kind(self) -> str:
        """The device's kind without its number: what enters a digest."""
        return self.device.partition(":")[0]

    @property
    def torch_dtype(self) -> torch.dtype:
        import torch

        found: torch.dtype = getattr(torch, self.dtype)
        return found

    def settings(self) -> dict[str, str]:
        """What of it changes answers, for a card."""
        return {"device": self.kind, "dtype": self.dtype, "attention": self.attention or "default"}

    def load_arguments(self) -> dict[str, Any]:
        """Keyword arguments of `from_pretrained`."""
        arguments: dict[str, Any] = {"dtype": self.torch_dtype, "device_map": self.device_map or {"": self.device}}
        if self.attention:
            arguments["attn_implementation"] = self.attention
        return arguments


def place(options: DeviceOptions, service: str, flash_possible: bool = True) -> Placement:
    """Where to run.

    Args:
        flash_possible: whether the model's class knows FlashAttention 2; `auto` takes it only then.

    Raises:
        OptionsError: where CUDA or FlashAttention is asked for and not there.
    """
    import torch

    if options.cpu_threads:
        torch.set_num_threads(options.cpu_threads)
    there = torch.cuda.is_available()
    device = ("cuda" if there else "cpu") if options.device == "auto" else options.device
    if device != "cpu" and not there:
        raise _wrong(service, f"'device' is {device!r}, but torch {torch.__version__} sees no CUDA device: set \"cpu\"")
    if device.startswith("cuda:") and int(device.partition(":")[2]) >= torch.cuda.device_count():
        raise _wrong(service, f"'device' is {device!r}, but there are {torch.cuda.device_count()} CUDA devices")
    if options.device_map and device == "cpu":
        raise _wrong(service, f"'device_map' is {options.device_map!r}, which spreads weights over GPUs: leave it out")
    dtype = options.dtype
    if dtype == "auto":
        dtype = "float32" if device == "cpu" else "bfloat16"
    attention = _attention(options, service, device, dtype, flash_possible)
    return Placement(device, dtype, options.device_map, attention)


def _attention(options: DeviceOptions, service: str, device: str, dtype: str, flash_possible: bool) -> str:
    installed = importlib.util.find_spec("flash_attn") is not None
    fits = installed and device != "cpu" and dtype != "float32"
    if options.attention == "flash_attention_2" and not fits:
        why = (
            "flash_attn is not installed"
            if not installed
            else f"it needs CUDA and half precision, not {device} {dtype}"
        )
        raise _wrong(service, f"'attention' is 'flash_attention_2', but {why}: set \"sdpa\"")
    if options.attention == "auto":
        return "flash_attention_2" if fits and flash_possible else ""
    return options.attention


def _wrong(service: str, text: str) -> OptionsError:
    return OptionsError(f"service {service}: option {text}")
