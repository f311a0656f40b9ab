"""The flag of commands that go on with the run of a folder, and take everything from there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., object])


def stored_run_option(command: _Command) -> _Command:
    """`--run-dir` of a command without `--config`."""
    return click.option(
        "--run-dir",
        type=click.Path(file_okay=False, path_type=Path),
        help="Folder of the run, whose own copy of configuration, items and addresses is used: no --config is needed. "
        "Default: runs/default.",
    )(command)
