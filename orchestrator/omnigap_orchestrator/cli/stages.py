"""`transcribe`, `score` and `report`: single stages on the run that a folder holds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from omnigap_orchestrator.cli.inputs import stored_run_option
from omnigap_orchestrator.cli.options import DEFAULT_RUN, INCOMPLETE, INTERRUPTED, friendly, scope_options, split


@click.command()
@stored_run_option
@scope_options
@click.option("--fleet", type=click.Choice(["auto", "embedded", "static"]), help="Where the ASR scorer comes from.")
@click.option(
    "--second-scorer",
    "second",
    multiple=True,
    metavar="HOST:PORT",
    help="Another ASR service that hears the same answers, for comparison; may be given for several replicas.",
)
@click.option("--quiet", "-q", is_flag=True, help="No progress, only notes and the result.")
@click.option("--json", "as_json", is_flag=True, help="The result as JSON on standard output.")
@click.pass_context
@friendly
def transcribe(
    ctx: click.Context,
    run_dir: Path | None,
    models: str | None,
    conditions: str | None,
    fleet: str | None,
    second: tuple[str, ...],
    quiet: bool,
    as_json: bool,
) -> None:
    """Transcribe what the scorer that answers now has not heard yet, and score it. No model is asked.

    A second scorer, named here or in the configuration's [second_scorer], hears the same answers; its scores stand in
    the report beside the first's, and the run is whole without them.
    """
    from omnigap_orchestrator.validation import check_endpoint

    for place in second:
        try:
            check_endpoint(place)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--second-scorer") from None
    _work(ctx, run_dir, models, conditions, "transcribe,judge,score", fleet, quiet, as_json, second=second)


@click.command()
@stored_run_option
@scope_options
@click.option("--rubric", help="Judge by this one from now on: a shipped rubric, or a .toml, .txt or .md file.")
@click.option("--reference-rubric", help="The same, for items with gold answers.")
@click.option("--fleet", type=click.Choice(["auto", "embedded", "static"]), help="Where the judge comes from.")
@click.option("--json", "as_json", is_flag=True, help="The result as JSON on standard output.")
@click.pass_context
@friendly
def score(
    ctx: click.Context,
    run_dir: Path | None,
    models: str | None,
    conditions: str | None,
    rubric: str | None,
    reference_rubric: str | None,
    fleet: str | None,
    as_json: bool,
) -> None:
    """Score stored answers and transcripts again with this version's normaliser.

    No service is needed, but the judge where the run has one: open answers are judged again where the rubric, the judge
    or its decoding is another than before.
    """
    rubrics = {"rubric": rubric, "reference_rubric": reference_rubric}
    _work(ctx, run_dir, models, conditions, "judge,score", fleet, True, as_json, rubrics)


@click.command()
@stored_run_option
@click.option("--single-file", is_flag=True, default=None, help="Put all media inside report.html.")
@click.option("--allow-missing", is_flag=True, default=None, help="Compute gaps also where many answers are missing.")
@click.option("--json", "as_json", is_flag=True, help="The result as JSON on standard output.")
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
    """Write results.parquet, summary.json, report.html and manifest.toml again from what the folder holds."""
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
    ctx.exit(0 if summary.whole else INCOMPLETE)


def _work(
    ctx: click.Context,
    run_dir: Path | None,
    models: str | None,
    conditions: str | None,
    stages: str,
    fleet: str | None,
    quiet: bool,
    as_json: bool,
    rubrics: Mapping[str, str | None] | None = None,
    second: tuple[str, ...] = (),
) -> None:
    from omnigap_orchestrator.cli.progress import observer_for
    from omnigap_orchestrator.cli.run import print_result
    from omnigap_orchestrator.pipeline.folder import RunFolder
    from omnigap_orchestrator.pipeline.scope import RunScope
    from omnigap_orchestrator.run import Changes, resume

    folder = RunFolder(run_dir or DEFAULT_RUN)
    scope = RunScope.parse(split(models), split(conditions), split(stages))
    with observer_for(quiet=quiet or as_json) as observer:
        try:
            summary = asyncio.run(resume(folder, scope, observer, Changes(fleet, rubrics or {}, second)))
        except KeyboardInterrupt:
            observer.note("interrupted; what was done is kept, and the same command goes on from here")
            ctx.exit(INTERRUPTED)
    print_result(summary, folder, as_json=as_json)
    ctx.exit(0 if summary.whole else INCOMPLETE)
