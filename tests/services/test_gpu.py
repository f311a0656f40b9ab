"""A GPU that is required and not there is an error in every service that has a device; otherwise `auto` is the CPU."""

from __future__ import annotations

import importlib.util

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnigap_services.gpu import REQUIRE_GPU, device_of
from omnigap_services.options import OptionsError
from tests.helpers.serve_command import Launch, announced, failure

NO_TORCH = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="NOT TESTED: torch is not installed")


def broken() -> None:
    raise RuntimeError("the driver is too old (found version 11040)\nvisit a page")


@pytest.fixture(autouse=True)
def no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(REQUIRE_GPU, raising=False)


@pytest.mark.parametrize("required", ["1", " 1 "])
@pytest.mark.parametrize("option", ["device", "asr_device"])
def test_auto_without_the_required_gpu_names_what_to_look_at(
    monkeypatch: pytest.MonkeyPatch, option: str, required: str
) -> None:
    monkeypatch.setenv(REQUIRE_GPU, required)
    with pytest.raises(OptionsError) as failed:
        device_of(option, "auto", False, broken)
    message = str(failed.value)
    for word in (f"option '{option}'", f"{REQUIRE_GPU} is 1", "nvidia-smi", "NVIDIA container toolkit", "11040"):
        assert word in message
    assert "\n" not in message
    assert device_of(option, "auto", True, broken) == "cuda"
    assert device_of(option, "cpu", False, broken) == "cpu"


@pytest.mark.parametrize("value", ["", "0"])
def test_auto_is_the_cpu_where_no_gpu_is_required(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(REQUIRE_GPU, value)
    assert device_of("device", "auto", False, broken) == "cpu"
    assert device_of("device", "auto", True, broken) == "cuda"


@pytest.mark.parametrize("asked", ["cuda", "cuda:1"])
def test_a_named_gpu_that_is_not_there_is_always_an_error(asked: str) -> None:
    with pytest.raises(OptionsError, match=r"11040.*nvidia-smi"):
        device_of("device", asked, False, broken)
    assert device_of("device", asked, True, broken) == asked


@given(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=9),
    st.sampled_from(["auto", "cpu", "cuda"]),
    st.booleans(),
)
def test_any_other_value_is_refused_on_every_machine(value: str, asked: str, available: bool) -> None:
    if value.strip() in ("", "0", "1"):
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(REQUIRE_GPU, value)
        with pytest.raises(OptionsError, match=REQUIRE_GPU):
            device_of("device", asked, available, broken)


def gpu_found() -> bool:
    import ctranslate2

    return ctranslate2.get_cuda_device_count() > 0


@pytest.mark.skipif(gpu_found(), reason="this machine has a GPU")
@pytest.mark.parametrize(("name", "option"), [("asr", "device"), ("demo", "asr_device")])
def test_services_with_ctranslate2_do_not_fall_back(launch: Launch, name: str, option: str) -> None:
    message = failure(launch(name, **{REQUIRE_GPU: "1"}))
    assert f"option '{option}' is 'auto' and {REQUIRE_GPU} is 1" in message
    assert "CUDA" in message
    assert "Traceback" not in message
    assert "Traceback" not in failure(launch(name, "--options", f"{option} = 'cuda'"))
    assert announced(launch(name, "--options", f"{option} = 'cpu'", **{REQUIRE_GPU: "1"}))


@NO_TORCH
@pytest.mark.skipif(gpu_found(), reason="this machine has a GPU")
def test_torch_does_not_fall_back(monkeypatch: pytest.MonkeyPatch) -> None:
    from omnigap_services.torch_utils.device import DeviceOptions, place

    monkeypatch.setenv(REQUIRE_GPU, "1")
    with pytest.raises(OptionsError, match=r"option 'device' is 'auto' and .* \(.*(CUDA|NVIDIA).*\)\. Check"):
        place(DeviceOptions(), "hf-chat")
    assert place(DeviceOptions(device="cpu"), "hf-chat").device == "cpu"
