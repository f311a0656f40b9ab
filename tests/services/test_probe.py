"""The health check of a container, and the port file through which it finds the service."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from omnigap_services.probe import PORT_FILE_VARIABLE, PortFileError, read_port_file, write_port_file
from tests.helpers.serve_command import PATIENCE_S, Launch, announced, failure


def probe(*arguments: str, port_file: Path | str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "omnigap_services.probe", *arguments],
        env={**os.environ, PORT_FILE_VARIABLE: str(port_file)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


def has_ipv6() -> bool:
    with socket.socket(socket.AF_INET6) as tried:
        try:
            tried.bind(("::1", 0))
        except OSError:
            return False
    return True


NEEDS_IPV6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@pytest.mark.parametrize("flag", [True, False])
@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "0.0.0.0",
        "localhost",
        *(
            pytest.param(host, marks=pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here"))
            for host in ("::1", "::")
        ),
    ],
)
def test_a_probe_without_an_address_finds_the_service(launch: Launch, tmp_path: Path, host: str, flag: bool) -> None:
    port_file = tmp_path / "port"
    if flag:
        process = launch("echo", "--host", host, "--port-file", str(port_file))
    else:
        process = launch("echo", "--host", host, **{PORT_FILE_VARIABLE: str(port_file)})
    port = announced(process)["port"]
    found = probe(port_file=port_file)
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.rstrip().endswith(f":{port}: SERVING")
    # A given address goes first.
    assert probe("127.0.0.1:1", port_file=port_file).returncode == 1


LOADING = """
import threading
from omnigap_services.adapter import Adapter

class Loading(Adapter):
    def load(self):
        print("loading", flush=True)
        threading.Event().wait()
    def generate(self, batch): ...
"""


def test_a_service_that_loads_is_not_serving(launch: Launch, tmp_path: Path) -> None:
    (tmp_path / "slow_model.py").write_text(LOADING)
    process = launch("slow_model:Loading", "--port-file", "port")
    assert process.stdout is not None
    assert process.stdout.readline() == "loading\n"
    found = probe(port_file=tmp_path / "port")
    assert found.returncode == 1
    assert "NOT_SERVING" in found.stdout


def test_a_restart_on_another_port_replaces_the_file(launch: Launch, tmp_path: Path) -> None:
    for _ in range(2):
        process = launch("echo", "--port-file", "port")
        port = announced(process)["port"]
        assert read_port_file(tmp_path / "port") == f"127.0.0.1:{port}"
        process.kill()
    assert probe(port_file=tmp_path / "port").returncode == 1
    assert [path.name for path in tmp_path.iterdir()] == ["port"]


def test_a_file_that_cannot_be_written_is_an_error_that_names_flag_and_variable(launch: Launch) -> None:
    message = failure(launch("echo", "--port-file", "no_such_folder/port"))
    assert "--port-file no_such_folder/port" in message
    assert PORT_FILE_VARIABLE in message


def test_without_address_and_variable_the_usage_is_printed() -> None:
    found = probe()
    assert found.returncode == 2
    assert PORT_FILE_VARIABLE in found.stderr


@pytest.mark.parametrize("text", [None, "", "port", "127.0.0.1:", "\xff"])
def test_a_file_without_a_port_is_an_error(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "port"
    if text is not None:
        path.write_text(text)
    with pytest.raises(PortFileError, match=PORT_FILE_VARIABLE):
        read_port_file(path)
    found = probe(port_file=path)
    assert found.returncode == 1
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.1", "192.0.2.1:7"),
        ("model", "model:7"),
        ("::1", "[::1]:7"),
        ("0.0.0.0", "127.0.0.1:7"),
        ("", "127.0.0.1:7"),
    ],
)
def test_the_file_names_the_host_that_loopback_does_not_reach(tmp_path: Path, host: str, address: str) -> None:
    write_port_file(tmp_path / "port", host, 7)
    assert read_port_file(tmp_path / "port") == address
