"""Hash-locked requirements: every package of an install at one version, with the SHA-256 of each of its files on PyPI.

    python requirements/lock.py            # write all lock files, after a change of constraints.txt or of a list
    python requirements/lock.py --check    # exit status 1 if a lock file differs from what would be written

uv resolves, within constraints.txt; requirements/README.md says which file is installed where. A check accepts files
that were added to the index since, but no other version, and no hash that the index lacks.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docker" / "requirements"
DEVELOPMENT = ROOT / "requirements"
TRITON = ROOT / "examples" / "triton"
OWN = ROOT / "examples" / "own-container"
CUDA = re.compile(r"torch|triton|nvidia-.*|cuda-.*")
"""What differs between the CUDA and the CPU build of PyTorch; torch-cpu.lock.txt is kept by hand."""

WHEELS = "--only-binary :all:"


@dataclass(frozen=True, slots=True)
class Lock:
    """One lock file.

    Attributes:
        sources: arguments of `uv pip compile`: lists of requirements, or pyproject.toml with extras.
        on: lock files whose packages are left out here, because they are installed too.
        included: the files of `on` that this one includes with `-r`.
        only: packages are kept only if their name matches; `without` is its opposite.
        options: lines of pip's options. Images take wheels only: what builds a source archive, pip fetches without
            a hash.
        resolution: for which platforms and versions uv resolves, and within which constraints.
    """

    path: Path
    sources: tuple[str, ...]
    on: tuple[Path, ...] = ()
    included: tuple[Path, ...] = ()
    only: re.Pattern[str] | None = None
    without: re.Pattern[str] | None = None
    options: tuple[str, ...] = (WHEELS,)
    resolution: tuple[str, ...] = ("--universal", "--constraints", f"{ROOT}/constraints.txt")


def image(name: str) -> Path:
    return IMAGES / f"{name}.lock.txt"


def development(name: str) -> Path:
    return DEVELOPMENT / f"{name}.lock.txt"


def _service(name: str, *, torch: bool = False, options: tuple[str, ...] = (WHEELS,)) -> Lock:
    base = (image("service"),)
    on = (*base, image("torch"), image("torch-cuda")) if torch else base
    return Lock(image(name), (f"{IMAGES}/service.txt", f"{IMAGES}/{name}.txt"), on, base, options=options)


def _extra(name: str, *, torch: bool = False) -> Lock:
    base = (development("embedded"),)
    on = (*base, image("torch"), image("torch-cuda")) if torch else base
    return Lock(development(name), (f"{ROOT}/pyproject.toml", "--extra", name), on, base, options=())


LOCKS = (
    Lock(image("build"), (f"{IMAGES}/build.txt",)),
    Lock(image("service"), (f"{IMAGES}/service.txt",)),
    Lock(image("torch-cuda"), (f"{IMAGES}/torch.txt",), only=CUDA),
    Lock(image("torch"), (f"{IMAGES}/torch.txt",), (image("service"),), without=CUDA),
    Lock(image("orchestrator"), (f"{IMAGES}/orchestrator.txt",)),
    Lock(image("fetch"), (f"{IMAGES}/fetch.txt",)),
    _service("asr"),
    Lock(
        image("asr-gpu"),
        tuple(f"{IMAGES}/{name}.txt" for name in ("service", "asr", "asr-gpu")),
        (image("service"), image("asr")),
        (image("asr"),),
    ),
    *map(_service, ("cascade", "demo", "espeak", "ocr", "openai", "piper", "triton")),
    # docopt, which num2words needs, has no wheel: images build it with the setuptools of torch.lock.txt.
    _service("torch-services", torch=True, options=(WHEELS, "--no-binary docopt")),
    Lock(development("embedded"), (f"{ROOT}/pyproject.toml", "--extra", "embedded"), options=()),
    _extra("test"),
    _extra("models", torch=True),
    _extra("real", torch=True),
    _extra("train", torch=True),
    Lock(development("sbom"), (f"{DEVELOPMENT}/sbom.txt",), options=()),
    # Installed in an image that has service.lock.txt already.
    Lock(
        OWN / "requirements.lock.txt",
        (f"{IMAGES}/service.txt", f"{OWN}/requirements.txt"),
        (image("service"),),
    ),
    # Not within constraints.txt: this Triton needs another NumPy. Its wheel is for Linux on x86_64 only.
    Lock(
        TRITON / "requirements.lock.txt",
        (f"{TRITON}/requirements.txt",),
        options=(),
        resolution=("--python-platform", "x86_64-manylinux_2_35"),
    ),
)


UV_FAILED = 2
"""Status of uv if it could not try, because the index can't be reached."""
UNREACHABLE = 3


