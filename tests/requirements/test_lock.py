"""Tests of the lock files: complete, equal to constraints.txt, and the only way in which images and `make` install."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from requirements import lock

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(
    path for folder in (lock.IMAGES, lock.DEVELOPMENT, lock.TRITON, lock.OWN) for path in folder.glob("*.lock.txt")
)
BY_HAND = {"torch-cpu.lock.txt", "minicpm-o-server.lock.txt", "peers.lock.txt"}
UNCHECKED = {*BY_HAND, "torch-cuda.lock.txt", "requirements.lock.txt"}
"""Installed together with another lock file, which has what they need; or in another environment than the tests'."""
DOCKERFILES = sorted((ROOT / "docker").glob("*.Dockerfile"))
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]

A1X = "a==1 \\\n    --hash=sha256:x\n"


def _name(path: Path) -> str:
    return path.name


def _with_included(path: Path) -> dict[str, tuple[str, frozenset[str]]]:
    """The packages of a lock file, and of those that it includes."""
    text = path.read_text(encoding="utf-8")
    found = lock.entries(text)
    for name in re.findall(r"^-r (.+)$", text, re.MULTILINE):
        found |= _with_included(path.parent / name)
    return found


def _pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(each.name): str(each.specifier) for each in requirements}


def test_every_lock_file_is_written_by_the_script_or_kept_by_hand() -> None:
    assert {path.name for path in FILES} == {each.path.name for each in lock.LOCKS} | BY_HAND


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_every_package_has_hashes_and_the_version_of_the_constraints(path: Path) -> None:
    pins = _pins()
    packages = lock.entries(path.read_text(encoding="utf-8"))
    assert packages
    for name, (requirement, hashes) in packages.items():
        assert hashes and all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes), name
        if path.parent != lock.TRITON and path.name not in ("minicpm-o-server.lock.txt", "peers.lock.txt"):
            assert str(Requirement(requirement).specifier) == pins[name], f"{path.name}: {requirement}. Run: make lock"


@pytest.mark.parametrize("path", [path for path in FILES if path.name not in UNCHECKED], ids=_name)
def test_the_packages_of_a_lock_file_need_no_other_package(path: Path) -> None:
    """What is installed here says what it requires; packages that are not installed here cannot be checked."""
    packages = _with_included(path)
    if path.stem.partition(".")[0] in {"torch-services", "models", "train", "torch"}:
        packages |= _with_included(lock.image("torch-cpu")) | _with_included(lock.image("torch"))
    # The images of services install torch.lock.txt on top of service.lock.txt.
    packages |= _with_included(lock.image("service")) if path.name == "torch.lock.txt" else {}
    for name in packages:
        try:
            requires = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        for requirement in map(Requirement, requires):
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                needed = canonicalize_name(requirement.name)
                assert needed in packages or lock.CUDA.fullmatch(needed), f"{name}: {requirement}"


@pytest.mark.parametrize("extra", ["embedded", "test", "models", "train"])
def test_a_lock_file_of_make_has_everything_that_its_extra_lists(extra: str) -> None:
    packages = _with_included(lock.development(extra)) | _with_included(lock.image("torch-cpu"))
    packages |= _with_included(lock.image("torch"))
    pending, names = [extra], set()
    while pending:
        for requirement in map(Requirement, EXTRAS[pending.pop()]):
            if requirement.name == "omnigap":
                pending += requirement.extras
            else:
                names.add(canonicalize_name(requirement.name))
    assert names <= packages.keys()


@pytest.mark.parametrize("path", sorted(lock.IMAGES.glob("*[!k].txt")), ids=_name)
def test_a_lock_file_of_an_image_has_everything_that_its_list_names(path: Path) -> None:
    packages = _with_included(path.with_suffix(".lock.txt"))
    if path.stem in {"torch-services", "torch"}:
        packages |= _with_included(lock.image("torch")) | _with_included(lock.image("torch-cuda"))
    packages |= _with_included(lock.image("service")) if path.stem == "torch" else {}
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    assert {canonicalize_name(Requirement(line).name) for line in lines} <= packages.keys()


def test_two_versions_of_a_package_in_one_lock_file_are_refused() -> None:
    with pytest.raises(ValueError, match=r"a==1 .* and a==2 .*: pin one version"):
        lock.entries("a==1 ; python_version < '3.12'\na==2 ; python_version >= '3.12'\n")


def test_both_builds_of_torch_have_the_same_version() -> None:
    (cpu, cuda) = (_with_included(lock.image(f"torch-{build}"))["torch"] for build in ("cpu", "cuda"))
    assert cpu[0] == cuda[0]
    assert cpu[1] - cuda[1], "the CPU builds for Linux are other files than PyPI's"


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=_name)
def test_an_image_installs_only_files_with_a_hash_and_its_own_wheel(dockerfile: Path) -> None:
    commands = re.findall(r"pip (?:install|wheel|download)[^&\n]*", dockerfile.read_text(encoding="utf-8"))
    assert commands
    for command in commands:
        locked = "--require-hashes" in command and "--no-deps" in command and ".lock.txt" in command
        own = "--no-deps" in command and ("/wheels/*.whl" in command or "--no-build-isolation --wheel-dir" in command)
        known = dockerfile.name == "minicpm-o-server.Dockerfile" and "stepaudio2-minicpmo==" in command
        assert locked or own or known, command


def test_make_installs_only_files_with_a_hash_and_the_project_itself() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8").replace("$(LOCKED)", "$(PIP) install --require-hashes")
    for line in text.splitlines():
        if re.search(r"^\t.*(pip\b.*|\$\(PIP\)) install", line):
            assert "--require-hashes" in line or line.strip() == "$(PIP) install --no-deps --no-build-isolation -e .", (
                line
            )


def test_a_file_with_another_content_is_refused(tmp_path: Path) -> None:
    """pip, as images and `make` call it, with a wheel that has the right name and version and another content."""
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "iniconfig-2.3.1-py3-none-any.whl").write_bytes(b"another content")
    (tmp_path / "one.lock.txt").write_text(_iniconfig(), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-index",
        "--find-links",
        str(tmp_path / "wheels"),
        "--no-deps",
    ]
    command += ["--require-hashes", "--target", str(tmp_path / "installed"), "-r", str(tmp_path / "one.lock.txt")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert not (tmp_path / "installed").exists()


def _iniconfig() -> str:
    requirement, hashes = _with_included(lock.development("test"))["iniconfig"]
    return " ".join([requirement, *(f"--hash={each}" for each in sorted(hashes))]) + "\n"


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (A1X, A1X, []),
        (A1X, "a==1 \\\n    --hash=sha256:x \\\n    --hash=sha256:new\n", []),
        (A1X, "a==2 \\\n    --hash=sha256:x\n", ["a==1 should be a==2"]),
        (
            "a==1 \\\n    --hash=sha256:x\n",
            "a==1 \\\n    --hash=sha256:y\n",
            ["a: no file of the index has sha256:x"],
        ),
        (A1X, "", ["a is not needed"]),
        ("", A1X, ["a is missing"]),
        ("a==1\n", A1X, ["a has no hash"]),
    ],
)
def test_differences_name_what_makes_a_lock_file_stale(old: str, new: str, found: list[str]) -> None:
    assert list(lock.differences(old, new)) == found
