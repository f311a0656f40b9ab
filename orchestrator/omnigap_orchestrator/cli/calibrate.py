"""`omnigap-orchestrate calibrate`: how often the ASR scorer is right about texts that are known."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from omnigap_orchestrator.cli.options import (
    INTERRUPTED,
    NOT_WHOLE,
    config_option,
    friendly,
    items_options,
    run_dir_option,
)
from omnigap_orchestrator.cli.own_plan import ItemFlags, own_plan


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

    With the run in --run-dir, its own configuration and items, narrowed by --task and --limit; without a run there, or
    with --config, those of the flags. The report of the run then shows its spoken answers corrected for what the scorer
    gets wrong.
    Exit code 0: every clip was heard; 3: clips are pending or failed; 1: an error; 130: interrupted.
    """
    from omnigap_orchestrator.cli.calibration_view import print_calibration
    from omnigap_orchestrator.cli.progress import observer_for
    from omnigap_orchestrator.items import load_items
    from omnigap_orchestrator.run import calibrate as measure

    given = ItemFlags(flags["items"], flags["limit"], flags["tasks"], flags["preset"])
    own = own_plan(ctx, flags["config"], flags["run_dir"], given, {"fleet.kind": flags["fleet"]})
    config, folder = own.config, own.folder
    with observer_for(quiet=quiet or as_json) as observer:
        if own.source:
            observer.note(own.source)
        items = load_items(config.items) if own.items is None else own.items
        try:
            clips = asyncio.run(
                measure(
                    config,
                    items,
                    folder,
                    observer,
                    stored=own.stored,
                    carrier=flags["carrier"],
                    per_type=flags["per_type"],
                )
            )
        except KeyboardInterrupt:
            observer.note("interrupted; every clip that was heard is kept, and the same command goes on from here")
            ctx.exit(INTERRUPTED)
    whole = print_calibration(clips, folder, has_run=own.stored is not None, as_json=as_json)
    ctx.exit(0 if whole else NOT_WHOLE)
