"""`omnigap-orchestrate compare`: two runs, item by item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import click
import polars as pl

from omnigap_orchestrator.analysis.compare import ComparisonRow
from omnigap_orchestrator.analysis.contrasts import ANSWERED_PAIRS, headline
from omnigap_orchestrator.analysis.table import rows_of
from omnigap_orchestrator.cli.options import friendly
from omnigap_orchestrator.cli.tables import gap_text, print_lines, print_table, reason_lines
from omnigap_orchestrator.cli.terminal import Terminal, print_json


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
    from omnigap_orchestrator.report.statements import random_text
    from omnigap_orchestrator.results import TableError, random_weights_of

    before, after = results_of(first), results_of(second)
    try:
        rows = compare_frames(before, after, MissingRule(allow=allow_missing), IntervalOptions())
    except ValueError as error:
        raise TableError(str(error)) from error
    if rows.is_empty():
        theirs = " against ".join(", ".join(sorted(set(frame["condition"]))) for frame in (before, after))
        raise TableError(f"{first} and {second} have no condition in common: {theirs}")
    if as_json:
        print_json(rows.to_dicts())
    else:
        random = [random_weights_of(results) for results in (before, after)]
        print_comparison(rows, str(first), str(second), random[0], random[1])
        for run, found in zip((first, second), random, strict=True):
            for model, roles in found.items():
                click.echo(f"{run}: {random_text(model, roles)}")


def print_comparison(
    table: pl.DataFrame,
    first_run: str,
    second_run: str,
    first_random: Mapping[str, Sequence[str]] = MappingProxyType({}),
    second_random: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> None:
    """Prints the differences second minus first in points: of score and gap, per condition.

    Args:
        table: a frame of `COMPARISON_SCHEMA`.
        first_random, second_random: as returned by `random_weights_of`; the heading marks models in them.
    """
    console = Terminal()
    headings = ("condition", "score, points", "p (Holm)", "gap, points", "p (Holm)")
    for (first, second), part in table.group_by("first", "second", maintain_order=True):
        chosen = rows_of(headline(part, ANSWERED_PAIRS), ComparisonRow)
        cells = []
        for condition in dict.fromkeys(row.condition for row in chosen):
            of = {row.quantity: row for row in chosen if row.condition == condition}
            score, gap = of.get("score"), of.get("gap")
            cells.append([condition, gap_text(score), _p(score), gap_text(gap), _p(gap)])
        names = _named(str(first), first_random), _named(str(second), second_random)
        title = f"{names[1]} - {names[0]}" if first != second else f"{max(names, key=len)}: {second_run} - {first_run}"
        print_table(console, title, headings, cells)
        print_lines(console, reason_lines(chosen))
        if chosen and (chosen[0].only_first or chosen[0].only_second):
            left = f"{chosen[0].only_first} only in the first, {chosen[0].only_second} only in the second"
            console.print(f"Items in only one run are left out: {left}.", highlight=False)


def _named(model: str, random: Mapping[str, Sequence[str]]) -> str:
    from omnigap_orchestrator.report.statements import random_mark

    mark = random_mark(random.get(model, ()))
    return f"{model} ({mark})" if mark else model


def _p(row: ComparisonRow | None) -> str:
    return "" if row is None or row.p_adjusted is None else f"{row.p_adjusted:.3f}"
