"""The real weights of `weights/fetch.py`, for tests marked `real_weights`: fetched once into the clone, else a skip."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FETCH_S = 900
"""For 240 MB over a slow connection."""


@pytest.fixture(scope="session")
def real_weights() -> Path:
    """The folder `weights` with all sets; the script's lock lets one worker of xdist fetch while the others wait."""
    command = [sys.executable, str(ROOT / "weights" / "fetch.py")]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_S, check=False)
        why = "" if ended.returncode == 0 else f"{ended.stdout}{ended.stderr}"
    except (OSError, subprocess.TimeoutExpired) as error:
        why = str(error)
    if why:
        pytest.skip(f"NOT TESTED: the real weights could not be fetched (python weights/fetch.py): {_in_a_line(why)}")
    return ROOT / "weights"


def needs(*packages: str) -> pytest.MarkDecorator:
    """Skips without these packages, and says which."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"NOT TESTED: {', '.join(missing)} not installed")


def _in_a_line(text: str) -> str:
    lines: Iterable[str] = (line.strip() for line in text.splitlines() if line.strip())
    return "; ".join(lines)[:500]
