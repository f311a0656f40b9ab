"""run, plan, doctor, calibrate and verify report the same finding for the same broken configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from omnigap_orchestrator.cli.main import main
from omnigap_orchestrator.items import write_items
from omnigap_orchestrator.journal import Journal
from omnigap_orchestrator.preflight import FULL_SCOPE, Status, check_plan
from tests.helpers.running import Setting, item

ENGLISH = item("france")
KOREAN = item("seoul", language="ko", question="대한민국의 수도는 어디입니까?", answers=["서울"])
SPOKEN = {"run": {"conditions": ["t2t", "t2s"]}}
UNAVAILABLE = {"scorer": ["127.0.0.1:9"], "tts": ["127.0.0.1:9"]}

BROKEN: dict[str, dict[str, Any]] = {
    "font": {**UNAVAILABLE, "items": [ENGLISH], "tables": {"carriers": {"image": {"font": "No Such Sans"}}}},
    "metrics": {**UNAVAILABLE, "items": [ENGLISH], "tables": {**SPOKEN, "scoring": {"tasks": {"capitals": "ifeval"}}}},
    "models": {**UNAVAILABLE, "items": [ENGLISH], "tables": SPOKEN, "models": {"cascad": []}},
    "scorer language": {"items": [KOREAN], "tables": {**SPOKEN, "fleet": {"kind": "embedded"}}},
}
"""Settings of a run by the check that fails."""


def ended(*arguments: str | Path) -> tuple[int, str]:
    """Exit code and output of a command, without line breaks."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], env={"COLUMNS": "2000"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result.exit_code, " ".join(result.output.split())


@pytest.mark.parametrize("check", BROKEN)
def test_every_command_reports_the_same_finding(tmp_path: Path, check: str) -> None:
    setting = Setting(tmp_path, **BROKEN[check])
    path, config, items, folder = setting.write(), setting.config(), setting.load_items(), setting.folder
    (failed,) = (each for each in check_plan(config, items, FULL_SCOPE, folder.root) if each.status is Status.FAILED)
    assert failed.check == check
    # `plan` only warns about models and scorers, which may be available when the run starts.
    codes = {"run": 1, "plan": 1 if check in ("font", "metrics") else 0, "doctor": 1}
    for command, expected in codes.items():
        code, text = ended(command, "--config", path)
        assert failed.message in text, command
        assert code == expected, command
    # A stored run, as another machine may have left it.
    folder.make()
    Journal(folder.journal).close()
    folder.config.write_text(config.model_dump_json(), encoding="utf-8")
    write_items(folder.items, items, lambda *_: None)
    for command in ("calibrate", "verify"):
        assert failed.message in ended(command, "--run-dir", folder.root)[1], command
