"""Flags, exit codes and error handling shared by the commands."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from omnigap.errors import OmnigapError, first_error
from omnigap_orchestrator.cli.signals import interrupted_by_signals

if TYPE_CHECKING:
    from omnigap_orchestrator.fleet import Role

_P = ParamSpec("_P")
_T = TypeVar("_T")

INCOMPLETE = 3
"""Exit code of a run without errors that has pending or failed cells."""
INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 plus the number of SIGINT, as shells have it; 143 after SIGTERM, 129 after SIGHUP."""


def friendly(command: Callable[_P, _T]) -> Callable[_P, _T]:
    """Prints an `OmnigapError` as `Error: ...` (exit code 1), and turns Ctrl-C into exit code 130.

    SIGTERM and SIGHUP end a command as Ctrl-C does, with exit codes 143 and 129.
    """

    @functools.wraps(command)
    def wrapped(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        with interrupted_by_signals() as received:
            try:
                return caught(*args, **kwargs)
            except click.exceptions.Exit as ended:
                if ended.exit_code != INTERRUPTED:
                    raise
                raise click.exceptions.Exit(received.exit_code(INTERRUPTED)) from None

    def caught(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return command(*args, **kwargs)
        except (Exception, BaseExceptionGroup) as error:
            # Task groups wrap errors. Other exceptions are bugs: they keep their traceback.
            cause = first_error(error)
            if not isinstance(cause, OmnigapError):
                raise
            raise click.ClickException(str(cause)) from error
        except KeyboardInterrupt:
            # Ctrl-C while loading or printing. During a run, commands catch it themselves and say what is kept.
            click.echo("interrupted", err=True)
            raise click.exceptions.Exit(INTERRUPTED) from None

    return wrapped


_Command = TypeVar("_Command", bound=Callable[..., object])

DEFAULT_RUN = Path("runs") / "default"
DEFAULT_LIMIT = 140
"""Number of built-in items if no items are chosen: 20 per task, which takes minutes on two cores."""


_BUILTIN: dict[str, bool | str] = {"builtin": True, "builtin-ko": "ko"}


def run_dir_option(command: _Command) -> _Command:
    return click.option(
        "--run-dir",
        type=click.Path(file_okay=False, path_type=Path),
        help="Folder of the run. Default: runs/NAME, where NAME is that of --config, else runs/default.",
    )(command)


def config_option(command: _Command) -> _Command:
    return click.option(
        "--config",
        "-c",
        envvar="OMNIGAP_CONFIG",
        show_envvar=True,
        type=click.Path(dir_okay=False, path_type=Path),
        help="Configuration file (TOML); flags override it.",
    )(command)


def items_options(command: _Command) -> _Command:
    # The option that is applied last comes first in --help.
    for option in (
        click.option("--task", "tasks", multiple=True, help="Only items of this task; repeat for several tasks."),
        click.option("--limit", type=click.IntRange(min=1), help="Maximum number of items, round-robin over tasks."),
        click.option("--preset", help="Benchmark that the files of --items belong to; see `analyse --list-presets`."),
        click.option(
            "--items",
            help="JSONL, CSV or Parquet file, folder or pattern; or all built-in items: `builtin`, `builtin-ko`.",
        ),
    ):
        command = option(command)
    return command


def controls_option(command: _Command) -> _Command:
    return click.option(
        "--controls", help="Additional control cells, comma-separated: two-pass,blank,repeat; or none."
    )(command)


def control_flags(controls: str | None) -> dict[str, object]:
    """`--controls` as a key of the configuration; `none` overrides the controls of the file."""
    named = list(split(controls))
    return {"run.controls": [] if named == ["none"] else named or None}


def font_option(command: _Command) -> _Command:
    return click.option(
        "--font",
        "fonts",
        multiple=True,
        help="Font of drawn questions, name or file; repeat for several, which replicates cycle through.",
    )(command)


def font_flags(fonts: tuple[str, ...]) -> dict[str, object]:
    """`--font` as a key of the configuration."""
    return {"carriers.image.font": list(fonts) or None}


def scope_options(command: _Command) -> _Command:
    for option in (
        click.option(
            "--conditions", help="Work only on these conditions, comma-separated: t2t,s2t. The plan does not change."
        ),
        click.option("--models", help="Work only on these models, comma-separated. The plan does not change."),
    ):
        command = option(command)
    return command


FLEETS = ("auto", "compose", "static", "embedded")
"""Values of `--fleet`; a test compares them with `FleetKind`, which is not imported to keep `--help` fast."""


def fleet_option(what: str) -> Callable[[_Command], _Command]:
    """`--fleet`.

    Args:
        what: the services that it is about.
    """
    text = (
        f"Where {what} run: `compose` on Compose's loopback ports, `embedded` as child processes, `static` at the "
        "configured endpoints only. Default: auto, which keeps what the run used so far, else takes Compose if it "
        "answers, else embedded."
    )
    return click.option("--fleet", type=click.Choice(FLEETS), help=text)


_ACCEPTED = {
    "scorer": ("ASR scorer", "transcripts"),
    "voice": ("TTS service", "recordings of the questions"),
    "judge": ("judge", "verdicts"),
}


def accept_options(*names: str) -> Callable[[_Command], _Command]:
    """`--accept-scorer`, `--accept-voice` and `--accept-judge`, as far as they are named; all without names."""

    def add(command: _Command) -> _Command:
        for name in reversed(names or tuple(_ACCEPTED)):
            what, results = _ACCEPTED[name]
            text = f"Continue with another {what} than before: its {results} replace the stored ones in all tables."
            command = click.option(f"--accept-{name}", is_flag=True, help=text)(command)
        return command

    return add


def accepted_roles(flags: Mapping[str, object]) -> frozenset[Role]:
    """The roles that the flags of `accept_options` name."""
    from omnigap_orchestrator.fleet import Role

    roles = {"accept_scorer": Role.SCORER, "accept_voice": Role.TTS, "accept_judge": Role.JUDGE}
    return frozenset(role for flag, role in roles.items() if flags.get(flag))


def item_flags(
    config: Path | None, items: str | None, limit: int | None, tasks: tuple[str, ...], preset: str | None = None
) -> dict[str, object]:
    """The item flags as keys of the configuration; without any choice of items, the default limit applies."""
    chosen = config or items or limit or tasks
    return {
        "items.path": None if items in (None, *_BUILTIN) else items,
        "items.builtin": _BUILTIN.get(items or ""),
        "items.limit": limit if chosen else DEFAULT_LIMIT,
        "items.tasks": list(tasks) or None,
        "items.preset": preset,
    }


def split(text: str | None) -> tuple[str, ...]:
    """The values of a comma-separated flag."""
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def run_dir_of(run_dir: Path | None, config: Path | None, configured: Path | None) -> Path:
    """`--run-dir`, else the configuration's `run.dir`, else `runs/` and the configuration's name, else runs/default."""
    if run_dir is not None:
        return run_dir
    if configured is not None:
        return configured
    return Path("runs") / config.stem if config is not None else DEFAULT_RUN
