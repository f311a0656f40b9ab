"""`omnigap-orchestrate doctor`: checks that a run has all it needs, and says how to fix what is missing."""

from __future__ import annotations

import asyncio
import json
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

if TYPE_CHECKING:
    from omnigap_orchestrator.pipeline.folder import RunFolder
    from omnigap_orchestrator.preflight import Finding


@click.command()
@config_option
@run_dir_option
@items_options
@font_option
@click.option("--json", "as_json", is_flag=True, help="As JSON on standard output.")
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
    """Check the configuration, the items, the run's folder and disk, fonts, and every endpoint with its digest.

    With the run in --run-dir, its own configuration and items; without a run there, or with --config, those of the
    flags. Exit code 1 where a check fails.
    """
    from omnigap_orchestrator.preflight.doctor import diagnose

    own = load_inputs(ctx, config, run_dir, ItemFlags(items, limit, tasks, preset), font_flags(fonts))
    findings = asyncio.run(diagnose(own.config, own.folder.root, own.items, own.source))
    if in_use := _in_use(own.folder):
        findings = [each for each in findings if each.check != in_use.check] + [in_use]
    if as_json:
        print(json.dumps([{"check": f.check, "status": f.status.value, "message": f.message} for f in findings]))
    else:
        from rich.console import Console
        from rich.markup import escape

        console = Console()
        colours = {"ok": "green", "warning": "yellow", "failed": "red"}
        for finding in findings:
            mark = f"[{colours[finding.status]}]{finding.status.value:8}[/]"
            console.print(f"{mark} {escape(finding.check)}: {escape(finding.message)}", highlight=False)
    ctx.exit(1 if any(finding.status == "failed" for finding in findings) else 0)


def _in_use(folder: RunFolder) -> Finding | None:
    """Where another process holds the run: a run would be refused now."""
    from omnigap_orchestrator.pipeline.folder import FolderError
    from omnigap_orchestrator.preflight import Finding

    # No lock file means that no process uses the run. `locked` would create the file, and doctor changes nothing.
    if not folder.lock.exists():
        return None
    try:
        with folder.locked():
            return None
    except FolderError as error:
        return Finding.failed("run folder", str(error))
