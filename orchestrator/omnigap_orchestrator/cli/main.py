"""`omnigap-orchestrate`: the group of commands, each imported only when it is called."""

from __future__ import annotations

import difflib
import importlib.util
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import Any, TextIO, cast

import click

import omnigap
from omnigap.terminal import LossyStream, protect_streams, readable
from omnigap_orchestrator.extension import Command, ExtraError, extras

PACKAGES = {
    "babel": "babel",
    "fonttools": "fontTools",
    "jinja2": "jinja2",
    "matplotlib": "matplotlib",
    "polars": "polars",
    "psutil": "psutil",
    "rapidfuzz": "rapidfuzz",
    "rich": "rich",
    "scipy": "scipy",
    "text2num": "text_to_num",
    "tomli-w": "tomli_w",
    "whisper-normalizer": "whisper_normalizer",
}
"""The packages of the extra `orchestrator` -> the module of each."""

_CLI = "omnigap_orchestrator.cli"
_CORE = {
    "run": Command(f"{_CLI}.run:run", "Run all pending cells: generate, transcribe, score, report."),
    "plan": Command(f"{_CLI}.plan:plan", "Show the cells of a run, and the time that they may take."),
    "models": Command(f"{_CLI}.models:models", "Show the known models, their conditions, and which services answer."),
    "doctor": Command(f"{_CLI}.doctor:doctor", "Check configuration, endpoints, disk and fonts."),
    "transcribe": Command(f"{_CLI}.stages:transcribe", "Transcribe the speech answers of an existing run."),
    "score": Command(f"{_CLI}.stages:score", "Score the stored answers of an existing run."),
    "score-text": Command(f"{_CLI}.score_text:score_text", "Score answer texts of a file, and show how each was read."),
    "report": Command(f"{_CLI}.stages:report", "Rewrite the report of an existing run."),
    "bench": Command(f"{_CLI}.bench:bench", "Measure services apart from a run: `bench latency`."),
    "compare": Command(f"{_CLI}.compare:compare", "Compare two runs item by item."),
}


@cache
def _commands() -> dict[str, Command]:
    """The commands of the core, each followed by those that extras list behind it."""
    try:
        waiting = {name: command for extra in extras() for name, command in extra.commands.items()}
    except ExtraError as error:
        raise click.ClickException(str(error)) from error
    if taken := waiting.keys() & _CORE.keys():
        raise click.ClickException(f"an extra names its command {taken.pop()!r}, which the core has: rename it there")
    order = list(_CORE)
    # Commands may be listed behind those of other extras, so each round places what has a place by now; what names
    # an unknown command goes last.
    while left := [name for name in waiting if name not in order]:
        placed = [name for name in left if waiting[name].after in order] or left
        for name in placed:
            after = waiting[name].after
            order.insert(order.index(after) + 1 if after in order else len(order), name)
    every = {**_CORE, **waiting}
    return {name: every[name] for name in order}


class LazyGroup(click.Group):
    """A group that lists its commands without importing them, which keeps `--help` fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_commands())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = _commands().get(cmd_name)
        if found is None:
            return None
        command = found.load()
        known = {parameter.name for parameter in command.params}
        added = [option for extra in extras() for option in extra.options(cmd_name) if option.name not in known]
        # After the command's own options, and before --help, which click appends itself.
        command.params.extend(added)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _commands() and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], list(_commands()), n=1)
            hint = f"did you mean {near[0]!r}?" if near else "see --help"
            ctx.fail(f"no such command {args[0]!r}: {hint}")
        return super().resolve_command(ctx, args)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Runs a command and exits: with 1 if its output was lost, and quietly if the reader of a pipe has gone."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, False, **extra)
        protect_streams()
        if missing := _missing_packages():
            # Services are installed without the orchestrator's libraries, but with its sources. Not `_show`, which
            # imports one of them.
            click.echo(f"Error: {missing}", err=True)
            sys.exit(1)
        # Text that can't be written is dropped, and the command goes on: its work is not worth less.
        before = sys.stdout
        output = LossyStream(before)
        sys.stdout = cast("TextIO", output)
        try:
            result = super().main(args, prog_name, complete_var, False, **extra)
            code = result if isinstance(result, int) else 0
        except click.ClickException as error:
            code = error.exit_code
            _show(error)
        except click.Abort:
            code = 1
            _show(click.ClickException("aborted"))
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(bool(end.code))
        finally:
            output.flush()
            output.close_lost()
            sys.stdout = before
        if output.lost is not None:
            code = code or 1
            # A reader that has gone, such as `head`, does not want to hear about it.
            if not isinstance(output.lost, BrokenPipeError):
                why = output.lost.strerror or output.lost
                text = f"standard output can't be written ({why}): what the command stored is kept"
                _show(click.ClickException(text))
        # Python flushes standard error at exit too, and ends with 120 if text is left that can't be written.
        if sys.stderr is not None:
            errors = LossyStream(sys.stderr)
            errors.flush()
            errors.close_lost()
        sys.exit(code)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.help) for name, command in _commands().items()])


def _missing_packages() -> str:
    """A message with the orchestrator's missing packages and the command that installs them; empty if none."""
    # `find_spec` imports nothing, so that `--help` stays fast.
    names = [package for package, module in PACKAGES.items() if importlib.util.find_spec(module) is None]
    return f"the orchestrator needs {', '.join(names)}: pip install 'omnigap[orchestrator]'" if names else ""


def _show(error: click.ClickException) -> None:
    """Prints an error for the user; what services and files wrote into it can't control the terminal."""
    if sys.stderr is None:
        # Without standard error, click would print to standard output, where data is expected.
        return
    from omnigap_orchestrator.cli.terminal import as_on_host

    shown = as_on_host(readable(error.message))
    if shown != error.message:
        error = click.ClickException(shown)
    # Standard error may be closed or full; the exit code still says that the command failed.
    with suppress(OSError, ValueError):
        error.show()


@click.group(cls=LazyGroup, context_settings={"auto_envvar_prefix": "OMNIGAP", "help_option_names": ["-h", "--help"]})
@click.version_option(omnigap.__version__, prog_name="omnigap")
def main() -> None:
    """Measure the modality gap: the same questions as text, speech and image, answered as text and as speech.

    Start with `omnigap-orchestrate run`. Most flags can also be set in a TOML file (--config), or as environment
    variables OMNIGAP_COMMAND_FLAG.
    """


if __name__ == "__main__":
    main()
