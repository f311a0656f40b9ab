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
@config_option
@run_dir_option
@items_options
@font_option
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
@friendly
def doctor(
    ctx: click.Context,
    config: Path | None,
    run_dir: Path | None,
    items: str | None,
    limit: int | None,
    tasks: tuple[str, ...],
    preset: str | None,
    fonts: tuple[str, ...],
    as_json: bool,
) -> None:
    """Check configuration, items, folder and disk of the run, fonts, and every endpoint with its digest.

    If --run-dir holds a run, its configuration and items are checked, unless --config is given. Exit code 1 if a check
    fails.
    """
    # Local imports keep `--help` fast.
    from omnigap_orchestrator.preflight.doctor import diagnose

    inputs = load_inputs(ctx, config, run_dir, ItemFlags(items, limit, tasks, preset), font_flags(fonts))
    findings = asyncio.run(diagnose(inputs.config, inputs.folder.root, inputs.items, inputs.source))
    findings += _misfiled(inputs.folder)
    if in_use := _in_use(inputs.folder):
        findings = [each for each in findings if each.check != in_use.check] + [in_use]
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
    """A warning if the journal holds rows of another service than the one that was asked."""
    from omnigap.errors import OmnigapError
    from omnigap_orchestrator.pipeline.prepare import load_run
    from omnigap_orchestrator.pipeline.results import ResultsTable
    from omnigap_orchestrator.preflight import Finding

    if not folder.journal.is_file():
        return []
    try:
        with load_run(folder) as (cells, records):
            messages = ResultsTable(folder.name, cells, records).misfiled_rows().messages()
    except OmnigapError:
        # Another check reports a run that can't be read.
        return []
    fix = "they are not used, and the same command asks their cells again"
    return [Finding.warning("stored results", f"{message}: {fix}") for message in messages]


def _in_use(folder: RunFolder) -> Finding | None:
    """A failed finding if another process uses the run."""
    from omnigap_orchestrator.pipeline.folder import FolderError
    from omnigap_orchestrator.preflight import Finding

    # Without a lock file, no process uses the run. `locked` would create the file, and doctor must change nothing.
    if not folder.lock.exists():
        return None
    try:
        with folder.locked():
            return None
    except FolderError as error:
        return Finding.failed("run folder", str(error))
