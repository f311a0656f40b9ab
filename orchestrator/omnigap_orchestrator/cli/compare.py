"""`omnigap-orchestrate compare`: two runs, item by item."""

from __future__ import annotations

import json
from pathlib import Path

import click

from omnigap_orchestrator.cli.options import friendly


@click.command()
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.option("--allow-missing", is_flag=True, help="Compare even if many answers are missing.")
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
@friendly
def compare(first: Path, second: Path, allow_missing: bool, as_json: bool) -> None:
    """Compare two runs, paired by item. Differences are SECOND minus FIRST.

    FIRST and SECOND are folders of runs or tables of results, for example of two models, ASR scorers, decoding settings
    or versions of a checkpoint.
    """
    # Imports of polars, grpc and the like are local to each command, so that `--help` stays fast.
    from omnigap_orchestrator.analysis import IntervalOptions, MissingRule
    from omnigap_orchestrator.analysis import compare as compare_frames
    from omnigap_orchestrator.cli.inputs import results_of
    from omnigap_orchestrator.cli.tables import print_comparison
    from omnigap_orchestrator.results import TableError

    before, after = results_of(first), results_of(second)
    try:
        rows = compare_frames(before, after, MissingRule(allow=allow_missing), IntervalOptions())
    except ValueError as error:
        raise TableError(str(error)) from error
    if rows.is_empty():
        theirs = " against ".join(", ".join(sorted(set(frame["condition"]))) for frame in (before, after))
        raise TableError(f"{first} and {second} have no condition in common: {theirs}")
    if as_json:
        print(json.dumps(rows.to_dicts(), ensure_ascii=False))
    else:
        print_comparison(rows, str(first), str(second))
