"""What `pip install` takes: the base is enough for a service, and the orchestrator names the missing packages."""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from omnigap_orchestrator.cli.main import PACKAGES
from tests.requirements.absent import run_without

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def _names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(each).name) for each in requirements}


def _every(extra: str) -> set[str]:
    """The packages of an extra, including those of other extras that it names."""
    found = set()
    for requirement in map(Requirement, EXTRAS[extra]):
        if requirement.name == "omnigap":
            found |= set().union(*map(_every, requirement.extras))
        else:
            found.add(canonicalize_name(requirement.name))
    return found


def _modules(packages: set[str]) -> set[str]:
    """The top-level modules of distributions."""
    owners = metadata.packages_distributions().items()
    return {module for module, owned in owners if packages & {canonicalize_name(each) for each in owned}}


BEYOND_BASE = _modules(set().union(*map(_every, EXTRAS)) - _names(PROJECT["dependencies"]))
"""Modules of all packages of all extras that are not in a slim install."""


def test_the_base_is_what_the_list_of_the_service_image_names() -> None:
    lines = (ROOT / "docker" / "requirements" / "service.txt").read_text(encoding="utf-8").splitlines()
    listed = [line for line in lines if line and not line.startswith("#")]
    assert _names(listed) == _names(PROJECT["dependencies"])


def test_a_service_needs_nothing_beyond_the_base() -> None:
    assert EXTRAS["service"] == []


@pytest.mark.parametrize("extra", ["embedded", "test"])
def test_an_extra_that_runs_the_orchestrator_includes_it(extra: str) -> None:
    assert _every(extra) >= _every("orchestrator")


def test_the_orchestrator_checks_for_every_package_of_its_extra() -> None:
    assert _names(list(PACKAGES)) == _every("orchestrator")
    for package, module in PACKAGES.items():
        assert module in _modules({canonicalize_name(package)}), package


def test_modules_of_the_extras_cannot_be_imported_in_these_tests() -> None:
    assert {"polars", "matplotlib", "scipy", "jinja2", "rich", "babel", "faster_whisper"} <= BEYOND_BASE
    done = run_without(BEYOND_BASE, "import polars")
    assert "ModuleNotFoundError: No module named 'polars'" in done.stderr


def test_contract_and_server_are_imported_without_any_extra() -> None:
    contract = sorted(path.stem for path in (ROOT / "proto" / "omnigap").glob("[!_]*.py"))
    server = ("adapter", "echo", "probe", "serve", "server", "server.lifecycle")
    names = [*(f"omnigap.{name}" for name in (*contract, "media")), *(f"omnigap_services.{name}" for name in server)]
    done = run_without(BEYOND_BASE, "".join(f"import {name}\n" for name in names))
    assert done.returncode == 0, done.stderr


def test_a_service_is_listed_without_any_extra() -> None:
    code = "import sys; sys.argv = ['omnigap-serve', '--list']\n" + _MAIN.format("services.serve")
    done = run_without(BEYOND_BASE, code)
    assert done.returncode == 0, done.stderr
    assert "omnigap_services.echo:EchoAdapter" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        (["--help"], [*PACKAGES]),
        ([], [*PACKAGES]),
        (["doctor"], [*PACKAGES]),
        (["run", "--help"], ["polars"]),
        (["plan"], ["whisper-normalizer", "text2num"]),
    ],
    ids=str,
)
def test_the_orchestrator_without_its_extra_prints_in_one_line_what_to_install(
    arguments: list[str], missing: list[str]
) -> None:
    code = f"import sys; sys.argv = ['omnigap-orchestrate', *{arguments!r}]\n" + _MAIN.format("orchestrator.cli.main")
    done = run_without([PACKAGES[name] for name in missing], code)
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "pip install 'omnigap[orchestrator]'" in line
    assert all(name in line for name in missing)


_MAIN = "from omnigap_{} import main; main()"
