"""`omnigap-orchestrate doctor`: checks everything that a run needs, and how to fix what is missing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from omnigap_orchestrator.cli.inputs import ItemFlags, load_inputs
from omnigap_orchestrator.cli.options import (
    config_option,
    font_flags,
    font_option,
    friendly,
    items_options,
    run_dir_option,
)
from omnigap_orchestrator.cli.terminal import Terminal, print_json

if TYPE_CHECKING:
    from omnigap_orchestrator.pipeline.folder import RunFolder
    from omnigap_orchestrator.preflight import Finding


@click.command()
@click.argument("run", required=False, type=click.Path(path_type=Path))
@config_option
@run_dir_option
@items_options
@font_option
@click.option("--repair", is_flag=True, help="Repair the files of RUN as far as possible.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
@friendly
def doctor(
    ctx: click.Context,
    run: Path | None,
    config: Path | None,
    run_dir: Path | None,
    items: str | None,
    limit: int | None,
    tasks: tuple[str, ...],
    preset: str | None,
    fonts: tuple[str, ...],
    repair: bool,
    as_json: bool,
) -> None:
    """Check configuration, items, folder and disk of the run, fonts, and every endpoint with its digest.

    If --run-dir holds a run, its configuration and items are checked, unless --config is given.

    With RUN, the folder of a run, check its files instead: the rows of the journal, the hash of every medium, and the
    outputs. --repair removes damaged rows and media, so that `run` makes them again, saves what can be read of a
    damaged journal, and writes the outputs again; damaged files are kept under another name. Without it nothing is
    changed.

    Exit code 1 if a check fails.
    """
    if run is not None:
        _show(ctx, _check_files(run, repair), as_json)
    if repair:
        raise click.UsageError("--repair needs the folder of a run: omnigap-orchestrate doctor RUN --repair")
    # Local imports keep `--help` fast.
    from omnigap_orchestrator.preflight.doctor import diagnose

    inputs = load_inputs(ctx, config, run_dir, ItemFlags(items, limit, tasks, preset), font_flags(fonts))
    findings = asyncio.run(diagnose(inputs.config, inputs.folder.root, inputs.items, inputs.source))
    findings += _misfiled(inputs.folder)
    if in_use := _in_use(inputs.folder):
        findings = [each for each in findings if each.check != in_use.check] + [in_use]
    _show(ctx, findings, as_json)


def _check_files(run: Path, repair: bool) -> list[Finding]:
    """The findings of `doctor RUN`."""
    from omnigap_orchestrator.export.check_run import check_run, repair_run
    from omnigap_orchestrator.pipeline.folder import RunFolder

    folder = RunFolder(run)
    if not (folder.journal.exists() or folder.config.exists()):
        folder.require()
    # A run in progress writes these files: they are checked when it has ended.
    if in_use := _in_use(folder):
        return [in_use]
    if not repair:
        return [*check_run(folder), *_misfiled(folder)]
    with folder.locked():
        done = repair_run(folder)
        done += _written_again(folder)
    return [*done, *check_run(folder), *_misfiled(folder)]


def _written_again(folder: RunFolder) -> list[Finding]:
    """Writes the outputs of a repaired run."""
    from omnigap.errors import OmnigapError
    from omnigap_orchestrator.pipeline.context import Observer
    from omnigap_orchestrator.preflight import Finding
    from omnigap_orchestrator.run import report

    try:
        report(folder, Observer(), locked=True)
    except OmnigapError as error:
        return [Finding.failed("repair", f"the outputs can't be written: {error}")]
    return [Finding.ok("repair", "the outputs were written again: run `omnigap-orchestrate run` for what is missing")]


def _show(ctx: click.Context, findings: list[Finding], as_json: bool) -> None:
    """Prints the findings, and ends the command."""
    if as_json:
        print_json([{"check": f.check, "status": f.status.value, "message": f.message} for f in findings])
    else:
        from rich.text import Text

        from omnigap.terminal import readable

        console = Terminal()
        colours = {"ok": "green", "warning": "yellow", "failed": "red"}
        for finding in findings:
            mark = (f"{finding.status.value:8}", colours[finding.status])
            console.print(Text.assemble(mark, f" {finding.check}: {readable(finding.message)}"))
    ctx.exit(1 if any(finding.status == "failed" for finding in findings) else 0)


def _misfiled(folder: RunFolder) -> list[Finding]:
    """A warning for each service of which the journal holds rows that another one wrote. Changes nothing."""
    from contextlib import suppress

    from omnigap.errors import OmnigapError
    from omnigap_orchestrator.journal.salvage import copied_records
    from omnigap_orchestrator.pipeline.folder import load_plan
    from omnigap_orchestrator.pipeline.prepare import load_cells
    from omnigap_orchestrator.pipeline.results import ResultsTable
    from omnigap_orchestrator.preflight import Finding

    if not folder.journal.is_file():
        return []
    messages: tuple[str, ...] = ()
    # Another check reports a run that can't be read.
    with suppress(OmnigapError, OSError), copied_records(folder.journal) as records:
        cells = load_cells(*load_plan(folder), folder, records)
        messages = ResultsTable(folder.name, cells, records).misfiled_rows().messages()
    fix = "they are not used, and the same command asks their cells again"
    return [Finding.warning("stored results", f"{message}: {fix}") for message in messages]


def _in_use(folder: RunFolder) -> Finding | None:
    """A failed finding if another process uses the run."""
    from omnigap_orchestrator.preflight import Finding

    error = folder.in_use()
    return None if error is None else Finding.failed("run folder", str(error))
