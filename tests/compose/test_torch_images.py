"""The services on PyTorch: one Dockerfile, and tiny random weights on a machine without a GPU by OMNIGAP_TINY."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from omnigap.v1 import model_service_pb2 as pb
from tests.compose.compose_project import compose, configured, conforms, described, docker, exclusive_engine, inspect

SERVICES = {
    "anygpt": ("anygpt", "50081"),
    "hf-asr": ("hf", "50091"),
    "hf-chat": ("hf", "50092"),
    "hf-tts": ("hf", "50090"),
    "nextgpt": ("nextgpt", "50082"),
    "qwen-omni": ("qwen_omni", "50080"),
}
"""Package of services/omnigap_services and published port of each service on PyTorch."""
IN_CI = ("anygpt", "nextgpt")
"""Services whose tiny container every test run starts; `--images` starts all of them."""
SIX = {"qwen-omni": 6, "anygpt": 6}
"""Number of conditions of the models that answer in speech."""
TINY = {"OMNIGAP_TINY": "1"}
CPU_FILE = "docker/compose.cpu.yaml"

STARTED = [name if name in IN_CI else pytest.param(name, marks=pytest.mark.images) for name in SERVICES]


@pytest.mark.usefixtures("compose_cli")
def test_the_services_of_the_dockerfile_are_these() -> None:
    found = {
        name: (service["build"]["args"]["PACKAGE"], service["ports"][0]["published"])
        for name, service in configured().items()
        if (service.get("build") or {}).get("dockerfile") == "docker/torch.Dockerfile"
    }
    assert found == SERVICES


@pytest.mark.usefixtures("compose_cli")
@pytest.mark.parametrize("name", SERVICES)
def test_without_tiny_a_service_needs_a_gpu(name: str) -> None:
    service = configured(OMNIGAP_TINY="")[name]
    assert service == configured()[name]
    assert service["image"] == f"omnigap-test-{name}:0.1.0"
    assert service["environment"]["OMNIGAP_REQUIRE_GPU"] == "1"
    assert "OMNIGAP_SERVE_TINY" not in service["environment"]
    assert _arguments(service) == {"PACKAGE": SERVICES[name][0], "SERVICE": name}
    assert [device["driver"] for device in _devices(service)] == ["nvidia"]


@pytest.mark.usefixtures("compose_cli")
@pytest.mark.parametrize("files", [[], ["compose.yaml", CPU_FILE]], ids=["plain", "cpu"])
@pytest.mark.parametrize("name", SERVICES)
def test_tiny_alone_runs_a_service_without_a_gpu(name: str, files: list[str]) -> None:
    service = configured(*files, **TINY)[name]
    assert service["image"] == f"omnigap-test-{name}-cpu:0.1.0"
    assert service["environment"] == {"OMNIGAP_SERVE_TINY": "1"}
    assert _arguments(service) == {"PACKAGE": SERVICES[name][0], "SERVICE": name, "TORCH": "torch-cpu"}
    assert _devices(service) == []


@pytest.mark.usefixtures("compose_cli")
@pytest.mark.parametrize("name", SERVICES)
def test_real_weights_on_a_cpu_differ_from_tiny_ones_in_the_flag_only(name: str) -> None:
    tiny, real = configured(**TINY)[name], configured("compose.yaml", CPU_FILE)[name]
    # Empty: not set, for omnigap-serve.
    assert real["environment"].pop("OMNIGAP_SERVE_TINY") == ""
    assert tiny["environment"].pop("OMNIGAP_SERVE_TINY") == "1"
    assert tiny["healthcheck"].pop("interval") == "2s"  # of the tests' own file
    assert {key: value for key, value in tiny.items() if key != "healthcheck"} == real


@pytest.mark.usefixtures("compose_cli")
def test_tiny_changes_only_services_on_pytorch_and_the_scorer_of_the_cascade() -> None:
    plain, tiny = configured(), configured(**TINY)
    assert {name for name in plain if plain[name] != tiny[name]} == {*SERVICES, "control"}
    assert plain["control"].pop("command") != tiny["control"].pop("command")
    assert plain["control"] == tiny["control"]


@pytest.fixture(scope="module")
def engine() -> Iterator[None]:
    """The engine for this module alone; nothing of its containers is left."""
    everything = ("--profile", "*")
    with exclusive_engine():
        compose(*everything, "down", "--volumes", "--remove-orphans")
        try:
            yield
        finally:
            print(compose(*everything, "logs", "--no-color", "--tail", "40", check=False, **TINY))
            compose(*everything, "down", "--volumes", "--remove-orphans", **TINY)


@pytest.mark.compose
@pytest.mark.timeout(3_600)
@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("name", STARTED)
def test_a_tiny_container_starts_by_its_profile_and_conforms(name: str) -> None:
    """With nothing else set: read-only, offline, an empty volume, no GPU."""
    profile = ("--profile", name)
    compose(*profile, "build", name, timeout_s=2_400, **TINY)
    compose(*profile, "up", "--detach", "--no-build", "--wait", name, timeout_s=600, **TINY)
    card = described(int(SERVICES[name][1]))
    assert card.random_weights
    assert _able(card) == SIX.get(name, _able(card)) > 0
    conforms(int(SERVICES[name][1]))
    (container,) = compose(*profile, "ps", "--quiet", name, **TINY).split()
    assert inspect(container)["RestartCount"] == 0
    compose(*profile, "rm", "--force", "--stop", name, **TINY)


@pytest.mark.compose
@pytest.mark.images
@pytest.mark.timeout(3_600)
@pytest.mark.usefixtures("engine")
def test_a_tiny_cascade_starts_by_its_profile_and_conforms() -> None:
    profile = ("--profile", "control")
    compose(*profile, "build", "control", "hf-chat", "hf-tts", timeout_s=2_400, **TINY)
    compose(*profile, "up", "--detach", "--no-build", "--wait", "control", timeout_s=900, **TINY)
    assert _able(described(50094)) == 6
    conforms(50094)
    compose(*profile, "rm", "--force", "--stop", "control", "hf-chat", "hf-tts", **TINY)


@pytest.mark.compose
@pytest.mark.images
@pytest.mark.timeout(3_600)
@pytest.mark.usefixtures("engine")
def test_images_share_all_layers_below_their_own_sources() -> None:
    compose("build", *SERVICES, timeout_s=2_400, **TINY)
    layers = {name: _layers(f"omnigap-test-{name}-cpu:0.1.0") for name in SERVICES}
    first = layers["hf-chat"]
    assert len({tuple(each[:-1]) for each in layers.values()}) == 1
    # One wheel of the same sources, in three images.
    assert len({each[-1] for name, each in layers.items() if SERVICES[name][0] == "hf"}) == 1
    assert len({each[-1] for each in layers.values()}) == len({package for package, _ in SERVICES.values()})
    assert len(first) > 4


def _layers(image: str) -> list[str]:
    found: list[str] = json.loads(docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", image))
    return found


def _able(card: pb.DescribeResponse) -> int:
    return sum(each.support in (pb.SUPPORT_NATIVE, pb.SUPPORT_ASSISTED) for each in card.conditions)


def _arguments(service: dict[str, Any]) -> dict[str, str]:
    given: dict[str, str] = service["build"]["args"]
    return {name: value for name, value in given.items() if name not in ("BASE_IMAGE", "COMMIT")}


def _devices(service: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = service["deploy"]["resources"]["reservations"].get("devices", [])
    return found
