"""`transcribe`, `score` and `report` work on a stored run and take no configuration."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from omnigap_orchestrator.cli.main import main
from omnigap_orchestrator.cli.options import DEFAULT_RUN


@pytest.mark.parametrize("command", ["transcribe", "score", "report"])
def test_the_help_of_a_stage_describes_run_dir(command: str) -> None:
    shown = " ".join(CliRunner().invoke(main, [command, "--help"]).output.split())
    assert f"Default: {DEFAULT_RUN}." in shown
    assert "--config FILE" not in shown


@pytest.mark.parametrize("command", ["transcribe", "score", "report"])
def test_a_stage_takes_no_config_and_defaults_to_runs_default(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(main, [command, "--config", "x.toml"]).exit_code == 2
    refused = CliRunner().invoke(main, [command])
    assert refused.exit_code == 1
    assert str(DEFAULT_RUN) in refused.output
