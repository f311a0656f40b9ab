"""Tiny checkpoints of random weights, built once a session, and the services that serve them."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

import pytest

THERE = all(importlib.util.find_spec(name) is not None for name in ("torch", "transformers"))

# One core for each of two test processes; more threads than cores make tiny models slow.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

if THERE:
    from omnigap_services.torch_models.torchvision_shim import let_torchvision_import

    let_torchvision_import()  # before anything of transformers is imported
else:
    collect_ignore_glob = ["test_*.py"]


def pytest_report_header() -> str:
    """Says it where none of these tests can run."""
    return "" if THERE else "NOT TESTED: hf-chat, hf-tts and hf-asr, since torch or transformers is not installed"


Build = Callable[[Path], Path]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Build], Path]:
    """The folder of a tiny checkpoint; each is built once."""
    made: dict[Build, Path] = {}

    def build(builder: Build) -> Path:
        if builder not in made:
            made[builder] = builder(tmp_path_factory.mktemp(builder.__name__))
        return made[builder]

    return build
