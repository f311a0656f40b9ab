"""The tiny checkpoint of `--tiny`, loaded and served like a real one."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.helpers.in_process import Host
from tests.helpers.serve_process import Served

if TYPE_CHECKING:
    from omnigap_services.anygpt.adapter import AnygptAdapter

Make = Callable[..., "AnygptAdapter"]

NEEDED = ("torch", "transformers", "sentencepiece", "accelerate")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]

# Before transformers is imported: nothing here may look for a hub.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

if MISSING:
    collect_ignore_glob = ["test_*.py"]


def pytest_report_header() -> str:
    """Reports that none of these tests can run."""
    return f"NOT TESTED: anygpt, since {', '.join(MISSING)} is not installed" if MISSING else ""


@pytest.fixture(scope="package", autouse=True)
def one_thread() -> Iterator[None]:
    """One thread of torch: on models this small, more threads cost more time than they save."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def options(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The options that serve the tiny checkpoint."""
    from omnigap_services.anygpt.adapter import AnygptAdapter

    folder = tmp_path_factory.mktemp("checkpoint") / "anygpt-tiny"
    folder.mkdir()
    return AnygptAdapter.build_tiny({}, folder)


@pytest.fixture(scope="session")
def checkpoint(options: dict[str, object]) -> Path:
    """The folder of the language model; tests must not change it."""
    return Path(str(options["checkpoint"]))


@pytest.fixture(scope="session")
def make(options: dict[str, object]) -> Make:
    """Makes an adapter with further options, and loads it unless `loaded` is False."""
    from omnigap_services.anygpt.adapter import AnygptAdapter

    def load(loaded: bool = True, **changed: Any) -> AnygptAdapter:
        adapter = AnygptAdapter({**options, **changed})
        if loaded:
            adapter.load()
        return adapter

    return load


@pytest.fixture(scope="session")
def adapter(make: Make) -> AnygptAdapter:
    """A loaded adapter; tests must not change it."""
    return make()


@pytest.fixture(scope="session")
def served(make: Make, hosted: Host) -> Served:
    """A running service."""
    return hosted(make(loaded=False))
