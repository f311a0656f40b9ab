"""A real Triton in a separate environment, `.venv-triton`, because its wheel needs another NumPy.

`python tests/services/triton_server/triton_env.py` creates it; it is created again when the requirements or the
interpreter change.
"""

from __future__ import annotations

import fcntl
import hashlib
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / ".venv-triton"
EXAMPLE = ROOT / "examples" / "triton"
REQUIREMENTS = EXAMPLE / "requirements.lock.txt"

_INSTALL_S = 900


class NoTritonError(Exception):
    """Triton cannot be installed on this machine; the message says why."""


def triton_python() -> Path:
    """The interpreter of the environment, which is created if needed.

    Raises:
        NoTritonError: there is no wheel for this machine, or the installation fails.
    """
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise NoTritonError(f"nvidia-pytriton has no wheel for {platform.system()} on {platform.machine()}")
    lock = FOLDER.with_suffix(".lock")
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not _ready():
            _make()
    return FOLDER / "bin" / "python"


def _stamp() -> str:
    return hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode() + str(ROOT).encode()).hexdigest()


def _ready() -> bool:
    stamp = FOLDER / "ready"
    return stamp.is_file() and stamp.read_text() == _stamp()


def _make() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    python = str(FOLDER / "bin" / "python")
    _run(sys.executable, "-m", "venv", str(FOLDER))
    hashed = ("--no-deps", "--require-hashes", "-r", str(REQUIREMENTS))
    _run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *hashed)
    (FOLDER / "ready").write_text(_stamp())


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoTritonError(f"{' '.join(command)}: {error}") from error
    if done.returncode:
        raise NoTritonError(f"{' '.join(command)} failed: {(done.stderr or done.stdout)[-800:]}")


if __name__ == "__main__":
    try:
        print(triton_python())
    except NoTritonError as error:
        sys.exit(str(error))
