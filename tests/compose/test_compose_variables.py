"""The variables of Compose: options, ports, replicas, GPUs and names, checked without an engine."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.compose.compose_project import ROOT, compose, configured, refused

GPU, CPU = "docker/compose.gpu.yaml", "docker/compose.cpu.yaml"
FILES = sorted((ROOT / "docker").glob("compose*.yaml"))
VARIABLES = sorted({name for path in FILES for name in re.findall(r"\$\{(\w+)", path.read_text(encoding="utf-8"))})
REMOVED = [name for name in VARIABLES if name.endswith("_CONFIG")]
OPTIONS = [name for name in VARIABLES if name.endswith("_OPTIONS")]
NEVER_WITH_A_FILE = {"OMNIGAP_PIPER_OPTIONS", "OMNIGAP_ANYGPT_OPTIONS", "OMNIGAP_NEXTGPT_OPTIONS"}
"""Of services that came after the variables for files were removed."""
OWN_IMAGE = re.compile(r"omnigap-test-([\w-]+):(.+)")

pytestmark = pytest.mark.usefixtures("compose_cli")


def test_every_service_with_options_takes_its_own_last() -> None:
    given = {name: f'own = "{name}"' for name in OPTIONS}
    found = {}
    for service, definition in configured(**given).items():
        command = definition.get("command") or []
        if "--options" in command:
            assert command[-2] == "--options"
            found[service] = tomllib.loads(command[-1])["own"]
            for position, word in enumerate(command[:-2]):
                if word == "--options":
                    tomllib.loads(command[position + 1])
    assert len(set(found.values())) == len(found)
    assert sorted(found.values()) == OPTIONS
    assert found["demo"] == "OMNIGAP_DEMO_OPTIONS"


@pytest.mark.parametrize("text", ["", 'a = "b c"', "a = 1\nb = '$HOME'\n[c]\nd = \"e\"\n", "# $$ ${X:-y} \\ `z`"])
def test_options_reach_the_command_line_unchanged(text: str) -> None:
    assert configured(OMNIGAP_ASR_OPTIONS=text)["asr"]["command"][-1].replace("$$", "$") == text


def test_options_of_several_lines_can_be_in_an_env_file(tmp_path: Path) -> None:
    path = tmp_path / "settings"
    path.write_text("OMNIGAP_ASR_OPTIONS='\nbeam_size = 1 # $HOME\nlanguage = \"en\"\n'\n")
    shown = compose("--env-file", str(path), "config", "--format", "json")
    text = json.loads(shown)["services"]["asr"]["command"][-1]
    assert tomllib.loads(text.replace("$$", "$")) == {"beam_size": 1, "language": "en"}


def test_nothing_that_a_container_starts_with_is_in_a_mounted_file() -> None:
    """Compose starts no container again when a mounted file changes."""
    for name, service in configured().items():
        sources = {each["source"] for each in service.get("volumes", []) if each["type"] == "bind"}
        assert not sources or name == "orchestrator", f"{name} mounts {sources}"
        assert not service.get("configs") and not service.get("env_file"), name


@pytest.mark.parametrize("variable", REMOVED)
def test_a_removed_variable_is_an_error_that_names_the_new_one(variable: str) -> None:
    # An empty one is not set.
    compose("config", "-q", **{variable: ""})
    message = refused("up", "--detach", **{variable: "./own.toml"})
    assert variable in message
    assert variable.replace("_CONFIG", "_OPTIONS") in message


def test_a_service_with_options_refuses_the_file_of_before() -> None:
    assert {name.replace("_CONFIG", "_OPTIONS") for name in REMOVED} == set(OPTIONS) - NEVER_WITH_A_FILE


@pytest.mark.parametrize("variable", ["OMNIGAP_RUNS", "OMNIGAP_STUDY"])
@pytest.mark.parametrize("value", ["mine", "./mine", "a/../mine"])
def test_paths_start_at_the_folder_of_the_clone(variable: str, value: str) -> None:
    target = {"OMNIGAP_RUNS": "/omnigap/runs", "OMNIGAP_STUDY": "/omnigap/study"}[variable]
    mounts = configured(**{variable: value})["orchestrator"]["volumes"]
    (source,) = [each["source"] for each in mounts if each["target"] == target]
    assert Path(source) == ROOT / "mine"


def test_a_bind_mount_never_makes_its_folder() -> None:
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert text.count("type: bind") == text.count("create_host_path: false")
        # The short form makes the folder, as root.
        assert not re.search(r"^\s*- [\"']?(?:[./~]|\$\{)[^\"'\n]*:/", text, re.MULTILINE), path.name


def test_every_port_and_number_of_containers_is_a_variable() -> None:
    ports = {name: "" for name in VARIABLES if name.endswith("_PORT")}
    replicas = {name: "3" for name in VARIABLES if name.endswith("_REPLICAS")}
    usual = configured()
    for name, service in configured(**ports, **replicas).items():
        assert all("published" not in port for port in service.get("ports", [])), name
        if usual[name].get("ports"):
            assert usual[name]["scale"] == 1 and service["scale"] == 3, name
            # The second form of the number must not contradict the first.
            assert (service.get("deploy") or {}).get("replicas", 3) == 3, name


def test_a_service_has_its_own_gpu_or_that_of_all() -> None:
    services = configured("compose.yaml", GPU, OMNIGAP_GPU_0="7", OMNIGAP_HF_CHAT_GPU="GPU-abc")
    chosen = {name: _gpus(service) for name, service in services.items() if _gpus(service)}
    assert chosen.pop("hf-chat") == ["GPU-abc"]
    assert {name for name in chosen if not name.endswith("-server")} == {
        "anygpt",
        "asr",
        "control",
        "hf-tts",
        "hf-asr",
        "nextgpt",
        "qwen-omni",
    }
    assert all(gpus[0] == "7" for gpus in chosen.values())


@pytest.mark.parametrize("tiny", ["", "1"])
@pytest.mark.parametrize("files", [[], ["compose.yaml", GPU], ["compose.yaml", CPU]], ids=["plain", "gpu", "cpu"])
def test_a_service_requires_a_gpu_exactly_if_one_is_reserved(files: list[str], tiny: str) -> None:
    for name, service in configured(*files, OMNIGAP_TINY=tiny).items():
        if not name.endswith("-server"):
            required = (service.get("environment") or {}).get("OMNIGAP_REQUIRE_GPU") == "1"
            assert required == bool(_gpus(service)), name
            assert not _gpus(service) or CPU not in files, name


def test_one_image_name_has_one_build() -> None:
    builds: dict[str, set[str]] = {}
    for files, tiny in (([], ""), ([], "1"), (["compose.yaml", GPU], ""), (["compose.yaml", CPU], "")):
        for service in configured(*files, OMNIGAP_TINY=tiny).values():
            if service.get("build"):
                builds.setdefault(service["image"], set()).add(json.dumps(service["build"], sort_keys=True))
    assert {image: len(found) for image, found in builds.items()} == dict.fromkeys(builds, 1)


def test_images_carry_the_version_of_the_project_and_are_built_before_they_run() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    for files in ([], ["compose.yaml", GPU], ["compose.yaml", CPU]):
        for name, service in configured(*files).items():
            if service.get("build"):
                found = OWN_IMAGE.fullmatch(service["image"])
                assert found and found[2] == version, f"{name}: {service['image']}"
                assert service["pull_policy"] == "build", name


def test_names_of_images_and_the_policy_can_be_chosen() -> None:
    services = configured(OMNIGAP_IMAGES="registry.example/team/omnigap", OMNIGAP_PULL_POLICY="missing")
    assert services["demo"]["image"].startswith("registry.example/team/omnigap-demo:")
    assert {service["pull_policy"] for service in services.values()} == {"missing"}


def test_two_clones_in_folders_of_different_names_share_nothing(tmp_path: Path) -> None:
    names: list[set[str]] = []
    for folder in ("omnigap", "My.Other-Clone 2"):
        clone = tmp_path / folder
        (clone / "docker").mkdir(parents=True)
        shutil.copy(ROOT / "compose.yaml", clone)
        for path in FILES:
            shutil.copy(path, clone / "docker")
        shown = json.loads(compose("--profile", "*", "config", "--format", "json", folder=clone, project=None))
        assert not [name for name, service in shown["services"].items() if "container_name" in service]
        images = {service["image"] for service in shown["services"].values() if service.get("build")}
        names.append(images | {each["name"] for part in ("networks", "volumes") for each in shown[part].values()})
        names[-1].add(shown["name"])
    assert not names[0] & names[1]
    assert "omnigap-demo:0.1.0" in names[0]


def test_the_example_of_settings_is_complete_and_changes_nothing(tmp_path: Path) -> None:
    example = ROOT / ".env.example"
    text = example.read_text(encoding="utf-8")
    assert not [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    # Variables of one kind are listed by their middle part: "_HF_TTS_, ... and _GPT_4O_OPTIONS".
    for name in set(VARIABLES) - set(REMOVED) - {"COMPOSE_PROJECT_NAME"}:
        stem, _, kind = name.rpartition("_")
        part = f"{stem.removeprefix('OMNIGAP')}_"
        assert name in text or (kind in ("OPTIONS", "MEMORY", "REPLICAS") and part in text), name
    command = ("--profile", "*", "config")
    assert compose("--env-file", str(example), *command) == compose(*command)


def test_the_settings_of_the_study_on_four_gpus_place_its_services(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "gpu-study.md").read_text(encoding="utf-8")
    block = re.search(r"^```bash\n(# \.env.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert block
    path = tmp_path / "settings"
    path.write_text(block[1])
    # The variable of the tests would have precedence.
    shown = compose("--env-file", str(path), "--profile", "*", "config", "--format", "json", project=None)
    services = json.loads(shown)["services"]
    assert tomllib.loads(services["asr"]["command"][-1])["checkpoint"] == "large-v3"
    assert services["asr"]["image"].endswith("-asr-gpu:0.1.0")
    placed = {name: _gpus(services[name]) for name in ("asr", "hf-tts", "qwen-omni", "hf-chat", "control")}
    assert placed == {"asr": ["3"], "hf-tts": ["3"], "qwen-omni": ["0"], "hf-chat": ["1"], "control": ["2"]}


def test_every_setting_of_the_example_is_used() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    used = {*VARIABLES, "COMPOSE_FILE", "COMPOSE_PROFILES", "COMPOSE_PROJECT_NAME"}
    assert set(re.findall(r"^#([A-Z][A-Z0-9_]+)=", text, re.MULTILINE)) <= used


def test_git_ignores_settings_and_studies() -> None:
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert ".env" in lines and "study/*" in lines
    assert (ROOT / "study").is_dir() and (ROOT / "runs").is_dir()


def _gpus(service: dict[str, Any]) -> list[str]:
    reservations = ((service.get("deploy") or {}).get("resources") or {}).get("reservations") or {}
    return [gpu for device in reservations.get("devices") or [] for gpu in device.get("device_ids", [])]
