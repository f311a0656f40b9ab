"""The commands of the README and of docs/containers.md, typed from top to bottom in a copy of the clone."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from tests.compose.compose_project import PROJECT, ROOT, SERVICES, call, compose, exclusive_engine, script

pytestmark = [pytest.mark.compose, pytest.mark.timeout(3_600)]

ITEMS = 4
NOT_COPIED = (".*", "__pycache__", "*.egg-info", "runs", "sbom", "build", "dist", "training-work")
NOT_TYPED = {
    "README.md": ("echo 'COMPOSE_FILE=compose.yaml:docker/compose.gpu.yaml' >> .env",),
    "docs/containers.md": (
        "docker buildx imagetools inspect python:3.11-slim-bookworm",
        "make sbom",
        "echo 'COMPOSE_FILE=compose.yaml:docker/compose.gpu.yaml' >> .env",
    ),
}
"""First lines of the blocks that need a GPU, a registry or an environment of their own."""


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Path]:
    """A copy of the clone, in a folder with the project name of the tests, whose images it therefore shares."""
    folder = tmp_path / PROJECT
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*NOT_COPIED), symlinks=True)
    for name in (".env.example", ".dockerignore"):
        shutil.copy(ROOT / name, folder)
    (folder / "runs").mkdir()
    # As large as this test needs it.
    settings = folder / "docker" / "orchestrator.toml"
    settings.write_text(re.sub(r"(?m)^limit = \d+$", f"limit = {ITEMS}", settings.read_text()))
    (folder / "my-model").mkdir()
    (folder / "my-model" / "config.json").write_text("{}")
    with exclusive_engine():
        try:
            yield folder
        finally:
            print(compose("logs", "--no-color", "--tail", "40", check=False, folder=folder, project=None))
            compose("--profile", "*", "down", "--volumes", "--remove-orphans", folder=folder, project=None)


def test_the_containers_part_of_the_readme_can_be_typed(clone: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = re.search(r"^## Swap a container$.*?(?=^## )", text, re.MULTILINE | re.DOTALL)
    assert section
    _type(clone, "README.md", section[0])
    results = pl.read_parquet(clone / "runs" / "default" / "results.parquet")
    assert results["outcome"].to_list() == ["answered"] * ITEMS * 6

    # After an update of the sources, the next `up` starts what has changed.
    def running() -> dict[str, str]:
        return {name: compose("ps", "--quiet", name, folder=clone, project=None) for name in SERVICES}

    compose("up", "-d", "--wait", folder=clone, project=None, timeout_s=900)
    before = running()
    with (clone / "services" / "omnigap_services" / "espeak" / "adapter.py").open("a") as source:
        source.write("# an update\n")
    compose("up", "-d", "--wait", folder=clone, project=None, timeout_s=900)
    after = running()
    assert after["espeak"] != before["espeak"]
    assert after["asr"] == before["asr"]


@pytest.mark.images
def test_the_page_on_containers_can_be_typed(clone: Path) -> None:
    _type(clone, "docs/containers.md", (ROOT / "docs" / "containers.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", NOT_TYPED)
def test_what_is_not_typed_is_in_the_page(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert [line for line in NOT_TYPED[page] if line not in text] == []


def _type(clone: Path, page: str, text: str) -> None:
    """Runs each block of commands as a shell does, up to the first that fails."""
    blocks = re.findall(r"^```bash\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert blocks
    path = os.pathsep.join([str(Path(script("omnigap-orchestrate")).parent), os.environ["PATH"]])
    for block in blocks:
        if block.startswith(NOT_TYPED[page]):
            continue
        print(block)
        command = ("bash", "-e", "-o", "pipefail", "-c", block)
        # The host's run is as small as the container's.
        done = call(*command, folder=clone, project=None, timeout_s=1_800, PATH=path, OMNIGAP_RUN_LIMIT=str(ITEMS))
        assert done.returncode == 0, f"{page}: exit {done.returncode}\n{block}\n{done.stdout}\n{done.stderr}"
