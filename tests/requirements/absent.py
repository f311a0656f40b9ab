"""Python code in which the packages of an extra are not installed, for tests of a slim environment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable

_HIDE = """
import sys
from importlib.machinery import PathFinder

class Hiding(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in {names!r} else PathFinder.find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Hiding
"""


def run_without(modules: Iterable[str], code: str) -> subprocess.CompletedProcess[str]:
    """Runs Python code in a process of its own, in which top-level modules cannot be found."""
    program = _HIDE.format(names=set(modules)) + code
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
