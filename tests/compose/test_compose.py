"""`docker compose up` on a real engine: container isolation, runs on the host and in a container, a swapped model."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from tests.compose.compose_project import (
    PROJECT,
    ROOT,
    SERVICES,
    answered_at,
    compose,
    docker,
    ids,
    inspect,
    running_stack,
    script,
    stored_answers,
)

pytestmark = [pytest.mark.compose, pytest.mark.timeout(3_600)]

ITEMS = 6
OTHER_USER = 12_345
"""A user id that no user of the images has."""


@pytest.fixture(scope="module", autouse=True)
def stack() -> Iterator[None]:
    """The services, built from this tree and healthy."""
    with running_stack():
        yield


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_healthy_and_isolated(name: str) -> None:
    container = inspect(*ids(name))
    host = container["HostConfig"]
    assert container["State"]["Health"]["Status"] == "healthy"
    assert container["Config"]["User"] == "10001:10001"
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"] and not host["CapAdd"] and not host["Privileged"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert 0 < host["Memory"] == host["MemorySwap"]
    assert host["PidsLimit"] == 512
    assert host["Init"]
    assert not container["State"]["OOMKilled"]
    assert container["Config"]["StopTimeout"] >= 30
    assert compose("exec", "-T", name, "id", "-u").strip() == "10001"
    compose("exec", "-T", name, "sh", "-c", "! touch /opt/omnigap/written && touch /tmp/written")


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_lists_its_packages(name: str) -> None:
    listed = compose("exec", "-T", name, "cat", "/usr/share/omnigap/packages.txt")
    assert re.search(r"^libc6(:\w+)?\t\S+$", listed, re.MULTILINE)
    program = "from importlib.metadata import version; print(version('grpcio'))"
    installed = compose("exec", "-T", name, "python", "-c", program)
    assert f"grpcio=={installed.strip()}\n" in listed


def test_ports_are_open_on_loopback_only() -> None:
    for name in SERVICES:
        bindings = [port for ports in inspect(*ids(name))["NetworkSettings"]["Ports"].values() for port in ports or []]
        assert len(bindings) == 2
        assert {binding["HostIp"] for binding in bindings} == {"127.0.0.1"}


def test_the_network_has_no_internet_access() -> None:
    shown = docker("network", "inspect", f"{PROJECT}_services")
    assert json.loads(shown)[0]["Options"]["com.docker.network.bridge.enable_ip_masquerade"] == "false"


def test_a_run_on_the_host_finds_the_services_without_configuration(tmp_path: Path) -> None:
    output = _run("--run-dir", str(tmp_path / "found"))
    assert "Compose" in output
    assert _answered(tmp_path / "found") == {"demo": ITEMS * 6}


def test_a_run_in_a_container_writes_as_the_owner_of_the_runs_folder(tmp_path: Path) -> None:
    owner = OTHER_USER if os.getuid() == 0 else os.getuid()
    runs = tmp_path / "runs"
    runs.mkdir()
    os.chown(runs, owner, -1)
    compose("run", "--rm", "-T", "orchestrator", "run", "--limit", str(ITEMS), "--quiet", OMNIGAP_RUNS=str(runs))
    assert _answered(runs / "default") == {"demo": ITEMS * 6}
    assert {path.stat().st_uid for path in runs.rglob("*")} == {owner}


def test_after_swapping_a_model_only_its_container_and_cells_are_renewed(tmp_path: Path, echo: tuple[int, int]) -> None:
    port, metrics_port = echo
    config = tmp_path / "two_models.toml"
    config.write_text(
        '[[models]]\nname = "demo"\nendpoints = ["127.0.0.1:50063"]\n'
        f'[[models]]\nname = "echo"\nendpoints = ["127.0.0.1:{port}"]\n'
        '[scorer]\nendpoints = ["127.0.0.1:50062"]\n[tts]\nendpoints = ["127.0.0.1:50061"]\n'
    )
    arguments = ("--config", str(config), "--run-dir", str(tmp_path / "run"))
    _run(*arguments)
    before, digests = _ids(), _digests(tmp_path / "run")
    echoes = answered_at(f"127.0.0.1:{metrics_port}")
    assert _answered(tmp_path / "run") == {"demo": ITEMS * 6, "echo": ITEMS * 6}

    compose("up", "--detach", "--wait", OMNIGAP_DEMO_OPTIONS="min_match = 0.45")
    after = _ids()
    assert after["demo"] != before["demo"]
    assert {name: after[name] for name in ("espeak", "asr")} == {name: before[name] for name in ("espeak", "asr")}

    answers = stored_answers(tmp_path / "run")
    _run(*arguments)
    assert _answered(tmp_path / "run") == {"demo": ITEMS * 6, "echo": ITEMS * 6}
    assert _digests(tmp_path / "run")["demo"] != digests["demo"]
    assert _digests(tmp_path / "run")["echo"] == digests["echo"]
    assert answered_at(f"127.0.0.1:{metrics_port}") == echoes
    renewed = stored_answers(tmp_path / "run")
    assert len(renewed.keys() - answers.keys()) == ITEMS * 6

    _run(*arguments)
    assert stored_answers(tmp_path / "run") == renewed


@pytest.fixture
def echo() -> Iterator[tuple[int, int]]:
    """A second model outside of Compose: its port, and its metrics port."""
    command = [script("omnigap-serve"), "echo", "--metrics-port", "0", "--log-level", "warning", "--exit-with-parent"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        ready = json.loads(process.stdout.readline())
        yield ready["port"], ready["metrics_port"]
        process.terminate()


def _run(*arguments: str) -> str:
    """Output of a complete run on the host."""
    command = [script("omnigap-orchestrate"), "run", "--limit", str(ITEMS), "--quiet", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def _answered(folder: Path) -> dict[str, int]:
    results = pl.read_parquet(folder / "results.parquet").filter(pl.col("outcome") == "answered")
    return dict(results.group_by("model").len().iter_rows())


def _digests(folder: Path) -> dict[str, set[str]]:
    results = pl.read_parquet(folder / "results.parquet")
    return {model: set(rows["model_digest"]) for (model,), rows in results.group_by("model")}


def _ids() -> dict[str, list[str]]:
    return {name: ids(name) for name in SERVICES}
