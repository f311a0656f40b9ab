"""`make run-real` computes on the CPU: the build of PyTorch that it installs, and the devices of its example."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from omnigap_services.asr.options import AsrOptions
from omnigap_services.cascade.options import CascadeOptions
from omnigap_services.hf.chat.options import ChatOptions
from omnigap_services.options import Options

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = tomllib.loads((ROOT / "examples" / "real-cpu.toml").read_text(encoding="utf-8"))["fleet"]["services"]
CPU, CUDA = {"torch": "2.13.0+cpu"}, {"torch": "2.13.0", "cuda-bindings": "13.5.0"}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The Makefile and what it looks for, and an environment whose Python has no packages yet."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    shutil.copy(ROOT / "Makefile", tmp_path)
    for path in ("pyproject.toml", "requirements/real.lock.txt", "docker/requirements/torch.lock.txt"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    _script(tmp_path / ".venv/bin/python", f'PYTHONPATH="{tmp_path}/packages" exec "{sys.executable}" -S "$@"')
    _script(tmp_path / "tools/nvidia-smi", "exit 0")
    return tmp_path


def _script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)


def _builds(clone: Path, *arguments: str, gpu: bool = True, **variables: str) -> list[str]:
    """The builds of PyTorch that make would install."""
    kept = {name: value for name, value in os.environ.items() if name not in ("TORCH", "MAKEFLAGS", "MFLAGS")}
    tools = f"{clone}/tools:" if gpu else ""
    environment = {**kept, "PATH": tools + os.environ["PATH"], **variables}
    done = subprocess.run(
        ["make", "-n", "-C", str(clone), *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return re.findall(r"torch-(\w+)\.lock\.txt", done.stdout)


def _install(clone: Path, packages: dict[str, str]) -> None:
    for name, version in packages.items():
        folder = clone / "packages" / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("installed", "expected"),
    [({}, "cpu"), (CPU, "cpu"), (CUDA, "cuda"), ({**CUDA, **CPU}, "cpu"), ({"torch": "2.13.0"}, "cpu")],
    ids=["nothing", "cpu", "cuda", "cpu after cuda", "macOS"],
)
def test_run_real_takes_the_cpu_build_unless_the_other_one_is_there(
    clone: Path, installed: dict[str, str], expected: str
) -> None:
    _install(clone, installed)
    assert _builds(clone, "run-real") == [expected]


def test_make_models_still_takes_cuda_where_there_is_a_gpu(clone: Path) -> None:
    (clone / "requirements" / "models.lock.txt").touch()
    _install(clone, CPU)
    assert _builds(clone, "models") == ["cuda"]
    assert _builds(clone, "models", "TORCH=cpu") == ["cpu"]


@pytest.mark.parametrize("build", ["cpu", "cuda"])
def test_run_real_takes_the_build_that_is_asked_for(clone: Path, build: str) -> None:
    _install(clone, CUDA if build == "cpu" else CPU)
    assert _builds(clone, "run-real", f"TORCH={build}") == [build]
    assert _builds(clone, "run-real", TORCH=build) == [build]


@pytest.mark.parametrize(
    ("service", "kind"), [("asr", AsrOptions), ("smollm2", ChatOptions), ("small-cascade", CascadeOptions)]
)
def test_services_of_the_example_stay_on_the_cpu_where_there_is_a_gpu(service: str, kind: type[Options]) -> None:
    options = kind.model_validate(EXAMPLE[service]["options"])
    if isinstance(options, CascadeOptions):
        options = options.asr_options()
    assert isinstance(options, AsrOptions | ChatOptions)
    assert options.device == "cpu"
