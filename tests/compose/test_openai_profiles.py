"""The profiles of a GPU server with its adapter: launch command, secrets, networks and addresses."""

from __future__ import annotations

import functools
import json
import tomllib
from typing import Any

import pytest

from omnigap_services.openai_server.options import preset_names, read_openai_options
from tests.compose.compose_project import compose

TOKEN, KEY = "hf_of_a_test", "sk_of_a_test"


@pytest.fixture
def services(compose_cli: None) -> dict[str, Any]:
    """All services of all profiles, as Compose reads them with both secrets in the environment."""
    return _services()


@functools.cache
def _services() -> dict[str, Any]:
    shown = compose("--profile", "*", "config", "--format", "json", HF_TOKEN=TOKEN, OPENAI_API_KEY=KEY)
    return json.loads(shown)["services"]


def test_only_fetch_gets_the_hub_token(services: dict[str, Any]) -> None:
    assert [name for name, service in services.items() if TOKEN in json.dumps(service)] == ["fetch"]


def test_only_adapters_that_need_the_api_key_get_it(services: dict[str, Any]) -> None:
    assert {name for name, service in services.items() if KEY in json.dumps(service)} == {"openai", "gpt-4o-audio"}


def test_a_gpu_server_has_no_internet_access_and_read_only_weights(services: dict[str, Any]) -> None:
    servers = {name: service for name, service in services.items() if name.endswith("-server")}
    assert len(servers) == 4
    for service in servers.values():
        assert set(service["networks"]) == {"services"}
        assert service["environment"]["HF_HUB_OFFLINE"] == "1"
        assert all(volume["read_only"] for volume in service["volumes"])
        assert service["deploy"]["resources"]["reservations"]["devices"][0]["device_ids"]


# Servers of these presets run outside of Compose.
NO_PROFILE = {"llama-cpp", "ollama"}


def test_only_servers_outside_of_compose_have_no_profile(services: dict[str, Any]) -> None:
    profiles = {profile for service in services.values() for profile in service.get("profiles", [])}
    assert set(preset_names()) - profiles == NO_PROFILE


@pytest.mark.parametrize("preset", sorted(set(preset_names()) - NO_PROFILE))
def test_a_profile_launches_the_command_of_its_preset(services: dict[str, Any], preset: str) -> None:
    found = {name: service for name, service in services.items() if service.get("profiles") == [preset]}
    servers = [name for name in found if name.endswith("-server")]
    (adapter,) = (service for name, service in found.items() if name not in servers)
    flag, shipped, again, own = adapter["command"]
    assert (flag, again, own) == ("--options", "--options", "")
    options = read_openai_options(tomllib.loads(shipped))
    assert options.preset == preset
    for name in servers:
        assert f"vllm serve {' '.join(found[name]['command'])}" == options.launch
        assert options.base_url == f"http://{name}:8091/v1"
        assert adapter["depends_on"][name]["condition"] == "service_healthy"
