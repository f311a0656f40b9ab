"""`models`: the registry of known models, and which services answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from omnigap_orchestrator.cli.main import main
from omnigap_orchestrator.fleet import COMPOSE_PORTS


@pytest.fixture
def no_compose(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, (role, _) in list(COMPOSE_PORTS.items()):
        monkeypatch.setitem(COMPOSE_PORTS, name, (role, 1))


def command(*arguments: str | Path, code: int = 0) -> str:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], env={"COLUMNS": "200"})
    assert result.exit_code == code, result.output
    return result.stdout


def json_of(*arguments: str | Path, code: int = 0) -> Any:
    return json.loads(command(*arguments, "--json", code=code))


def test_models_lists_the_registry_and_services_without_an_answer(no_compose: None) -> None:
    shown = json_of("models")
    assert {service["name"] for service in shown["services"]} == set(COMPOSE_PORTS)
    assert not any(service["digest"] for service in shown["services"])
    assert all(len(system["conditions"]) == 6 for system in shown["known"])
    assert "no answer" in command("models")