def entries(text: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Name of each package of a lock file -> its requirement without hashes, and the hashes.

    Raises:
        ValueError: a package has several versions, for several platforms: constraints.txt must choose one.
    """
    found: dict[str, tuple[str, frozenset[str]]] = {}
    for block in re.split(r"\n(?=\S)", text):
        requirement, *hashes = re.split(r"\s*\\?\s+--hash=", block.strip())
        if match := re.match(r"([\w.-]+)==", requirement):
            name = re.sub(r"[-_.]+", "-", match[1]).lower()
            if name in found:
                raise ValueError(f"{found[name][0]} and {requirement}: pin one version in constraints.txt")
            found[name] = requirement, frozenset(hashes)
    return found


def _render(lock: Lock, packages: dict[str, tuple[str, frozenset[str]]]) -> str:
    taken = {name for path in lock.on for name in entries(path.read_text(encoding="utf-8"))}
    lines = ["# Written by requirements/lock.py."]
    # After the included files: their `:all:` would undo an exception.
    lines += [*(f"-r {path.name}" for path in lock.included), *lock.options]
    for name, (requirement, hashes) in sorted(packages.items()):
        kept = lock.only is None or lock.only.fullmatch(name)
        left_out = lock.without is not None and lock.without.fullmatch(name)
        if kept and not left_out and name not in taken:
            lines.append(" \\\n    ".join([requirement, *(f"--hash={each}" for each in sorted(hashes))]))
    return "\n".join(lines) + "\n"


def _resolve(lock: Lock) -> str:
    """The text of a lock file. The versions that it has now are kept where the constraints allow it.

    Raises:
        subprocess.CalledProcessError: uv found no solution (status 1), or did not reach the index (2).
    """
    uv = shutil.which("uv", path=sysconfig.get_path("scripts")) or shutil.which("uv") or "uv"
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "lock.txt"
        if lock.path.exists():
            now = re.sub(r"^-.*\n", "", lock.path.read_text(encoding="utf-8"), flags=re.MULTILINE)
            output.write_text(now, encoding="utf-8")
        # The certificates of the system, as pip uses them: an index may have one that uv does not ship.
        options = ["--no-config", "--system-certs", "--quiet", "--generate-hashes", "--no-header", "--no-annotate"]
        options += ["--python-version", "3.11", "-o", str(output), *lock.resolution]
        subprocess.run([uv, "pip", "compile", *options, *lock.sources], check=True)
        return _render(lock, entries(output.read_text(encoding="utf-8")))


def differences(old: str, new: str) -> Iterable[str]:
    """What makes a lock file stale."""
    before, after = entries(old), entries(new)
    for name in sorted(before.keys() | after.keys()):
        if name not in after or name not in before:
            yield f"{name} is {'missing' if name in after else 'not needed'}"
        elif before[name][0] != after[name][0]:
            yield f"{before[name][0]} should be {after[name][0]}"
        elif unknown := before[name][1] - after[name][1]:
            yield f"{name}: no file of the index has {', '.join(sorted(unknown))}"
        elif not before[name][1]:
            yield f"{name} has no hash"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit status 1 if a file is stale, 3 if the index is away"
    )
    check = parser.parse_args().check
    stale = False
    for lock in LOCKS:
        new = _resolve(lock)
        if not check:
            lock.path.write_text(new, encoding="utf-8")
        elif found := list(differences(lock.path.read_text(encoding="utf-8") if lock.path.exists() else "", new)):
            stale = True
            print(f"{lock.path.relative_to(ROOT)}: {'; '.join(found)}. Run: make lock", file=sys.stderr)
    return int(stale)


if __name__ == "__main__":
    try:
        status = main()
    except subprocess.CalledProcessError as error:
        # uv has said why.
        status = UNREACHABLE if error.returncode == UV_FAILED else 1
    sys.exit(status)
