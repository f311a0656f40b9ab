"""What several commands share: flags, exit codes, and errors as one clear message."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from omnigap.errors import OmnigapError, first_error

_P = ParamSpec("_P")
_T = TypeVar("_T")

INCOMPLETE = 3
"""Exit code of a run that ended well but holds pending or failed cells."""
INTERRUPTED = 130


def friendly(command: Callable[_P, _T]) -> Callable[_P, _T]:
    """Turns errors that say what to change into `Error: ...`, and Ctrl-C at any moment into exit code 130."""

    @functools.wraps(command)
    def wrapped(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return command(*args, **kwargs)
        except (Exception, BaseExceptionGroup) as error:
            cause = first_error(error)
            if not isinstance(cause, OmnigapError):
                raise
            raise click.ClickException(str(cause)) from error
        except KeyboardInterrupt:
            # A command says more where it knows what is kept; this is for what comes before and after: loading, tables.
            click.echo("interrupted", err=True)
            raise click.exceptions.Exit(INTERRUPTED) from None

    return wrapped


_Command = TypeVar("_Command", bound=Callable[..., object])

DEFAULT_RUN = Path("runs") / "default"
DEFAULT_SLICE = 140
"""Built-in items of a run that chooses none: twenty of each task, done in minutes on two cores."""


_BUILTIN: dict[str, bool | str] = {"builtin": True, "builtin-ko": "ko"}


def run_dir_option(command: _Command) -> _Command:
    return click.option(
        "--run-dir", type=click.Path(file_okay=False, path_type=Path), help="Folder of the run. Default: runs/NAME."
    )(command)


def config_option(command: _Command) -> _Command:
    return click.option(
        "--config",
        "-c",
        envvar="OMNIGAP_CONFIG",
        show_envvar=True,
        type=click.Path(dir_okay=False, path_type=Path),
        help="TOML file; flags override it.",
    )(command)


def items_options(command: _Command) -> _Command:
    for option in (
        click.option("--task", "tasks", multiple=True, help="Only this task family; may be given several times."),
        click.option("--limit", type=click.IntRange(min=1), help="So many items, taken in turn from each task."),
        click.option(
            "--items",
            help="JSONL, CSV or Parquet file, folder or pattern; or `builtin`, `builtin-ko`: all built-in ones.",
        ),
        click.option("--preset", help="Benchmark whose files --items names: `analyse --list-presets` tells which."),
    ):
        command = option(command)
    return command


def controls_option(command: _Command) -> _Command:
    return click.option(
        "--controls", help="Control cells beside the plan, with commas: two-pass,blank,repeat; or none."
    )(command)


def control_flags(controls: str | None) -> dict[str, object]:
    """`--controls` as a key of the configuration; `none` takes away what the file names."""
    named = list(split(controls))
    return {"run.controls": [] if named == ["none"] else named or None}


def font_option(command: _Command) -> _Command:
    return click.option(
        "--font", "fonts", multiple=True, help="Font of the images, by name or file; several make replicates differ."
    )(command)


def font_flags(fonts: tuple[str, ...]) -> dict[str, object]:
    """`--font` as a key of the configuration."""
    return {"carriers.image.font": list(fonts) or None}


def scope_options(command: _Command) -> _Command:
    for option in (
        click.option("--conditions", help="Work only on these, with commas: t2t,s2t. The plan stays whole."),
        click.option("--models", help="Work only on these models, with commas. The plan stays whole."),
    ):
        command = option(command)
    return command


def item_flags(
    config: Path | None, items: str | None, limit: int | None, tasks: tuple[str, ...], preset: str | None = None
) -> dict[str, object]:
    """The items' flags as keys of the configuration; a call that chooses no items gets the default slice."""
    chosen = config or items or limit or tasks
    return {
        "items.path": None if items in (None, *_BUILTIN) else items,
        "items.builtin": _BUILTIN.get(items or ""),
        "items.limit": limit if chosen else DEFAULT_SLICE,
        "items.tasks": list(tasks) or None,
        "items.preset": preset,
    }


def split(text: str | None) -> tuple[str, ...]:
    """A flag's comma-separated values."""
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def run_dir_of(run_dir: Path | None, config: Path | None, configured: Path | None) -> Path:
    """`--run-dir`, else the configuration's `run.dir`, else `runs/` and the configuration's name, else runs/default."""
    if run_dir is not None:
        return run_dir
    if configured is not None:
        return configured
    return Path("runs") / config.stem if config is not None else DEFAULT_RUN
