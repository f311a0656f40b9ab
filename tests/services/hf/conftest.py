"""Tiny checkpoints of random weights, built once a session, and the services that serve them over real sockets."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

from tests.services.hf.hosting import Build, Built

THERE = all(importlib.util.find_spec(name) is not None for name in ("torch", "transformers", "peft", "gguf"))

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

if THERE:
    import torch

    from omnigap_services.torch_utils.generation import seeded
    from omnigap_services.torch_utils.versions import let_torchvision_import

    torch.set_num_threads(1)  # more threads than cores make tiny models slow
    let_torchvision_import()  # before anything of transformers is imported
else:
    collect_ignore_glob = ["test_*.py"]


def pytest_report_header() -> str:
    """Reports that none of these tests can run."""
    return (
        ""
        if THERE
        else "NOT TESTED: hf-chat, hf-tts and hf-asr, since torch, transformers, peft or gguf is not installed"
    )


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The folder of a tiny checkpoint; each is built once."""
    made: dict[Build, Path] = {}

    def build(builder: Build) -> Path:
        if builder not in made:
            with seeded(0):
                made[builder] = builder(tmp_path_factory.mktemp(builder.__name__))
        return made[builder]

    return build
