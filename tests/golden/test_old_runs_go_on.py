"""A finished run of 0.1.0 is resumed against the services that answered then: nothing is asked again."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.golden.commands import orchestrate
from tests.golden.folders import GOLDENS, TABLES, forget_outputs, original, rows_of, study, summary_of, unpack
from tests.golden.numbers import differences, row_differences
from tests.golden.served import Stored, serving, stored_cards


@pytest.mark.parametrize("golden", GOLDENS)
def test_a_finished_run_of_0_1_0_asks_nothing_again(golden: str, tmp_path: Path) -> None:
    folder, fresh = unpack(golden, tmp_path), unpack(golden, tmp_path / "fresh")
    forget_outputs(folder)
    services = {name: Stored(card) for name, card in stored_cards(folder).items()}
    with serving(services) as endpoints:
        config, items = study(folder, endpoints), folder / "items.jsonl"
        orchestrate("run", "-c", config, "--run-dir", folder, "--items", items, "--quiet")
    assert {name: len(service.asked) for name, service in services.items()} == dict.fromkeys(services, 0)
    found = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert differences(summary_of(golden, fresh), found) == []
    for table in TABLES[golden]:
        assert row_differences(rows_of(original(golden, table, fresh)), rows_of(folder / table)) == []


@pytest.mark.parametrize("golden", GOLDENS)
def test_the_plan_of_0_1_0_is_the_plan_of_today(golden: str, tmp_path: Path) -> None:
    folder = unpack(golden, tmp_path)
    with serving({name: Stored(card) for name, card in stored_cards(folder).items()}) as endpoints:
        config, items = study(folder, endpoints), folder / "items.jsonl"
        notes = orchestrate("run", "-c", config, "--run-dir", folder, "--items", items, notes=True)
    assert "plan changed" not in notes


def test_only_the_answer_that_is_missing_is_asked(tmp_path: Path) -> None:
    """The fakes notice a call: with one answer missing there is one."""
    folder = unpack("plain", tmp_path)
    with closing(sqlite3.connect(folder / "journal.sqlite")) as journal, journal:
        journal.execute("DELETE FROM answers WHERE key = (SELECT min(key) FROM answers)")
    services = {name: Stored(card) for name, card in stored_cards(folder).items()}
    with serving(services) as endpoints:
        config, items = study(folder, endpoints), folder / "items.jsonl"
        orchestrate("run", "-c", config, "--run-dir", folder, "--items", items, "--quiet", code=3)
    assert {name: len(service.asked) for name, service in services.items()} == {"cascade": 1, "scorer": 0, "tts": 0}
