"""Images of real models on a real engine without a GPU: weights from the volume, answers over gRPC."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from omnigap.v1 import model_service_pb2 as pb
from omnigap.v1.model_service_pb2_grpc import ModelServiceStub
from tests.compose.compose_project import ROOT, compose, exclusive_engine

pytestmark = [pytest.mark.compose, pytest.mark.timeout(3_600)]

FILES = ("-f", "compose.yaml", "-f", "docker/compose.cpu.yaml", "--profile", "*")
COMMIT = "0123456789abcdef0123456789abcdef01234567"
MICRO_WHISPER = ROOT / "services" / "omnigap_services" / "asr" / "checkpoint"


@pytest.fixture(scope="module", autouse=True)
def project() -> Iterator[None]:
    """Starts from an empty project, and removes everything of it afterwards."""
    with exclusive_engine():
        compose(*FILES, "down", "--volumes", "--remove-orphans")
        try:
            yield
        finally:
            print(compose(*FILES, "logs", "--no-color", "--tail", "40", check=False))
            compose(*FILES, "down", "--volumes", "--remove-orphans", "--rmi", "local")


@pytest.mark.parametrize("name", ["openai", "triton", "hf-chat"])
def test_an_image_without_a_gpu_is_built_with_its_service_installed(name: str) -> None:
    compose(*FILES, "build", name, timeout_s=2_400)
    listed = compose(*FILES, "run", "--rm", "--no-deps", "-T", "--entrypoint", "omnigap-serve", name, "--list")
    (line,) = [line for line in listed.splitlines() if line.split()[0] == name]
    assert line.endswith("installed")


def test_the_ocr_service_starts_by_its_profile_and_conforms() -> None:
    compose(*FILES, "build", "ocr", timeout_s=2_400)
    compose(*FILES, "up", "--detach", "--no-build", "--wait", "ocr", timeout_s=600)
    assert _conforms(50064)


def test_the_scorer_loads_a_checkpoint_from_the_volume(tmp_path: Path) -> None:
    """In the layout of the hub's cache, written by the user of `fetch` after the scorer used the volume."""
    compose(*FILES, "build", "asr", "fetch", timeout_s=2_400)
    compose(*FILES, "up", "--detach", "--no-build", "--wait", "asr", timeout_s=600)
    cache = tmp_path / "hub" / "models--omnigap--micro"
    shutil.copytree(MICRO_WHISPER, cache / "snapshots" / COMMIT)
    _copy_in(tmp_path / "hub", "/models")
    options = _options(tmp_path / "asr.toml", f'checkpoint = "omnigap/micro"\nrevision = "{COMMIT}"\n')
    compose(*FILES, "up", "--detach", "--no-build", "--wait", "asr", timeout_s=600, OMNIGAP_ASR_CONFIG=options)
    assert _describe(50062).weights_revision == f"omnigap/micro@{COMMIT}"


def test_qwen_omni_answers_in_all_six_conditions_from_a_container(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="NOT CHECKED: the tiny checkpoint is made with torch: make .venv/.models")
    command = [sys.executable, "-m", "tests.services.qwen_omni.tiny", "qwen2.5", str(tmp_path / "tiny")]
    subprocess.run(command, cwd=ROOT, check=True, timeout=300)
    compose(*FILES, "build", "fetch", "qwen-omni", timeout_s=2_400)
    _copy_in(tmp_path / "tiny", "/models")
    options = _options(
        tmp_path / "qwen-omni.toml",
        'checkpoint = "/models/tiny"\ndevice = "cpu"\ndtype = "float32"\n'
        "max_new_tokens = 8\ntalker_max_new_tokens = 16\ncpu_threads = 1\n",
    )
    variables = {"OMNIGAP_QWEN_OMNI_CONFIG": options}
    compose(*FILES, "up", "--detach", "--no-build", "--wait", "qwen-omni", timeout_s=600, **variables)
    assert _conforms(50080)


def _copy_in(folder: Path, into: str) -> None:
    """Copies a folder into the volume of weights, as the user of `fetch`."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    mount = f"{folder}:/from/{folder.name}:ro"
    arguments = ("--rm", "-T", "--volume", mount, "--entrypoint", "cp", "fetch", "-r", f"/from/{folder.name}", into)
    compose(*FILES, "run", *arguments)


def _options(path: Path, text: str) -> str:
    """Writes options to a file that the user of the container can read; the file itself is mounted."""
    path.write_text(text)
    path.chmod(0o644)
    return str(path)


def _conforms(port: int) -> dict[str, object]:
    """The findings of `conform`, which must all pass."""
    command = [
        str(Path(sysconfig.get_path("scripts")) / "omnigap-orchestrate"),
        "conform",
        f"127.0.0.1:{port}",
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    findings: dict[str, object] = json.loads(done.stdout)
    return findings


def _describe(port: int) -> pb.DescribeResponse:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        return ModelServiceStub(channel).Describe(pb.DescribeRequest(), timeout=60)
