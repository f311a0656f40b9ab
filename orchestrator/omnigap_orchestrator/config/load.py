"""Reads a configuration file, lays the command line's flags over it, and names what is wrong."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from omnigap_orchestrator.config.fields import FOLDER
from omnigap_orchestrator.config.model import RECALLED, Config
from omnigap_orchestrator.validation import NotUtf8Error, decode_utf8, faults

_FLAGS = {
    "analysis.routing.max_p95_latency_s": "--max-p95-latency",
    "carriers.image.font": "--font",
    "items.path": "--items",
    "items.tasks": "--task",
}
"""Keys whose flag is not called like their last part."""

_PANDA = "PANDA is no longer part of omnigap, the score of VoiceBench's sd-qa is its judge's (docs/judge.md, PANDA)"


class ConfigError(Exception):
    """A configuration that can't be used; the message names the file, each key, its value, and what to write.

    Attributes:
        faults: one sentence a fault.
    """

    def __init__(self, where: str, found: list[str]) -> None:
        self.faults = tuple(found)
        super().__init__("\n".join(f"{where}: {fault}" for fault in found))


def load_config(path: Path | str | None = None, flags: Mapping[str, object] | None = None) -> Config:
    """Reads and validates a configuration.

    Args:
        path: the TOML file; relative paths inside it start from its folder. None: the defaults.
        flags: what the command line sets, by dotted key (`{"items.limit": 12}`), over the file's values; relative
            paths in it start from the working folder, and a None sets nothing.

    Raises:
        ConfigError: for a file that can't be read, and for every key that is wrong.
    """
    table: dict[str, Any] = {}
    where, folder = "the command line", Path()
    if path is not None:
        where, folder = str(path), Path(path).parent
        table = _read(Path(path))
    return _validated(table, flags or {}, {FOLDER: folder}, where)


def with_flags(config: Config, flags: Mapping[str, object]) -> Config:
    """A run's own configuration, as its folder keeps it, with the command line's flags over it.

    Args:
        flags: as `load_config` takes them.

    Raises:
        ConfigError: for a flag whose value can't be used.
    """
    if all(value is None for value in flags.values()):
        return config
    # As TOML is read, not by pydantic's own JSON mode: that one knows no path that a validator has already made.
    table = json.loads(config.model_dump_json())
    return _validated(table, flags, {FOLDER: Path(), RECALLED: True}, "the run's own configuration")


def _validated(table: dict[str, Any], flags: Mapping[str, object], context: dict[str, object], where: str) -> Config:
    given = {key: value for key, value in flags.items() if value is not None}
    table, removed = without_removed(table)
    if removed:
        raise ConfigError(where, removed)
    for key, value in given.items():
        _set(table, key, _from_here(value))
    try:
        return Config.model_validate(table, context=context)
    except ValidationError as error:
        found = faults(error)
        of_flags = [_by_flag(fault, given) for fault in found]
        if all(of_flags):
            raise ConfigError("the command line", of_flags) from None
        raise ConfigError(where, found) from None


def without_removed(table: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """A configuration without the keys that are gone, and one fault for each of them that was set.

    A run's folder of an earlier version also holds the keys that were not set, as null: those are dropped silently.
    """
    scoring, judge = table.get("scoring"), table.get("judge")
    if not isinstance(scoring, Mapping):
        return dict(table), []
    kept, found = dict(scoring), []
    if kept.pop("panda", None) is not None:
        found.append(f"scoring.panda: {_PANDA}: remove the key")
    tasks = kept.get("tasks")
    if isinstance(tasks, Mapping):
        kept["tasks"] = {task: metric for task, metric in tasks.items() if metric != "voicebench_panda"}
        instead = "write judge" if judge is not None else "write judge and add a [judge]"
        found += [f"scoring.tasks.{task}: {_PANDA}: {instead}" for task in tasks if task not in kept["tasks"]]
    return {**table, "scoring": kept}, found


def _by_flag(fault: str, flags: Mapping[str, object]) -> str:
    """A fault under the flag that set its key, `--controls: must be ...`; empty where no flag did."""
    path, _, sentence = fault.partition(": ")
    key = path.partition("[")[0]
    if key not in flags:
        return ""
    flag = _FLAGS.get(key, "--" + key.rpartition(".")[2].replace("_", "-"))
    return f"{flag}: {sentence}"


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(decode_utf8(path.read_bytes()))
    except FileNotFoundError:
        raise ConfigError(str(path), ["no such file: write the path of a TOML file after --config"]) from None
    except OSError as error:
        raise ConfigError(str(path), [f"can't be read: {error.strerror}"]) from error
    except NotUtf8Error as error:
        raise ConfigError(str(path), [str(error)]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), [f"is no TOML: {error}"]) from None


def _from_here(value: object) -> object:
    """A path of the command line starts from the working folder, not from the file's."""
    return str(value.absolute()) if isinstance(value, Path) else value


def _set(table: dict[str, Any], key: str, value: object) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        inner = table.setdefault(parent, {})
        if not isinstance(inner, dict):
            return  # The file's value is no table: validation says so, with its key.
        table = inner
    table[last] = value
