"""Writes a tiny random checkpoint of a service into a folder, in a process that ends and takes its torch along.

`python -m tests.helpers.tiny_checkpoint SERVICE OPTIONS FOLDER`, with OPTIONS as TOML text
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

from omnigap_services.registry import adapter_class

ROOT = Path(__file__).parents[2]


def write_checkpoint(service: str, options: str, folder: Path) -> Path:
    """Writes the checkpoint that `omnigap-serve SERVICE --tiny --options OPTIONS` serves."""
    command = [sys.executable, "-m", "tests.helpers.tiny_checkpoint", service, options, str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=300, capture_output=True)
    return folder


if __name__ == "__main__":
    name, text, target = sys.argv[1:]
    Path(target).mkdir(exist_ok=True)
    adapter_class(name).build_tiny(tomllib.loads(text), Path(target))
