"""One thread of torch: on modules this small, its threads cost more time than they save, many times over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="package", autouse=True)
def one_thread() -> Iterator[None]:
    torch = pytest.importorskip("torch", reason="NOT CHECKED: PyTorch is not installed: make models")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
