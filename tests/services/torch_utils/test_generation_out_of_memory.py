"""Out-of-memory errors are recognised, and a batch is halved until it fits."""

from __future__ import annotations

from typing import Any

import pytest

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_services.failures import is_out_of_memory
from omnigap_services.torch_utils.generation import split_on_oom

torch = pytest.importorskip("torch", reason="NOT TESTED: torch is not installed")


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
def test_out_of_memory_errors_are_recognised(error: Exception, is_memory: bool) -> None:
    assert is_out_of_memory(error) is is_memory


def test_a_batch_is_halved_until_it_fits_and_an_item_that_never_fits_fails() -> None:
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


def test_other_errors_are_raised_unchanged() -> None:
    def work(items: Any) -> None:
        raise ValueError("shapes do not match")

    with pytest.raises(ValueError, match="shapes"):
        split_on_oom([1, 2], work, lambda item, error: None)
    split_on_oom([], work, lambda item, error: None)
