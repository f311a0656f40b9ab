"""The bill of materials that `make sbom` writes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from requirements import lock

ROOT = Path(__file__).resolve().parents[2]
CYCLONEDX = ROOT / ".venv-sbom" / "bin" / "cyclonedx-py"

pytestmark = pytest.mark.skipif(not CYCLONEDX.exists(), reason="NOT CHECKED: cyclonedx-py is not installed: make sbom")


def _components(output: Path, *arguments: str) -> dict[str, dict]:
    command = [str(CYCLONEDX), *arguments, "--output-reproducible", "-o", str(output)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    document = json.loads(output.read_text(encoding="utf-8"))
    assert document["bomFormat"] == "CycloneDX"
    return {each["name"]: each for each in document["components"]}


def test_the_environment_is_listed_with_versions(tmp_path: Path) -> None:
    components = _components(tmp_path / "environment.cdx.json", "environment", sys.executable)
    pins = lock.entries((ROOT / "requirements" / "embedded.lock.txt").read_text(encoding="utf-8"))
    assert f"grpcio=={components['grpcio']['version']}" == pins["grpcio"][0]


def test_an_image_is_listed_with_the_packages_of_its_lock_file(tmp_path: Path) -> None:
    path = lock.image("espeak")
    components = _components(tmp_path / "espeak.cdx.json", "requirements", str(path))
    included = lock.entries(lock.image("service").read_text(encoding="utf-8"))
    packages = included | lock.entries(path.read_text(encoding="utf-8"))
    assert components.keys() == packages.keys()
    assert components["grpcio"]["version"] == packages["grpcio"][0].partition("==")[2]
    hashes = json.dumps(components["grpcio"])
    assert all(each.removeprefix("sha256:") in hashes for each in packages["grpcio"][1])
