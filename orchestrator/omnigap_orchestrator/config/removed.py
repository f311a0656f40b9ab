"""Keys that earlier versions knew: each has one sentence that names the key and says what to do instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PANDA = "PANDA is no longer part of omnigap, the score of VoiceBench's sd-qa is its judge's (docs/judge.md, PANDA)"


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
