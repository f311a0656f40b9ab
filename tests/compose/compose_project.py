"""Shared by the container tests: the folder of the project, calls of Compose, and whether an engine is available."""

from __future__ import annotations

import fcntl
import functools
import json
import os
import re
import sqlite3
import subprocess
import sys
import sysconfig
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import grpc

from omnigap.v1 import model_service_pb2 as pb
from omnigap.v1.model_service_pb2_grpc import ModelServiceStub

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "omnigap-test"
"""Name of the Compose project of the tests, so that no other containers are touched."""
SERVICES = ("espeak", "asr", "demo")
"""What `docker compose up` starts."""


def compose(
    *arguments: str,
    timeout_s: float = 300,
    check: bool = True,
    folder: Path = ROOT,
    project: str | None = PROJECT,
    **variables: str,
) -> str:
    """Runs `docker compose ARGUMENTS` with `variables` in its environment; returns its output.

    Args:
        folder: the clone.
        project: None: what a user has, the name that Compose derives from the folder, and no file for tests.

    Raises:
        AssertionError: it failed and `check` is set; the message has its whole output.
    """
    done = call("docker", "compose", *arguments, folder=folder, timeout_s=timeout_s, project=project, **variables)
    shown = f"docker compose {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert not check or done.returncode == 0, shown
    return done.stdout


def refused(*arguments: str, **variables: str) -> str:
    """The error message of a `docker compose` that must fail."""
    done = call("docker", "compose", *arguments, **variables)
    assert done.returncode != 0, f"docker compose {' '.join(arguments)} succeeded\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def call(
    *command: str, folder: Path = ROOT, timeout_s: float = 300, project: str | None = PROJECT, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Runs a command without the settings of Compose that the developer's shell has."""
    # A build that a command starts reports on standard output.
    settings = {"BUILDKIT_PROGRESS": "quiet"}
    if project is not None:
        settings |= {"COMPOSE_PROJECT_NAME": project, "COMPOSE_FILE": "compose.yaml:tests/compose/quick.yaml"}
    return subprocess.run(
        command,
        cwd=folder,
        env={**_clean(dict(os.environ)), **settings, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def _clean(environment: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith(("COMPOSE_", "OMNIGAP_"))}


def configured(*files: str, **variables: str) -> dict[str, dict[str, Any]]:
    """The services of all profiles, as Compose reads them from its files (default: compose.yaml)."""
    named = [word for file in files for word in ("-f", file)]
    shown = compose(*named, "--profile", "*", "config", "--format", "json", **variables)
    services: dict[str, dict[str, Any]] = json.loads(shown)["services"]
    return services


@contextmanager
def exclusive_engine() -> Iterator[None]:
    """Holds a lock: the modules share project name, ports and images, and may run in two processes."""
    with (Path(tempfile.gettempdir()) / f"{PROJECT}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def running_stack() -> Iterator[None]:
    """The default services, built from this tree and healthy.

    Images stay, for the next module; `make clean` removes them.
    """
    everything = ("--profile", "*")
    with exclusive_engine():
        compose(*everything, "down", "--volumes", "--remove-orphans")
        try:
            compose("build", *SERVICES, "orchestrator", timeout_s=2_400, BUILDKIT_PROGRESS="plain")
            compose("up", "--detach", "--no-build", "--wait", timeout_s=600)
            yield
        finally:
            print(compose("logs", "--no-color", "--tail", "40", check=False))
            compose(*everything, "down", "--volumes", "--remove-orphans")


def ids(name: str) -> list[str]:
    """Ids of the containers of a service, also of stopped ones; empty if it has none."""
    return sorted(compose("ps", "--all", "--quiet", name).split())


def inspect(container: str) -> dict[str, Any]:
    """The state of a container, from `docker inspect`."""
    found: list[dict[str, Any]] = json.loads(docker("inspect", container))
    return found[0]


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=60, check=True).stdout


def requests(name: str) -> int:
    """Number of Generate calls that the only container of a service has answered since it started."""
    (count,) = requests_by_container(name).values()
    return count


def stored_answers(folder: Path) -> dict[str, float]:
    """Key and time of each answer in a run's journal. Unlike `requests`, not changed by other runs on this machine."""
    with closing(sqlite3.connect(f"file:{folder}/journal.sqlite?mode=ro", uri=True)) as journal:
        return dict(journal.execute("SELECT key, finished_at FROM answers"))


def requests_by_container(name: str) -> dict[str, int]:
    """The same for each container of a service, by id. Compose's own index of a container may have gaps."""
    inner = {"espeak": 9461, "asr": 9462, "demo": 9463}[name]
    return {container: answered_at(docker("port", container, f"{inner}/tcp").strip()) for container in ids(name)}


def answered_at(address: str) -> int:
    """The same by the address of the metrics."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as page:
        lines = page.read().decode()
    return sum(
        int(float(n)) for n in re.findall(r'^omnigap_requests_total\{.*outcome="answered".*\} (\S+)$', lines, re.M)
    )


def script(name: str) -> str:
    """Path of a console script of the current environment."""
    path = Path(sysconfig.get_path("scripts")) / name
    assert path.exists(), f"{name} is not installed next to {sys.executable}"
    return str(path)


def conforms(port: int) -> None:
    """Runs `conform` on a port of this machine, of which no check may fail."""
    command = [script("omnigap-orchestrate"), "conform", f"127.0.0.1:{port}", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.stdout, done.stderr
    unsuccessful = [
        f"{result['status']} {result['check']}: {result['message']}"
        for result in json.loads(done.stdout)["checks"]
        if result["status"] in ("failed", "warning")
    ]
    assert done.returncode == 0, "\n".join(unsuccessful)


def described(port: int) -> pb.DescribeResponse:
    """The card of the service at a port of this machine."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        return ModelServiceStub(channel).Describe(pb.DescribeRequest(), timeout=60)


@functools.cache
def missing_cli() -> str | None:
    """Why `docker compose` can't be called; None if it can."""
    if (ROOT / ".env").exists():
        return f"{ROOT / '.env'} changes what Compose does: move it away for the tests"
    return _fault(["docker", "compose", "version"], "the docker command with its Compose plugin")


@functools.cache
def missing_engine() -> str | None:
    """Why no engine can be used; None if one can."""
    return missing_cli() or _fault(["docker", "info"], "a Docker engine")


def _fault(command: list[str], what: str) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{what} does not answer: {error}"
    output = done.stderr.strip().splitlines() or ["no reason given"]
    return f"{what} does not answer: {output[-1]}" if done.returncode else None
