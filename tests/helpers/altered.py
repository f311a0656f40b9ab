"""Changes the weights of saved checkpoints: incomplete downloads, other sizes, old names."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

WEIGHTS = "model.safetensors"


def copied(folder: Path, to: Path, **config: Any) -> Path:
    """A copy of a checkpoint with changed values in its config."""
    shutil.copytree(folder, to)
    found = json.loads((to / "config.json").read_text())
    (to / "config.json").write_text(json.dumps({**found, **config}))
    return to


def altered(folder: Path, change: Callable[[dict[str, Any]], Mapping[str, Any]]) -> Path:
    """The folder, after `change` has replaced its weights by name."""
    from safetensors.torch import load_file, save_file

    save_file(dict(change(load_file(folder / WEIGHTS))), folder / WEIGHTS, metadata={"format": "pt"})
    return folder


def without(folder: Path, *prefixes: str) -> Path:
    """The folder without the weights whose names have one of the prefixes; fails if there are none."""

    def change(weights: dict[str, Any]) -> Mapping[str, Any]:
        kept = {name: weight for name, weight in weights.items() if not name.startswith(prefixes)}
        assert len(kept) < len(weights), f"no weight begins with {prefixes}: {sorted(weights)[:5]}"
        return kept

    return altered(folder, change)
