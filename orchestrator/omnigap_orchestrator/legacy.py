"""What earlier versions wrote, read as today's: the one file that knows old settings, journals, rules and columns.

Each entry says which version wrote it and what it is today. What is written today passes through unchanged, so every
folder may be read this way.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

_PANDA = "PANDA is no longer part of omnigap, the score of VoiceBench's sd-qa is its judge's (docs/scoring.md, PANDA)"

RULES_OF_0_1_0 = "88b72b64efabbe0d2e81750ed0ca321bab70684c5adc4443377beb9c7b5f1344"
"""0.1.0 named its scoring rules by a SHA-256 over their source; they are version 1."""

SETTINGS: dict[str, str] = {
    "reader": "ocr",
    "analysis.routing": "routing",
    "run.hear_prompt": "run.asr_prompt",
    "run.read_prompt": "run.ocr_prompt",
}
"""Dotted key of config.json in 0.1.0 -> its key today.

A key that no longer exists is dropped, or refused with a sentence of its own, by `without_removed`: a configuration
file may hold it too.
"""

JOURNAL_STEPS: tuple[tuple[str, str, Callable[[sqlite3.Connection], None]], ...] = ()
"""Schema version before, version after, and what changes the tables, in order. 0.1.0 wrote version 1, as is written
today."""

CALIBRATION_COLUMNS: dict[str, str] = {"foil": "clip_kind"}
"""Column of calibration.parquet in 0.1.0 -> its name today."""

CALIBRATION_VALUES: dict[str, dict[str, str]] = {"clip_kind": {"plain": "distractor", "sound_alike": "confusable"}}
"""Column of calibration.parquet, under today's name -> its values in 0.1.0 -> the same values today."""


def upgrade_config(raw: Any) -> Any:
    """A run's config.json with today's keys, to be validated like any other.

    Args:
        raw: as parsed; what is no table is returned as it is, for validation to refuse.
    """
    if not isinstance(raw, dict):
        return raw
    for old, new in SETTINGS.items():
        value = _take(raw, old)
        if value is not None:
            _put(raw, new, value)
    return raw


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


def upgrade_journal(connection: sqlite3.Connection) -> None:
    """Brings an older journal's tables to today's schema, in place; its version is checked after that.

    Raises:
        sqlite3.Error: where the file cannot be read or written.
    """
    _add_normalised_answer(connection)
    for before, after, change in JOURNAL_STEPS:
        _step(connection, before, after, change)


def rules_token(version: int) -> str:
    """The name of a version of the scoring rules in score keys, calibrations and journals.

    Version 1 keeps the name that 0.1.0 gave it, so that the scores and calibrations of 0.1.0 still count.
    """
    return RULES_OF_0_1_0 if version == 1 else f"rules {version}"


def upgrade_calibration(clips: pl.DataFrame) -> pl.DataFrame:
    """The table of an older calibration with today's columns and values."""
    clips = clips.rename({old: new for old, new in CALIBRATION_COLUMNS.items() if old in clips.columns})
    return clips.with_columns(
        clips[column].replace(values) for column, values in CALIBRATION_VALUES.items() if column in clips.columns
    )


def _add_normalised_answer(connection: sqlite3.Connection) -> None:
    """Journals from before 0.1.0 kept no normalised answers: their scores are made again, by the rules of today."""
    names = {row[1] for row in connection.execute("PRAGMA table_info(scores)")}
    if "normalised_answer" not in names:
        connection.execute("ALTER TABLE scores ADD COLUMN normalised_answer TEXT")


def _step(
    connection: sqlite3.Connection, before: str, after: str, change: Callable[[sqlite3.Connection], None]
) -> None:
    """Applies one step where the journal has its version: the tables and the version change together or not at all."""
    if _schema_version(connection) != before:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Read again: another process may have taken the step while this one waited for the lock.
        if _schema_version(connection) == before:
            change(connection)
            connection.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", (after,))
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _schema_version(connection: sqlite3.Connection) -> str | None:
    """None for a journal that is being made."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
    return None if row is None else str(row[0])


def _take(table: dict[str, Any], path: str) -> Any:
    """Removes a dotted key and returns its value; None where there is no such key, or it is null."""
    *parents, last = path.split(".")
    for name in parents:
        inner = table.get(name)
        if not isinstance(inner, dict):
            return None
        table = inner
    return table.pop(last, None)


def _put(table: dict[str, Any], path: str, value: Any) -> None:
    """Sets a dotted key; a value that is there under today's name stays."""
    *parents, last = path.split(".")
    for name in parents:
        if not isinstance(table.get(name), dict):
            table[name] = {}
        table = table[name]
    table.setdefault(last, value)
