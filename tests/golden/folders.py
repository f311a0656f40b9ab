"""The run folders of 0.1.0 as test data: unpacked, read back, and started again as a study."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import tomli_w

from tests.golden import renamed

HERE = Path(__file__).parent
EXPECTED = HERE / "expected"

GOLDENS = ("plain", "controls")
TABLES = {"plain": ("results.parquet",), "controls": ("results.parquet", "controls.parquet")}
CELLS = {"plain": 60, "controls": 72}
"""Planned cells of each run, control cells apart."""


def unpack(golden: str, into: Path) -> Path:
    """The run folder as 0.1.0 left it, named after the run."""
    with tarfile.open(HERE / "runs" / f"{golden}.tar.xz") as archive:
        archive.extractall(into, filter="data")
    return into / golden


def original(golden: str, file: str, folder: Path) -> Path:
    """The file that holds a run's expected numbers.

    Args:
        folder: the unpacked run, whose own file counts unless a later version changed its numbers on purpose.
    """
    changed = EXPECTED / golden / file
    return changed if changed.is_file() else folder / file


def summary_of(golden: str, folder: Path) -> Any:
    """The expected summary.json."""
    return json.loads(original(golden, "summary.json", folder).read_text(encoding="utf-8"))


def rows_of(path: Path) -> list[dict[str, Any]]:
    """A Parquet table as one dict a row."""
    return pl.read_parquet(path).to_dicts()


def forget_outputs(folder: Path) -> None:
    """Removes the files that are written from the journal, so that they are written again."""
    for name in ("summary.json", "results.parquet", "controls.parquet", "manifest.toml", "report.html"):
        (folder / name).unlink(missing_ok=True)


def study(folder: Path, endpoints: Mapping[str, str]) -> Path:
    """A configuration file with the settings of a stored run, beside its folder.

    Args:
        endpoints: `host:port` by model name, `scorer`, `second_scorer`, `tts`; what is not named has none.
    """
    settings = _todays_names(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    del settings["items"]  # Given on the command line.
    settings["fleet"]["kind"] = "static"
    for model in settings["models"]:
        model["endpoints"] = [endpoints[model["name"]]]
    for role in ("scorer", "second_scorer", "tts"):
        if settings.get(role) is not None:
            settings[role]["endpoints"] = [endpoints[role]]
    path = folder.with_name(f"{folder.name}-study.toml")
    path.write_text(tomli_w.dumps(_without_nulls(settings)), encoding="utf-8")
    return path


def _todays_names(settings: dict[str, Any]) -> dict[str, Any]:
    for old, new in renamed.SETTINGS.items():
        *parents, last = old.split(".")
        table = _table(settings, parents)
        if last not in table:
            continue  # a folder that was resumed before already has today's names
        value = table.pop(last)
        if new:
            *parents, last = new.split(".")
            _table(settings, parents)[last] = value
    return settings


def _table(settings: dict[str, Any], parents: list[str]) -> dict[str, Any]:
    for name in parents:
        settings = settings.setdefault(name, {})
    return settings


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value
