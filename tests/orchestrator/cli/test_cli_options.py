"""Ctrl-C while a command loads or prints ends it with exit code 130."""

from __future__ import annotations

import click
from click.testing import CliRunner

from omnigap_orchestrator.cli.options import friendly


@click.command()
@friendly
def interrupted_while_loading() -> None:
    raise KeyboardInterrupt


def test_ctrl_c_ends_any_command_with_130() -> None:
    result = CliRunner().invoke(interrupted_while_loading)
    assert result.exit_code == 130
    assert result.stderr == "interrupted\n"
