"""A finished run of 0.1.0 is resumed with its services: nothing is requested again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.golden.commands import orchestrate
from tests.golden.folders import EXPECTED, GOLDENS, TABLES, forget_outputs, original, rows_of, study, summary_of, unpack
from tests.golden.numbers import differences, row_differences
from tests.golden.served import ASKED_FOR, Stored, asked_without, serving, stored_cards


@pytest.mark.parametrize("golden", GOLDENS)
def test_a_finished_run_of_0_1_0_calls_no_service(golden: str, tmp_path: Path) -> None:
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
def test_the_plan_of_0_1_0_is_unchanged(golden: str, tmp_path: Path) -> None:
    folder = unpack(golden, tmp_path)
    with serving({name: Stored(card) for name, card in stored_cards(folder).items()}) as endpoints:
        config, items = study(folder, endpoints), folder / "items.jsonl"
        notes = orchestrate("run", "-c", config, "--run-dir", folder, "--items", items, notes=True)
    assert "plan changed" not in notes


@pytest.mark.parametrize("golden", GOLDENS)
@pytest.mark.parametrize("lost", ASKED_FOR)
def test_missing_work_is_requested_as_in_0_1_0(golden: str, lost: str, tmp_path: Path) -> None:
    """Request IDs are compared too, since services replay answers by ID."""
    expected = json.loads((EXPECTED / golden / "requests.json").read_text(encoding="utf-8"))[lost]
    assert asked_without(unpack(golden, tmp_path), lost) == expected
