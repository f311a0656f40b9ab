"""Every container of every profile is confined in the same way; exceptions are listed here with their reason."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import pytest

from tests.compose.compose_project import ROOT, configured

OVERLAYS = {"plain": (), "gpu": ("docker/compose.gpu.yaml",), "cpu": ("docker/compose.cpu.yaml",), "tiny": ()}
CAPABILITIES = {"orchestrator": ["SETUID", "SETGID"]}
"""It starts as root to switch to the owner of the runs folder."""
WRITABLE = {"orchestrator": {"/omnigap/runs"}, "fetch": {"/models"}}
EXECUTABLE_TMP = re.compile(r".*-server")
"""vLLM loads kernels that it compiled at start."""
SERVERS = re.compile(r"[\w-]+-server")
OUTWARD = {"fetch", "openai", "ming-flash-omni-2-sglang", "gpt-4o-audio", "triton"}
"""`fetch`, and adapters whose server is not in Compose."""

pytestmark = pytest.mark.usefixtures("compose_cli")


@functools.cache
def _services(overlay: str) -> dict[str, dict[str, Any]]:
    return configured("compose.yaml", *OVERLAYS[overlay], OMNIGAP_TINY="1" if overlay == "tiny" else "")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_container_is_confined(overlay: str) -> None:
    for name, service in _services(overlay).items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service.get("cap_add", []) == CAPABILITIES.get(name, []), name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["init"] is True, name
        assert not service.keys() & {"privileged", "ipc", "pid", "network_mode", "userns_mode", "devices"}, name
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_memory_processes_and_temporary_files_are_limited(overlay: str) -> None:
    for name, service in _services(overlay).items():
        assert int(service["mem_limit"]) == int(service["memswap_limit"]) > 0, name
        assert 0 < service["pids_limit"] <= 16_384, name
        (tmpfs,) = service["tmpfs"]
        found = re.fullmatch(r"/tmp:size=(\d+)([mg]),mode=1777(,exec)?", tmpfs)
        assert found, f"{name}: {tmpfs}"
        assert bool(found[3]) == bool(EXECUTABLE_TMP.fullmatch(name)), name
        assert int(found[1]) * {"m": 2**20, "g": 2**30}[found[2]] <= int(service["mem_limit"]), name


def test_a_variable_sets_the_memory_of_each_container() -> None:
    variables = set()
    for path in (ROOT / "docker").glob("compose.*.yaml"):
        variables |= set(re.findall(r"OMNIGAP_\w+_MEMORY", path.read_text(encoding="utf-8")))
    for name, service in configured(**dict.fromkeys(variables, "3g")).items():
        assert int(service["mem_limit"]) == int(service["memswap_limit"]) == 3 * 2**30, name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_mounts_are_read_only_but_for_the_runs_and_the_weights_of_fetch(overlay: str) -> None:
    for name, service in _services(overlay).items():
        mounts = service.get("volumes", [])
        assert {each["target"] for each in mounts if not each.get("read_only")} == WRITABLE.get(name, set()), name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_networks_and_ports_are_those_that_a_container_needs(overlay: str) -> None:
    for name, service in _services(overlay).items():
        assert ("outward" in service["networks"]) == (name in OUTWARD), name
        assert {port["host_ip"] for port in service.get("ports", [])} <= {"127.0.0.1"}, name
        assert not (SERVERS.fullmatch(name) and service.get("ports")), name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_container_but_the_orchestrator_runs_as_root(overlay: str) -> None:
    for name, service in _services(overlay).items():
        assert (
            service.get("user") == "10001:10001" or "USER 10001:10001" in _dockerfile(service) or name == "orchestrator"
        )


def _dockerfile(service: dict[str, Any]) -> str:
    path = (service.get("build") or {}).get("dockerfile")
    return (ROOT / Path(path)).read_text(encoding="utf-8") if path else ""
