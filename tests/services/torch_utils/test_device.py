"""Device, dtype and attention: defaults, and what is refused on a machine that does not have it."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from omnigap_services.options import OptionsError, read_options
from omnigap_services.torch_utils.device import DeviceOptions, full_float32, place

torch = pytest.importorskip("torch", reason="NOT TESTED: torch is not installed")


def placed(**options: Any) -> Any:
    return place(read_options(DeviceOptions, "hf-chat", options), "hf-chat")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_the_default_is_the_cpu_in_float32() -> None:
    found = placed()
    assert (found.device, found.dtype, found.kind) == ("cpu", "float32", "cpu")
    assert found.torch_dtype is torch.float32
    assert placed(dtype="bfloat16").torch_dtype is torch.bfloat16
    with pytest.raises(OptionsError, match=r"'device' is 'cuda:1'.*no usable GPU"):
        placed(device="cuda:1")
    with pytest.raises(OptionsError, match="'device_map'"):
        placed(device_map="auto")


@pytest.mark.skipif(importlib.util.find_spec("flash_attn") is not None, reason="flash_attn is installed")
def test_flash_attention_that_is_not_installed_is_refused() -> None:
    with pytest.raises(OptionsError, match="flash_attn is not installed"):
        placed(attention="flash_attention_2")


@pytest.mark.parametrize("device", ["gpu", "cuda:", "mps", "cuda:x"])
def test_an_unknown_device_is_refused(device: str) -> None:
    with pytest.raises(OptionsError, match="'device'"):
        placed(device=device)


def test_full_float32_holds_inside_the_block_only() -> None:
    def found() -> tuple[bool, bool, bool]:
        cudnn = torch.backends.cudnn
        return cudnn.enabled, cudnn.deterministic, cudnn.allow_tf32

    before = found()
    with pytest.raises(KeyError), full_float32():
        assert found() == (True, True, False)
        raise KeyError
    assert found() == before
