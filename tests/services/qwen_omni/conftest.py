"""Tiny checkpoints of both families, loaded and served like real ones."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from omnigap.vocabulary import Modality
from tests.helpers.in_process import Host
from tests.helpers.serve_process import Served
from tests.services.qwen_omni.recorded import Recorded, ask, eight

if TYPE_CHECKING:
    from omnigap_services.qwen_omni.adapter import QwenOmniAdapter

Make = Callable[..., "QwenOmniAdapter"]

KINDS = ("qwen2.5", "qwen3")
NEEDED = ("torch", "transformers", "torchvision", "accelerate")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]

# A model with random weights rarely ends its answer.
CAPS: dict[str, Any] = {"max_new_tokens": 12, "talker_max_new_tokens": 16, "cpu_threads": 1}

# Before transformers is imported: nothing here may look for a hub.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

if MISSING:
    collect_ignore_glob = ["test_*.py"]


def pytest_report_header() -> str:
    """Reports that none of these tests can run."""
    return f"NOT TESTED: qwen-omni, since {', '.join(MISSING)} is not installed" if MISSING else ""


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder of each kind."""
    from omnigap_services.torch_utils.versions import let_torchvision_import

    let_torchvision_import()
    from omnigap_services.qwen_omni import tiny
    from omnigap_services.torch_utils.tiny import write

    root = tmp_path_factory.mktemp("checkpoints")
    folders = {kind: root / f"tiny-{kind}" for kind in KINDS}
    # Texts and speech of different lengths.
    for folder, kind, speech_end in zip(folders.values(), tiny.KINDS, (0.75, 1.0), strict=True):
        write(replace(kind, build=partial(kind.build, text_end=1.5, speech_end=speech_end)), folder, seed=1)
    return folders


@pytest.fixture(scope="session")
def make(checkpoints: dict[str, Path]) -> Make:
    """Makes an adapter of a kind with further options, and loads it unless `loaded` is False."""
    from omnigap_services.qwen_omni.adapter import QwenOmniAdapter

    def load(kind: str, loaded: bool = True, **options: Any) -> QwenOmniAdapter:
        adapter = QwenOmniAdapter({"checkpoint": str(checkpoints[kind]), **CAPS, **options})
        if loaded:
            adapter.load()
        return adapter

    return load


@pytest.fixture(scope="session", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each family in turn."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def adapter(kind: str, make: Make) -> QwenOmniAdapter:
    """A loaded adapter of each family; tests must not change it."""
    return make(kind)


@pytest.fixture(scope="session")
def written(adapter: QwenOmniAdapter) -> list[Recorded]:
    """`eight`, answered in text by one batch."""
    return ask(adapter, *eight(Modality.TEXT))


@pytest.fixture(scope="session")
def spoken(adapter: QwenOmniAdapter) -> list[Recorded]:
    """`eight`, answered in speech by one batch."""
    return ask(adapter, *eight(Modality.SPEECH))


@pytest.fixture(scope="session")
def served(kind: str, make: Make, hosted: Host) -> Served:
    """A running service of each family."""
    return hosted(make(kind, loaded=False))
