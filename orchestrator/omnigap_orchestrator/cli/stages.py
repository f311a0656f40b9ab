"""`transcribe`, `score` and `report`: single stages of an existing run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from omnigap_orchestrator.cli.inputs import stored_run_option
from omnigap_orchestrator.cli.options import (
    DEFAULT_RUN,
    INCOMPLETE,
    INTERRUPTED,
    accept_options,
    accepted_roles,
    fleet_option,
    friendly,
    scope_options,
    split,
)

if TYPE_CHECKING:
    from omnigap_orchestrator.run import Changes


@click.command()
@stored_run_option
@scope_options
@fleet_option("scorer and judge")
@accept_options("scorer", "judge")
@click.option(
    "--second-scorer",
    "second",
    multiple=True,
    metavar="HOST:PORT",
    help="Endpoint of another ASR service that transcribes the same answers, for comparison; repeat for replicas.",
)
@click.option("--quiet", "-q", is_flag=True, help="Print only notes and the result, no progress.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_context
@friendly
def transcribe(
    ctx: click.Context,
    /,
    run_dir: Path | None,
    models: str | None,
    conditions: str | None,
    fleet: str | None,
    second: tuple[str, ...],
    quiet: bool,
    as_json: bool,
    **accepted: bool,
) -> None:
    """Transcribe the speech answers without a transcript of the current ASR scorer, and score them.

    No model is called. A second scorer, set here or in [second_scorer], transcribes the same answers; the report
    compares both. A run is complete without it.
    """
    from omnigap_orchestrator.run import Changes
    from omnigap_orchestrator.validation import check_endpoint

    # Checked here, so that the error names the flag; the configuration would name a key that the user never wrote.
    for address in second:
        try:
            check_endpoint(address)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--second-scorer") from None
    changes = Changes(fleet, second_scorer=second)
    _work(ctx, run_dir, models, conditions, "transcribe,judge,score", changes, accepted, quiet, as_json)


@click.command()
@stored_run_option
@scope_options
@click.option("--rubric", help="Rubric from now on: a shipped rubric, or a .toml, .txt or .md file.")
@click.option("--reference-rubric", help="As --rubric, for items with gold answers.")
@fleet_option("the judge")
@accept_options("judge")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_context
@friendly
def score(
    ctx: click.Context,
    /,
    run_dir: Path | None,
    models: str | None,
    conditions: str | None,
    rubric: str | None,
    reference_rubric: str | None,
    fleet: str | None,
    as_json: bool,
    **accepted: bool,
) -> None:
    """Score stored answers and transcripts again with the rules of this version.

    Needs no service except the judge, if the run has one: answers are judged again if the rubric, the judge or its
    decoding changed.
    """
    from omnigap_orchestrator.run import Changes

    changes = Changes(fleet, {"rubric": rubric, "reference_rubric": reference_rubric})
    _work(ctx, run_dir, models, conditions, "judge,score", changes, accepted, True, as_json)


@click.command()
@stored_run_option
@click.option("--single-file", is_flag=True, default=None, help="Embed all media in report.html.")
@click.option("--allow-missing", is_flag=True, default=None, help="Compute gaps even if many answers are missing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_context
@friendly
def report(
    ctx: click.Context,
    /,
    run_dir: Path | None,
    single_file: bool | None,
    allow_missing: bool | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Rewrite results.parquet, summary.json, report.html and manifest.toml of an existing run.

    No service is called.
    """
    from omnigap_orchestrator.cli.progress import observer_for
    from omnigap_orchestrator.cli.run import print_result
    from omnigap_orchestrator.pipeline.folder import RunFolder
    from omnigap_orchestrator.run import report as write_report

    folder = RunFolder(run_dir or DEFAULT_RUN)
    with observer_for(quiet=True) as observer:
        summary = write_report(
            folder,
            observer,
            single_file=single_file,
            allow_missing=allow_missing,
            given=given,
        )
    print_result(summary, folder, as_json=as_json)
    ctx.exit(0 if summary.complete else INCOMPLETE)


def _work(
    ctx: click.Context,
    run_dir: Path | None,
    models: str | None,
    conditions: str | None,
    stages: str,
    changes: Changes,
    accepted: Mapping[str, bool],
    quiet: bool,
    as_json: bool,
) -> None:
    from omnigap_orchestrator.cli.progress import observer_for
    from omnigap_orchestrator.cli.run import print_result
    from omnigap_orchestrator.pipeline.folder import RunFolder
    from omnigap_orchestrator.pipeline.scope import RunScope
    from omnigap_orchestrator.run import resume

    folder = RunFolder(run_dir or DEFAULT_RUN)
    scope = RunScope.parse(split(models), split(conditions), split(stages))
    with observer_for(quiet=quiet or as_json) as observer:
        try:
            summary = asyncio.run(resume(folder, scope, observer, changes, accepted_roles(accepted)))
        except KeyboardInterrupt:
            observer.note("interrupted; finished work is kept, run the same command to continue")
            ctx.exit(INTERRUPTED)
    print_result(summary, folder, as_json=as_json)
    ctx.exit(0 if summary.complete else INCOMPLETE)
