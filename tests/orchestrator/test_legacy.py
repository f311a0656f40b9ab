"""Data of earlier versions is upgraded, and current data passes through unchanged."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from omnigap_orchestrator import legacy
from omnigap_orchestrator.config import Config, ConfigError, load_config
from omnigap_orchestrator.extras.asr_correction.clips import CALIBRATION_SCHEMA, read_clips
from omnigap_orchestrator.extras.asr_correction.confusables import CalibrationError
from omnigap_orchestrator.journal import Journal, JournalError
from omnigap_orchestrator.legacy import RULES_OF_0_1_0, rules_token, upgrade_config


def current_config() -> Any:
    return json.loads(Config().model_dump_json())


def test_current_configuration_is_unchanged() -> None:
    assert Config.model_validate(upgrade_config(current_config())) == Config()


@pytest.mark.parametrize("raw", [None, [], "text", {"scoring": None}, {"scoring": "text"}, {}])
def test_anything_but_a_table_is_unchanged(raw: Any) -> None:
    assert upgrade_config(raw) == raw


def test_renamed_settings_move_to_their_new_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(legacy, "SETTINGS", {"reader.endpoints": "ocr.service.endpoints"})
    assert upgrade_config({"reader": {"endpoints": ["a:1"]}, "ocr": None}) == {
        "reader": {},
        "ocr": {"service": {"endpoints": ["a:1"]}},
    }
    config = {"reader": {"endpoints": ["old:1"]}, "ocr": {"service": {"endpoints": ["new:1"]}}}
    assert upgrade_config(config)["ocr"] == {"service": {"endpoints": ["new:1"]}}


def test_rules_token() -> None:
    assert [rules_token(version) for version in (1, 2)] == [RULES_OF_0_1_0, "rules 2"]


def calibration(rules: object) -> pl.DataFrame:
    row = dict.fromkeys(CALIBRATION_SCHEMA.names()) | {"scoring_version": rules}
    return pl.DataFrame([row], schema_overrides={} if isinstance(rules, int) else CALIBRATION_SCHEMA)


def test_calibration_of_0_1_0_has_rules_version_1(tmp_path: Path) -> None:
    calibration(RULES_OF_0_1_0).write_parquet(tmp_path / "calibration.parquet")
    assert read_clips(tmp_path / "calibration.parquet")["scoring_version"].to_list() == [rules_token(1)]


def test_table_without_calibration_columns_raises(tmp_path: Path) -> None:
    pl.DataFrame({"item_id": ["q1"]}).write_parquet(tmp_path / "calibration.parquet")
    with pytest.raises(CalibrationError, match="scoring_version"):
        read_clips(tmp_path / "calibration.parquet")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Path]:
    """A journal with an older schema version."""
    path = tmp_path / "journal.sqlite"
    with closing(Journal(path)) as current:
        current.set_meta("schema_version", "0")
    yield path


def tables_of(path: Path) -> tuple[str, bool]:
    """The schema version of the journal, and whether the table of the test step exists."""
    with closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
        return version, bool(connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'added'").fetchone())


def add_table(connection: sqlite3.Connection, seal: legacy.Seal) -> None:
    connection.execute("CREATE TABLE added (key TEXT)")


def test_journal_steps_are_applied_once(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(legacy, "JOURNAL_STEPS", (("0", "2", add_table),))
    for _ in range(2):
        Journal(journal).close()
        assert tables_of(journal) == ("2", True)


def test_failed_journal_step_changes_nothing(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(connection: sqlite3.Connection, seal: legacy.Seal) -> None:
        add_table(connection, seal)
        add_table(connection, seal)

    monkeypatch.setattr(legacy, "JOURNAL_STEPS", (("0", "2", fail),))
    with pytest.raises(JournalError, match="already exists"):
        Journal(journal)
    assert tables_of(journal) == ("0", False)


def test_journal_without_a_step_raises(journal: Path) -> None:
    with pytest.raises(JournalError, match="journal version 0, this one reads 2"):
        Journal(journal)
    assert tables_of(journal) == ("0", False)


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        ('[reader]\nendpoints = ["127.0.0.1:1"]', "reader", "ocr"),
        ("[analysis.routing]\nfolds = 3", "analysis.routing", "routing"),
        ('[run]\nhear_prompt = "Write it down."', "run.hear_prompt", "run.asr_prompt"),
    ],
)
def test_a_configuration_with_a_renamed_key_is_refused_with_the_new_name(
    tmp_path: Path, text: str, old: str, new: str
) -> None:
    path = tmp_path / "study.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=rf"{old}: .*{new}"):
        load_config(path)
