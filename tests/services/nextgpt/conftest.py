"""A tiny NExT-GPT, built once and loaded like a real one."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from omnigap_services.nextgpt.adapter import NextgptAdapter

Make = Callable[..., "NextgptAdapter"]

MISSING = [name for name in ("torch", "transformers", "sentencepiece") if importlib.util.find_spec(name) is None]

# Before transformers is imported: nothing here may look for a hub.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

if MISSING:
    collect_ignore_glob = ["test_*.py"]
else:
    import torch

    torch.set_num_threads(1)  # more threads than cores make tiny models slow


def pytest_report_header() -> str:
    """Reports that none of these tests can run."""
    return f"NOT TESTED: nextgpt, since {', '.join(MISSING)} is not installed" if MISSING else ""


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The options that serve a tiny checkpoint."""
    from omnigap_services.nextgpt.adapter import NextgptAdapter

    folder = tmp_path_factory.mktemp("nextgpt") / "nextgpt-tiny"
    folder.mkdir()
    return NextgptAdapter.build_tiny({}, folder)


@pytest.fixture(scope="session")
def make(tiny: dict[str, object]) -> Make:
    """Makes an adapter with further options, and loads it unless `loaded` is False."""
    from omnigap_services.nextgpt.adapter import NextgptAdapter

    def load(loaded: bool = True, **options: object) -> NextgptAdapter:
        adapter = NextgptAdapter({**tiny, **options})
        if loaded:
            adapter.load()
        return adapter

    return load


@pytest.fixture(scope="session")
def adapter(make: Make) -> NextgptAdapter:
    """A loaded adapter with the control; tests must not change it."""
    return make(audio_control=True)


@pytest.fixture
def copied(tiny: dict[str, object], tmp_path: Path) -> dict[str, object]:
    """Options of a copy of the checkpoint that a test may change; `folder` is added by the tests themselves."""
    import shutil

    folder = tmp_path / "nextgpt-tiny"
    shutil.copytree(str(tiny["delta"]), folder)
    return {
        **tiny,
        "delta": str(folder),
        "vicuna": str(folder / "vicuna"),
        "imagebind": str(folder / "imagebind_huge.pth"),
    }
