"""Checkpoints with other weights than they were saved with: half fetched, cut to another size, named as of old."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

WEIGHTS = "model.safetensors"


def copied(folder: Path, to: Path, **config: Any) -> Path:
    """A copy of a checkpoint, with these values in its config."""
    shutil.copytree(folder, to)
    found = json.loads((to / "config.json").read_text())
    (to / "config.json").write_text(json.dumps({**found, **config}))
    return to


def altered(folder: Path, change: Callable[[dict[str, Any]], Mapping[str, Any]]) -> Path:
    """The folder, whose weights by name now are what `change` makes of them."""
    from safetensors.torch import load_file, save_file

    save_file(dict(change(load_file(folder / WEIGHTS))), folder / WEIGHTS, metadata={"format": "pt"})
    return folder


def without(folder: Path, *beginnings: str) -> Path:
    """The folder without the weights whose names begin so; fails where there are none."""

    def change(weights: dict[str, Any]) -> Mapping[str, Any]:
        left = {name: weight for name, weight in weights.items() if not name.startswith(beginnings)}
        assert len(left) < len(weights), f"no weight begins with {beginnings}: {sorted(weights)[:5]}"
        return left

    return altered(folder, change)
