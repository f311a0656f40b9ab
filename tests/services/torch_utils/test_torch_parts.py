"""What services with a torch model share: versions, devices, halving on out-of-memory, seeds, stopping."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_services.failures import is_out_of_memory
from omnigap_services.options import OptionsError, read_options
from omnigap_services.torch_utils.device import DeviceOptions, place
from omnigap_services.torch_utils.oom import split_on_oom
from omnigap_services.torch_utils.versions import VersionError, check_transformers, in_range

torch = pytest.importorskip("torch", reason="NOT TESTED: torch is not installed")


@pytest.mark.parametrize(
    ("installed", "fits"),
    [
        ("5.16.0", True),
        ("5.16", True),
        ("5.23.4", True),
        ("5.20.0.dev0", True),
        ("5.15.9", False),
        ("5.24.0", False),
        ("4.57.1", False),
        ("6.0.0", False),
        ("unknown", False),
    ],
)
def test_versions_from_5_16_to_5_23_fit(installed: str, fits: bool) -> None:
    assert in_range(installed, "5.16", "5.23") is fits


def test_another_version_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: "4.57.1")
    with pytest.raises(VersionError, match=r"5\.16 to 5\.23, but 4\.57\.1.*'transformers>=5\.16,<5\.24'"):
        check_transformers("hf-chat")


def placed(**options: Any) -> Any:
    return place(read_options(DeviceOptions, "hf-chat", options), "hf-chat")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_all_is_on_the_cpu_in_float32() -> None:
    found = placed()
    assert (found.device, found.dtype, found.kind) == ("cpu", "float32", "cpu")
    assert found.torch_dtype is torch.float32
    assert placed(dtype="bfloat16").torch_dtype is torch.bfloat16
    with pytest.raises(OptionsError, match="sees no CUDA device"):
        placed(device="cuda:1")
    with pytest.raises(OptionsError, match="spreads weights over GPUs"):
        placed(device_map="auto")


@pytest.mark.skipif(importlib.util.find_spec("flash_attn") is not None, reason="flash_attn is installed")
def test_flash_attention_that_is_not_there_is_refused() -> None:
    with pytest.raises(OptionsError, match="flash_attn is not installed"):
        placed(attention="flash_attention_2")


@pytest.mark.parametrize("device", ["gpu", "cuda:", "mps", "cuda:x"])
def test_a_device_that_nobody_knows_is_refused(device: str) -> None:
    with pytest.raises(OptionsError, match="'device'"):
        placed(device=device)


@pytest.mark.parametrize(
    ("error", "is_memory"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), True),
        (MemoryError(), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("shapes do not match"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_memory_that_ran_out_is_told_from_other_errors(error: Exception, is_memory: bool) -> None:
    assert is_out_of_memory(error) is is_memory


def test_a_batch_is_halved_until_it_fits_and_one_that_never_does_ends_alone() -> None:
    done: list[int] = []
    failed: dict[int, ContractError] = {}

    def work(items: Any) -> None:
        if len(items) > 2 or 7 in items:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        done.extend(items)

    split_on_oom(list(range(10)), work, failed.__setitem__)
    assert sorted(done) == [0, 1, 2, 3, 4, 5, 6, 8, 9]
    assert list(failed) == [7]
    assert failed[7].reason is Reason.OUT_OF_MEMORY
    assert "max_batch_size" in failed[7].message


def test_other_errors_pass_as_they_are() -> None:
    def work(items: Any) -> None:
        raise ValueError("shapes do not match")

    with pytest.raises(ValueError, match="shapes"):
        split_on_oom([1, 2], work, lambda item, error: None)
    split_on_oom([], work, lambda item, error: None)


def test_a_seed_decides_and_leaves_the_global_generators_alone() -> None:
    import numpy as np

    from omnigap_services.torch_utils.generation import seeded

    def draw() -> tuple[float, float]:
        return float(torch.rand(())), float(np.random.random())

    torch.manual_seed(5)
    np.random.seed(5)
    expected = draw()
    torch.manual_seed(5)
    np.random.seed(5)
    found = []
    for seed in (1, 1, 2, None, 0):
        with seeded(seed):
            found.append(draw())
    assert found[0] == found[1] != found[2]
    assert found[3] == found[4]
    assert draw() == expected
    with seeded(2**64 + 3):
        draw()


def test_rows_stop_one_by_one_and_beams_with_their_request() -> None:
    from omnigap_services.torch_utils.generation import StopRows

    seen: list[Any] = []
    stop = StopRows([lambda: False, lambda: True], seen.append)
    ids = torch.zeros((2, 3), dtype=torch.long)
    assert stop(ids, None).tolist() == [False, True]
    assert stop(torch.zeros((6, 3), dtype=torch.long), None).tolist() == [False] * 3 + [True] * 3
    assert [row.shape[0] for row in seen] == [2, 6]


def test_a_model_is_stopped_between_the_passes_of_its_parts() -> None:
    pytest.importorskip("transformers", reason="NOT TESTED: transformers is not installed")
    from omnigap_services.torch_utils.versions import let_torchvision_import

    let_torchvision_import()
    from transformers import LlamaConfig, LlamaForCausalLM

    from omnigap_services.torch_utils.generation import CancellationHook, GenerationCancelledError

    config = LlamaConfig(
        vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, pad_token_id=0
    )
    model = LlamaForCausalLM(config)
    watch = CancellationHook(model)
    ids = torch.zeros((1, 2), dtype=torch.long)
    asked: list[None] = []

    def gone() -> bool:
        asked.append(None)
        return len(asked) > 4

    with pytest.raises(GenerationCancelledError), watch.over(gone):
        model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=1_000, eos_token_id=None)
    assert len(asked) == 5
    model(ids)
