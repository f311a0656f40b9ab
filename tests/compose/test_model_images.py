"""Images of real models on a real engine without a GPU: weights from the volume, answers over gRPC."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose.compose_project import ROOT, call, compose, conforms, described, exclusive_engine
from tests.helpers.tiny_piper import write_voice

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
            compose(*FILES, "down", "--volumes", "--remove-orphans")


@pytest.mark.parametrize("name", ["openai", "triton"])
def test_an_image_without_a_gpu_is_built_with_its_service_installed(name: str) -> None:
    compose(*FILES, "build", name, timeout_s=2_400)
    listed = compose(*FILES, "run", "--rm", "--no-deps", "-T", "--entrypoint", "omnigap-serve", name, "--list")
    (line,) = [line for line in listed.splitlines() if line.split()[0] == name]
    assert line.endswith("installed")


def test_the_ocr_service_starts_by_its_profile_and_conforms() -> None:
    compose(*FILES, "build", "ocr", timeout_s=2_400)
    compose(*FILES, "up", "--detach", "--no-build", "--wait", "ocr", timeout_s=600)
    conforms(50064)


def test_the_scorer_loads_a_checkpoint_from_the_volume(tmp_path: Path) -> None:
    """In the layout of the hub's cache, written by the user of `fetch` after the scorer used the volume."""
    compose(*FILES, "build", "asr", "fetch", timeout_s=2_400)
    compose(*FILES, "up", "--detach", "--no-build", "--wait", "asr", timeout_s=600)
    cache = tmp_path / "hub" / "models--omnigap--micro"
    shutil.copytree(MICRO_WHISPER, cache / "snapshots" / COMMIT)
    _copy_in(tmp_path / "hub")
    options = f'checkpoint = "omnigap/micro"\nrevision = "{COMMIT}"\n'
    compose(*FILES, "up", "--detach", "--no-build", "--wait", "asr", timeout_s=600, OMNIGAP_ASR_OPTIONS=options)
    assert described(50062).weights_revision.endswith(f"(omnigap/micro@{COMMIT})")


@pytest.mark.images
def test_piper_finds_an_imported_voice_by_its_name_and_conforms(tmp_path: Path) -> None:
    """A voice of the default name, from a folder of this machine; without it the container says what is missing."""
    compose(*FILES, "build", "piper", "fetch", timeout_s=2_400)
    missing = call("docker", "compose", *FILES, "up", "--detach", "--no-build", "--wait", "piper", timeout_s=600)
    assert missing.returncode != 0
    assert "'en_US-joe-medium'" in compose(*FILES, "logs", "--no-color", "piper")
    compose(*FILES, "rm", "--force", "--stop", "piper")

    write_voice(tmp_path / "mine", "en_US-joe-medium")
    into = shlex.join(["docker", "compose", *FILES, "run", "--rm", "-T", "fetch", "--import", "mine"])
    imported = call("bash", "-o", "pipefail", "-c", f"tar -C {shlex.quote(str(tmp_path / 'mine'))} -ch . | {into}")
    assert imported.returncode == 0, imported.stderr
    assert "note" not in imported.stderr
    compose(*FILES, "up", "--detach", "--no-build", "--wait", "piper", timeout_s=600)
    card = described(50065)
    assert [voice.name for voice in card.voices] == ["en_US-joe-medium"]
    assert "folder mine" in card.weights_revision
    conforms(50065)


@pytest.mark.images
@pytest.mark.parametrize("name", ["asr", "control"])
def test_an_image_for_a_gpu_has_its_own_name_and_finds_cublas(name: str) -> None:
    files = ("-f", "compose.yaml", "-f", "docker/compose.gpu.yaml", "--profile", "*")
    compose(*files, "build", name, timeout_s=2_400)
    (image,) = {image for image in compose(*files, "config", "--images", name).split() if image.endswith("-gpu:0.1.0")}
    program = "import ctypes; ctypes.CDLL('libcublas.so.12')"
    done = call("docker", "run", "--rm", "--entrypoint", "python", image, "-c", program)
    assert done.returncode == 0, done.stderr


def _copy_in(folder: Path) -> None:
    """Copies a folder into the volume of weights as it is, as the user of `fetch`."""
    into = ["docker", "compose", *FILES, "run", "--rm", "-T", "--entrypoint", "tar", "fetch", "-xC", "/models"]
    command = f"tar -C {shlex.quote(str(folder.parent))} -hc {folder.name} | {shlex.join(into)}"
    done = call("bash", "-o", "pipefail", "-c", command)
    assert done.returncode == 0, done.stderr
