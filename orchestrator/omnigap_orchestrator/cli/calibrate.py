"""`omnigap-orchestrate calibrate`: how often the ASR scorer is right about texts that are known."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from omnigap_orchestrator.cli.errors import INTERRUPTED, NOT_WHOLE, friendly
from omnigap_orchestrator.cli.options import config_option, item_flags, items_options, run_dir_of, run_dir_option


@click.command()
@config_option
@run_dir_option
@items_options
@click.option("--fleet", type=click.Choice(["auto", "embedded", "static"]), help="Where voice and scorer come from.")
@click.option("--carrier", help="Sentence that answers are said in, as 'The answer is {answer}.' Default: bare.")
@click.option(
    "--per-type", type=click.IntRange(min=1), default=200, show_default=True, help="Items of each answer type, at most."
)
@click.option("--quiet", "-q", is_flag=True, help="No progress, only notes and the result.")
@click.option("--json", "as_json", is_flag=True, help="The result as JSON on standard output.")
@click.pass_context
@friendly
def calibrate(ctx: click.Context, /, quiet: bool, as_json: bool, **flags: Any) -> None:
    """Have gold answers and wrong ones said by the voice and heard by the scorer, in every voice of the run.

    With the run in --run-dir, its items and services; else those of --config, or the built-in ones. The report of the
    run then shows its spoken answers corrected for what the scorer gets wrong.
    Exit code 0: every clip was heard; 3: clips are pending or failed; 1: an error; 130: interrupted.
    """
    from omnigap_orchestrator.calibration.drive import calibrate as measure
    from omnigap_orchestrator.cli.calibration_view import print_calibration
    from omnigap_orchestrator.cli.progress import observer_for
    from omnigap_orchestrator.config import load_config
    from omnigap_orchestrator.config.services import FleetKind
    from omnigap_orchestrator.items import load_items
    from omnigap_orchestrator.run.drive import rewrite, score_anew
    from omnigap_orchestrator.run.folder import RunFolder
    from omnigap_orchestrator.run.record import recall

    path: Path | None = flags["config"]
    chosen = item_flags(path, flags["items"], flags["limit"], flags["tasks"], flags["preset"])
    config = load_config(path, {**chosen, "fleet.kind": flags["fleet"]})
    folder = RunFolder(run_dir_of(flags["run_dir"], path, config.run.dir))
    has_run = folder.config.is_file() and folder.items.is_file()
    if has_run and path is None and not (flags["items"] or flags["limit"] or flags["tasks"]):
        config, items = recall(folder)
        if flags["fleet"]:
            fleet = config.fleet.model_copy(update={"kind": FleetKind(flags["fleet"])})
            config = config.model_copy(update={"fleet": fleet})
    else:
        items = load_items(config.items)
    with observer_for(quiet=quiet or as_json) as observer:
        try:
            clips = asyncio.run(
                measure(config, items, folder, observer, carrier=flags["carrier"], per_type=flags["per_type"])
            )
        except KeyboardInterrupt:
            observer.note("interrupted; every clip that was heard is kept, and the same command goes on from here")
            ctx.exit(INTERRUPTED)
        if has_run:
            asyncio.run(score_anew(folder, observer))
            rewrite(folder)
    whole = print_calibration(clips, folder, has_run=has_run, as_json=as_json)
    ctx.exit(0 if whole else NOT_WHOLE)
