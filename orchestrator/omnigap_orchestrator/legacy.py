"""Compatibility with run folders of earlier versions: old settings, journals, scoring rules and columns.

This is the only module that knows old names. Each entry says which version wrote it and what it is today. Current data
passes through unchanged, so every folder can be read this way.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

_PANDA = "PANDA is no longer part of omnigap; VoiceBench's sd-qa is scored by the judge (docs/scoring.md, PANDA)"

RULES_OF_0_1_0 = "88b72b64efabbe0d2e81750ed0ca321bab70684c5adc4443377beb9c7b5f1344"
"""0.1.0 identified its scoring rules by a SHA-256 of their source code. They are version 1."""

SETTINGS: dict[str, str] = {
    "reader": "ocr",
    "analysis.routing": "routing",
    "run.hear_prompt": "run.asr_prompt",
    "run.read_prompt": "run.ocr_prompt",
}
"""Dotted key of config.json in 0.1.0 -> its key today.

Keys that no longer exist are handled by `without_removed`, since a configuration file may also have them.
"""

Seal = Callable[[sqlite3.Connection], None]
"""Adds the checksum of every row, as it is now, to a journal without checksums."""

JOURNAL_STEPS: tuple[tuple[str, str, Callable[[sqlite3.Connection, Seal], None]], ...] = (
    ("1", "2", lambda connection, seal: seal(connection)),
)
"""Steps in order: schema version before, version after, and the change of the tables. 0.1.0 wrote version 1, whose rows
have no checksum."""

SCORE_COLUMNS: dict[str, str] = {
    "normalised_answer": "TEXT",
    "wer_errors_whisper": "INTEGER",
    "wer_words_whisper": "INTEGER",
}
"""Column of the journal's table of scores -> its type. Journals before 0.1.0 lack the first, 0.1.0 the others."""

CALIBRATION_COLUMNS: dict[str, str] = {"foil": "clip_kind"}
"""Column of calibration.parquet in 0.1.0 -> its name today."""

CALIBRATION_VALUES: dict[str, dict[str, str]] = {"clip_kind": {"plain": "distractor", "sound_alike": "confusable"}}
"""Column of calibration.parquet, under today's name -> its values in 0.1.0 -> the same values today."""


def upgrade_config(raw: Any) -> Any:
    """Renames the keys of a run's config.json to today's names, in place.

    Args:
        raw: parsed JSON; anything but a table is returned unchanged, for validation to refuse.
    """
    if not isinstance(raw, dict):
        return raw
    for old, new in SETTINGS.items():
        value = _take(raw, old)
        if value is not None:
            _put(raw, new, value)
    return raw


def renamed_keys(table: Mapping[str, Any]) -> list[str]:
    """One fault for each key of a configuration file that has another name today."""
    found = []
    for old, new in SETTINGS.items():
        *parents, last = old.split(".")
        inner: Any = table
        for parent in parents:
            inner = inner.get(parent) if isinstance(inner, Mapping) else None
        if isinstance(inner, Mapping) and last in inner:
            found.append(f"{old}: is called {new} now: rename the key")
    return found


def without_removed(table: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Returns a configuration without removed keys, and one fault for each removed key that was set.

    config.json of an earlier version also has unset keys, as null; these are dropped without a fault.
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


def upgrade_journal(connection: sqlite3.Connection, seal: Seal) -> None:
    """Upgrades the tables of an older journal in place. The caller checks the schema version afterwards.

    Args:
        seal: computes checksums as the current journal does.

    Raises:
        sqlite3.Error: the file cannot be read or written.
    """
    _add_score_columns(connection)
    for before, after, change in JOURNAL_STEPS:
        _step(connection, before, after, change, seal)


def rules_token(version: int) -> str:
    """The identifier of a version of the scoring rules in score keys, calibrations and journals.

    Version 1 keeps the identifier of 0.1.0, so that scores and calibrations of 0.1.0 remain valid.
    """
    return RULES_OF_0_1_0 if version == 1 else f"rules {version}"


def upgrade_calibration(clips: pl.DataFrame) -> pl.DataFrame:
    """The table of an older calibration with today's columns and values."""
    clips = clips.rename({old: new for old, new in CALIBRATION_COLUMNS.items() if old in clips.columns})
    return clips.with_columns(
        clips[column].replace(values) for column, values in CALIBRATION_VALUES.items() if column in clips.columns
    )


def _add_score_columns(connection: sqlite3.Connection) -> None:
    """Adds the columns of scores that older journals lack; their answers are rescored with today's rules anyway."""
    names = {row[1] for row in connection.execute("PRAGMA table_info(scores)")}
    for name, kind in SCORE_COLUMNS.items():
        if name not in names:
            connection.execute(f"ALTER TABLE scores ADD COLUMN {name} {kind}")


def _step(
    connection: sqlite3.Connection,
    before: str,
    after: str,
    change: Callable[[sqlite3.Connection, Seal], None],
    seal: Seal,
) -> None:
    """Applies a step if the journal has its version; tables and version change in one transaction."""
    if _schema_version(connection) != before:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Read again: another process may have upgraded the journal while this one waited for the lock.
        if _schema_version(connection) == before:
            # Version first: its row is sealed with its new value.
            connection.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", (after,))
            change(connection, seal)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _schema_version(connection: sqlite3.Connection) -> str | None:
    """The schema version; None for a journal that is being created."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
    return None if row is None else str(row[0])


def _take(table: dict[str, Any], path: str) -> Any:
    """Removes a dotted key and returns its value; None if the key is missing or null."""
    *parents, last = path.split(".")
    for name in parents:
        inner = table.get(name)
        if not isinstance(inner, dict):
            return None
        table = inner
    return table.pop(last, None)


def _put(table: dict[str, Any], path: str, value: Any) -> None:
    """Sets a dotted key, unless it already has a value."""
    *parents, last = path.split(".")
    for name in parents:
        if not isinstance(table.get(name), dict):
            table[name] = {}
        table = table[name]
    table.setdefault(last, value)
