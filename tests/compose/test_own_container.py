"""docs/own-container.md on a real engine: its commands are typed as they are, but what they write goes elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.compose.compose_project import PROJECT, ROOT, call, compose, exclusive_engine, inspect
from tests.compose.own_container import FILES, PAGE, blocks

pytestmark = [pytest.mark.compose, pytest.mark.timeout(1_800)]

OVERRIDE = tuple(word for file in FILES for word in ("-f", file))
ACTIVATED = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
OTHER_PORT = "6001"
CELLS = {("lookup", "t2t"): 12, ("lookup", "t2s"): 12}


def type_in(text: str, **replaced: str) -> str:
    """Types commands of the page in the clone's folder, with its environment activated; returns what they print.

    Args:
        replaced: paths that commands write to -> the ones that are used here. Each must be in the text.
    """
    for path, other in replaced.items():
        assert path in text
        text = text.replace(path, other)
    done = call(
        *("bash", "-euo", "pipefail", "-c", text),
        timeout_s=1_200,
        COMPOSE_FILE=os.pathsep.join(FILES),
        PATH=ACTIVATED,
    )
    assert done.returncode == 0, f"{text}\nexit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module", autouse=True)
def project() -> Iterator[None]:
    """Starts from an empty project, and removes everything but its images afterwards."""
    with exclusive_engine():
        down = (*OVERRIDE, "--profile", "*", "down", "--volumes", "--remove-orphans")
        compose(*down)
        try:
            yield
        finally:
            print(compose(*OVERRIDE, "logs", "--no-color", "--tail", "40", check=False))
            compose(*down)


def test_the_adapter_is_served_without_a_container() -> None:
    serve, conform = blocks("The adapter", "bash")
    with _served(serve) as ready:
        assert ready["port"] == 6000
        assert "0 failed" in type_in(conform)


def test_the_page_leads_from_the_base_image_to_a_report_and_asks_again_after_a_change(tmp_path: Path) -> None:
    (containers,) = blocks("Beside the other containers", "bash")
    assert "0 failed" in type_in(containers)
    assert _inspect("lookup")["State"]["Health"]["Status"] == "healthy"
    assert _inspect("lookup")["Config"]["User"] == "10001:10001"

    run, changed, *_ = blocks("A run", "bash")
    folder = tmp_path / "run"
    type_in(run, **{"runs/lookup": str(folder)})
    before = _results(folder)
    assert _answered(before) == CELLS and (folder / "report.html").exists()
    type_in(changed, **{"runs/lookup": str(folder)})
    after = _results(folder)
    assert _answered(after) == CELLS
    assert not set(after["model_digest"]) & set(before["model_digest"])


def test_a_child_image_is_healthy_on_a_port_that_only_its_command_names(tmp_path: Path) -> None:
    type_in("docker compose build service\ndocker compose build lookup")
    override = tmp_path / "port.yaml"
    entry = ["omnigap-serve", "lookup_model:LookupAdapter", "--port", OTHER_PORT]
    override.write_text(json.dumps({"services": {"lookup": {"entrypoint": entry}}}), encoding="utf-8")
    files = (*OVERRIDE, "-f", str(override))
    compose(*files, "up", "--detach", "--no-build", "--wait", "lookup", OMNIGAP_PULL_POLICY="missing")
    health = _inspect("lookup")["State"]["Health"]
    assert health["Log"][-1]["Output"].strip() == f"127.0.0.1:{OTHER_PORT}: SERVING"


@pytest.mark.images
def test_the_orchestrators_container_measures_it_by_name(tmp_path: Path) -> None:
    (_, configuration) = blocks("A run", "toml")
    study, runs = tmp_path / "study", tmp_path / "runs"
    study.mkdir()
    runs.mkdir()
    (study / "lookup.toml").write_text(configuration, encoding="utf-8")
    *_, commands = blocks("A run", "bash")
    variables = f"OMNIGAP_STUDY={study} OMNIGAP_RUNS={runs} OMNIGAP_ASR_PORT= OMNIGAP_ESPEAK_PORT="
    conform = "docker compose run --rm orchestrator conform lookup:6000"
    assert f"`{conform}`" in PAGE.read_text(encoding="utf-8")
    assert "0 failed" in type_in(f"export {variables}\ndocker compose build service\n{commands}{conform}")
    (results,) = runs.rglob("results.parquet")
    assert _answered(_results(results.parent)) == CELLS


@pytest.mark.images
def test_the_wheel_alone_makes_an_image_and_an_environment(tmp_path: Path) -> None:
    wheel, image, environment = blocks("From the wheel alone", "bash")
    # It takes the same port.
    type_in("docker compose rm --force --stop lookup")
    folder = tmp_path / "my-model"
    type_in(wheel, **{"my-model": str(folder)})
    named = f"{PROJECT}-wheel"
    image = image.replace("--tag lookup", f"--tag {named}").replace("--name lookup", f"--name {named}")
    try:
        type_in(image.removesuffix(" lookup\n") + f" {named}\n", **{"my-model": str(folder)})
        type_in(
            f"until docker inspect --format '{{{{.State.Health.Status}}}}' {named} | grep -qx healthy; do sleep 1; done"
        )
        assert "0 failed" in type_in("omnigap-orchestrate conform 127.0.0.1:6000")
    finally:
        subprocess.run(["docker", "rm", "--force", named], capture_output=True, check=False)
        subprocess.run(["docker", "rmi", named], capture_output=True, check=False)

    *install, serve = environment.replace("my-model", str(folder)).strip().splitlines()
    # What the tests add to the import path has the sources, and would hide that a file is missing in the wheel.
    clean = "unset PYTHONPATH\n"
    type_in(clean + "\n".join(install))
    with _served(f"{clean}cd {folder}\n{serve}") as ready:
        assert ready["name"] == "lookup_model:LookupAdapter"


@contextmanager
def _served(text: str) -> Iterator[dict[str, Any]]:
    """Types commands whose last one serves; yields what the service announces, and ends it."""
    *before, serve = text.strip().splitlines()
    command = ["bash", "-euc", "\n".join([*before, f"exec {serve}"])]
    environment = {**os.environ, "PATH": ACTIVATED}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as service:
        try:
            assert service.stdout
            yield json.loads(service.stdout.readline())
        finally:
            service.terminate()


def _results(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(folder / "results.parquet").filter(pl.col("outcome") == "answered")


def _answered(results: pl.DataFrame) -> dict[tuple[str, str], int]:
    return {
        (model, condition): count
        for model, condition, count in results.group_by("model", "condition").len().iter_rows()
    }


def _inspect(name: str) -> dict[str, Any]:
    return inspect(compose(*OVERRIDE, "ps", "--quiet", name).strip())
