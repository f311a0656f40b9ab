"""`omnigap-orchestrate`: the commands by name, each imported only when it is called."""

from __future__ import annotations

import difflib
from importlib import import_module

import click

import omnigap

_COMMANDS = {
    "run": ("run", "Ask every planned question that has no answer yet, hear, score, and write the report."),
    "plan": ("plan", "Show what a run would ask, and how long it may take."),
    "models": ("models", "Show the known models, what each can do, and which answer now."),
    "doctor": ("doctor", "Check configuration, endpoints, disk and fonts."),
    "transcribe": ("stages", "Transcribe the speech answers of an existing run."),
    "score": ("stages", "Score the stored answers of an existing run."),
    "report": ("stages", "Write the report of an existing run again."),
    "calibrate": ("calibrate", "Measure how often the ASR scorer is right, to correct spoken answers for it."),
    "sample-clips": ("sample_clips", "Draw spoken answers for people to label, as a listening sheet."),
    "analyse": ("analyse", "Analyse a table of per-item scores that was made elsewhere."),
    "compare": ("compare", "Compare two runs item by item."),
    "route": ("route", "Choose the form of question and answer for each task, under constraints."),
    "verify": ("verify", "Read the made images and recordings back, and mark those that lost their content."),
    "conform": ("conform", "Check a running service, of any author, against the contract."),
}


class LazyGroup(click.Group):
    """Lists commands without importing them: `--help` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"omnigap_orchestrator.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], _COMMANDS, n=1)
            mend = f"did you mean {near[0]!r}?" if near else "--help shows them all"
            ctx.fail(f"no such command {args[0]!r}: {mend}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"auto_envvar_prefix": "OMNIGAP", "help_option_names": ["-h", "--help"]})
@click.version_option(omnigap.__version__, prog_name="omnigap")
def main() -> None:
    """Measure the modality gap: the same question as text, speech and image, answered as text and as speech.

    Start with `omnigap-orchestrate run`. Most flags can also be set in a TOML file, or as OMNIGAP_COMMAND_FLAG.
    """


if __name__ == "__main__":
    main()
