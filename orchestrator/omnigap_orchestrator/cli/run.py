"""`omnigap-orchestrate run`: from nothing to a report; typed again, it goes on where it stopped."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from omnigap_orchestrator.cli.options import (
    INTERRUPTED,
    NOT_WHOLE,
    config_option,
    control_flags,
    controls_option,
    font_flags,
    font_option,
    friendly,
    item_flags,
    items_options,
    restriction_options,
    run_dir_of,
    run_dir_option,
    split,
)


@click.command()
@config_option
@run_dir_option
@items_options
@font_option
@restriction_options
@click.option(
    "--stages",
    default="generate,transcribe,judge,score",
    show_default=True,
    help="Which to work on; also `carriers`.",
)
@click.option("--replicates", type=click.IntRange(min=1), help="Answers per model, item and condition.")
@controls_option
@click.option("--fleet", type=click.Choice(["auto", "embedded", "static"]), help="Where services come from.")
@click.option("--seed", type=int, help="Sent to models whose own decoding names none.")
@click.option("--allow-missing", is_flag=True, default=None, help="Compute gaps also where many answers are missing.")
@click.option("--single-file", is_flag=True, default=None, help="Put all media inside report.html.")
@click.option("--quiet", "-q", is_flag=True, help="No progress, only notes and the result.")
@click.option("--json", "as_json", is_flag=True, help="The result as JSON on standard output.")
@click.pass_context
@friendly
def run(ctx: click.Context, /, quiet: bool, as_json: bool, **flags: Any) -> None:
    """Ask every planned question that has no answer yet, have speech answers transcribed, score, and write the report.

    Without arguments it asks a slice of the built-in items in all six conditions, with services that it starts itself.
    Exit code 0: the run is whole; 3: cells are pending or failed; 1: an error; 130: interrupted.
    """
    from omnigap_orchestrator.cli.progress import observer_for
    from omnigap_orchestrator.cli.result_view import print_result
    from omnigap_orchestrator.config import load_config
    from omnigap_orchestrator.items import load_items
    from omnigap_orchestrator.pipeline.folder import RunFolder
    from omnigap_orchestrator.pipeline.scope import RunScope
    from omnigap_orchestrator.run import run as run_plan

    config_path: Path | None = flags["config"]
    config = load_config(
        config_path,
        {
            **item_flags(config_path, flags["items"], flags["limit"], flags["tasks"], flags["preset"]),
            **font_flags(flags["fonts"]),
            **control_flags(flags["controls"]),
            "run.replicates": flags["replicates"],
            "run.seed": flags["seed"],
            "fleet.kind": flags["fleet"],
            "analysis.allow_missing": flags["allow_missing"],
            "report.single_file": flags["single_file"],
        },
    )
    folder = RunFolder(run_dir_of(flags["run_dir"], config_path, config.run.dir))
    scope = RunScope.parse(split(flags["models"]), split(flags["conditions"]), split(flags["stages"]))
    with observer_for(quiet=quiet or as_json) as observer:
        try:
            summary = asyncio.run(run_plan(config, load_items(config.items), folder, scope, observer))
        except KeyboardInterrupt:
            observer.note("interrupted; every answer that came is kept, and the same command goes on from here")
            ctx.exit(INTERRUPTED)
    print_result(summary, folder, as_json=as_json)
    ctx.exit(0 if summary.whole else NOT_WHOLE)
