"""What earlier versions wrote is read as today's, and what is written today passes through unchanged."""

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
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.extras.asr_correction.clips import CALIBRATION_SCHEMA, read_clips
from omnigap_orchestrator.extras.asr_correction.confusables import CalibrationError
from omnigap_orchestrator.journal import Journal, JournalError
from omnigap_orchestrator.legacy import RULES_OF_0_1_0, rules_token, upgrade_config


def written_today() -> Any:
    return json.loads(Config().model_dump_json())


def test_todays_configuration_says_the_same_after_it_was_read_as_an_old_one() -> None:
    assert Config.model_validate(upgrade_config(written_today())) == Config()


@pytest.mark.parametrize("raw", [None, [], "text", {"scoring": None}, {"scoring": "text"}, {}])
def test_what_is_no_configuration_is_left_for_validation_to_refuse(raw: Any) -> None:
    assert upgrade_config(raw) == raw


def test_a_setting_that_has_moved_is_found_under_its_new_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(legacy, "SETTINGS", {"reader.endpoints": "ocr.service.endpoints"})
    assert upgrade_config({"reader": {"endpoints": ["a:1"]}, "ocr": None}) == {
        "reader": {},
        "ocr": {"service": {"endpoints": ["a:1"]}},
    }
    today = {"reader": {"endpoints": ["old:1"]}, "ocr": {"service": {"endpoints": ["new:1"]}}}
    assert upgrade_config(today)["ocr"] == {"service": {"endpoints": ["new:1"]}}


def test_the_rules_of_0_1_0_are_version_1_and_other_rules_are_themselves() -> None:
    assert [rules_token(version) for version in (1, 2)] == [RULES_OF_0_1_0, "rules 2"]


def calibration(rules: object) -> pl.DataFrame:
    row = dict.fromkeys(CALIBRATION_SCHEMA.names()) | {"scoring_version": rules}
    return pl.DataFrame([row], schema_overrides={} if isinstance(rules, int) else CALIBRATION_SCHEMA)


def test_a_calibration_of_0_1_0_counts_under_rules_version_1(tmp_path: Path) -> None:
    calibration(RULES_OF_0_1_0).write_parquet(tmp_path / "calibration.parquet")
    assert read_clips(tmp_path / "calibration.parquet")["scoring_version"].to_list() == [rules_token(1)]


def test_a_table_that_is_no_calibration_is_refused_with_what_it_lacks(tmp_path: Path) -> None:
    pl.DataFrame({"item_id": ["q1"]}).write_parquet(tmp_path / "calibration.parquet")
    with pytest.raises(CalibrationError, match="scoring_version"):
        read_clips(tmp_path / "calibration.parquet")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Path]:
    """A journal whose schema version is one that this version doesn't write."""
    path = tmp_path / "journal.sqlite"
    Journal(path).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE meta SET value = '0' WHERE key = 'schema_version'")
    yield path


def tables_of(path: Path) -> tuple[str, bool]:
    """The journal's schema version, and whether the table of the tests' step is there."""
    with closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
        return version, bool(connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'added'").fetchone())


def add_table(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE added (key TEXT)")


def test_a_journal_of_an_earlier_schema_takes_its_steps_once(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(legacy, "JOURNAL_STEPS", (("0", "1", add_table),))
    for _ in range(2):
        Journal(journal).close()
        assert tables_of(journal) == ("1", True)


def test_a_step_that_fails_leaves_the_journal_as_it_was(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        add_table(connection)
        add_table(connection)

    monkeypatch.setattr(legacy, "JOURNAL_STEPS", (("0", "1", fail),))
    with pytest.raises(JournalError, match="already exists"):
        Journal(journal)
    assert tables_of(journal) == ("0", False)


def test_a_journal_without_a_step_to_today_is_refused(journal: Path) -> None:
    with pytest.raises(JournalError, match="journal version 0, this one reads 1"):
        Journal(journal)
    assert tables_of(journal) == ("0", False)
