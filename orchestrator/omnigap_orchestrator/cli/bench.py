"""`omnigap-orchestrate bench latency`: latencies of single questions on idle services."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from omnigap_orchestrator.cli.inputs import stored_run_option
from omnigap_orchestrator.cli.options import (
    DEFAULT_RUN,
    INCOMPLETE,
    INTERRUPTED,
    fleet_option,
    friendly,
    scope_options,
    split,
)
from omnigap_orchestrator.cli.terminal import Terminal, print_json

if TYPE_CHECKING:
    from omnigap_orchestrator.analysis.latency import LatencyRow
    from omnigap_orchestrator.config.services import FleetKind
    from omnigap_orchestrator.pipeline.context import Observer
    from omnigap_orchestrator.pipeline.folder import RunFolder
    from omnigap_orchestrator.pipeline.idle_latency import IdleMeasurement
    from omnigap_orchestrator.pipeline.scope import RunScope


@click.group()
def bench() -> None:
    """Measure services apart from a run."""


@bench.command()
@stored_run_option
@click.option(
    "--items",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Questions per model and condition, round-robin over tasks; a 95th percentile takes 72.",
)
@scope_options
@fleet_option("the models")
@click.option("--quiet", "-q", is_flag=True, help="Print only notes and the result, no progress.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_context
@friendly
def latency(
    ctx: click.Context,
    run_dir: Path | None,
    items: int,
    models: str | None,
    conditions: str | None,
    fleet: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Ask some questions of an existing run one at a time, and store how long the answers take.

    A run keeps its services busy, so its latencies include queueing. Only the latencies of this command are used by
    `route` and by [routing]. Run it while nothing else uses the services. The report is written again.

    Exit code 0: all questions were answered; 3: some were not, or a model was unavailable; 1: an error; 130:
    interrupted.
    """
    from omnigap_orchestrator.analysis.latency import LatencyRow
    from omnigap_orchestrator.analysis.latency import latency as quantiles
    from omnigap_orchestrator.analysis.table import rows_of
    from omnigap_orchestrator.cli.progress import observer_for
    from omnigap_orchestrator.config.services import FleetKind
    from omnigap_orchestrator.pipeline.folder import RunFolder
    from omnigap_orchestrator.pipeline.scope import RunScope
    from omnigap_orchestrator.results import random_weights_of, read_own_results

    folder = RunFolder(run_dir or DEFAULT_RUN)
    scope = RunScope.parse(split(models), split(conditions), ("generate",))
    with observer_for(quiet=quiet or as_json) as observer:
        try:
            found = asyncio.run(_measure(folder, scope, items, FleetKind(fleet) if fleet else None, observer))
        except KeyboardInterrupt:
            observer.note("interrupted; nothing was stored, run the same command again")
            ctx.exit(INTERRUPTED)
    table = quantiles(found.table)
    if as_json:
        data = {"run": folder.name, "asked": found.asked, "unanswered": found.unanswered}
        print_json({**data, "idle_latency": table.to_dicts()})
    else:
        _print(rows_of(table, LatencyRow), folder, random_weights_of(read_own_results(folder.results)))
    ctx.exit(INCOMPLETE if found.unanswered or not found.asked else 0)


async def _measure(
    folder: RunFolder, scope: RunScope, items: int, fleet: FleetKind | None, observer: Observer
) -> IdleMeasurement:
    from omnigap_orchestrator.pipeline.context import in_thread, open_run
    from omnigap_orchestrator.pipeline.folder import load_plan
    from omnigap_orchestrator.pipeline.idle_latency import measure
    from omnigap_orchestrator.pipeline.prepare import load_cells
    from omnigap_orchestrator.run import refresh

    # Before the folder is opened, which would create it.
    folder.require()
    config, items_of_run = load_plan(folder)
    async with open_run(folder, observer) as context:
        cells = load_cells(config, items_of_run, folder, context.records)
        scope.check(list(cells.models))
        found = await measure(context, cells, scope, items, fleet)
        await in_thread(refresh, context, cells)
        return found


def _print(rows: list[LatencyRow], folder: RunFolder, random: Mapping[str, Sequence[str]]) -> None:
    """Prints median and 95th percentile of the latency, and the median of the time in the queue.

    Args:
        random: as returned by `random_weights_of`; the heading marks models in it.
    """

    from omnigap_orchestrator.analysis.latency import answers_needed
    from omnigap_orchestrator.cli.tables import print_lines, print_table
    from omnigap_orchestrator.report.statements import random_mark

    console = Terminal()
    by_cell: dict[tuple[str, str], dict[tuple[str, float], LatencyRow]] = {}
    for row in rows:
        by_cell.setdefault((row.model, row.condition), {})[row.measure, row.quantile] = row
    for model in dict.fromkeys(name for name, _ in by_cell):
        cells = []
        for (name, condition), found in by_cell.items():
            if name == model:
                whole = found["latency_s", 0.5]
                shown = [
                    _seconds(found.get(key)) for key in (("latency_s", 0.5), ("latency_s", 0.95), ("queue_s", 0.5))
                ]
                cells.append([condition, str(whole.n), *shown])
        headings = ["condition", "answers", "median latency", "95th percentile", "median in queue"]
        mark = random_mark(random.get(model, ()))
        print_table(console, f"{model}{f' ({mark})' if mark else ''}: one question at a time", headings, cells)
    if any(row.quantile == 0.95 and row.seconds is None for row in rows):
        print_lines(
            console, [f"A 95th percentile takes {answers_needed(0.95)} answers: --items {answers_needed(0.95)}."]
        )
    console.print(f"report: {folder.report}", highlight=False, soft_wrap=True, markup=False)


def _seconds(row: LatencyRow | None) -> str:
    return "" if row is None or row.seconds is None else f"{row.seconds:.3f} s"
