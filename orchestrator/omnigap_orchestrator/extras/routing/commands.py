"""The command `route`: chooses an input and output modality for each task, under a product's constraints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from omnigap_orchestrator.cli.options import DEFAULT_RUN, friendly, split
from omnigap_orchestrator.cli.terminal import Terminal, print_json

if TYPE_CHECKING:
    import polars as pl

    from omnigap_orchestrator.analysis import Tables
    from omnigap_orchestrator.extras.routing.routing import PolicyRow, Routing


@click.command()
@click.argument("source", metavar="[RUN]", default=DEFAULT_RUN, type=click.Path(path_type=Path))
@click.option("--inputs", help="Allowed input modalities, comma-separated: text,speech,image. Default: all.")
@click.option("--outputs", help="Allowed output modalities, comma-separated: text,speech. Default: both.")
@click.option("--max-p95-latency", type=float, metavar="SECONDS", help="Maximum 95th percentile of the latency.")
@click.option("--models", help="Only these models, comma-separated.")
@click.option("--allow-missing", is_flag=True, help="Route a model even if many of its answers are missing.")
@click.option("--json", "as_json", is_flag=True, help="Print both tables as JSON.")
@friendly
def route(
    source: Path,
    inputs: str | None,
    outputs: str | None,
    max_p95_latency: float | None,
    models: str | None,
    allow_missing: bool,
    as_json: bool,
) -> None:
    """Choose the condition for each task of RUN, a run folder or a table of results (default: runs/default).

    Policies are evaluated on held-out items, by cross-validation. Latencies of a run are those of `bench latency`;
    those of a table of another tool are taken as measured on an idle service.
    """
    import polars as pl

    from omnigap_orchestrator.analysis import IntervalOptions, MissingRule
    from omnigap_orchestrator.analysis.own_text import headline_scores
    from omnigap_orchestrator.cli.inputs import results_of
    from omnigap_orchestrator.config import load_config
    from omnigap_orchestrator.extras.routing.constraints import NOT_MEASURED
    from omnigap_orchestrator.extras.routing.options import RoutingConfig, routing_options
    from omnigap_orchestrator.extras.routing.routing import routing
    from omnigap_orchestrator.results import TableError

    flags = {
        "routing.inputs": list(split(inputs)) or None,
        "routing.outputs": list(split(outputs)) or None,
        "routing.max_p95_latency_s": max_p95_latency,
    }
    # Flags are validated as keys of [routing], with its defaults.
    config = load_config(None, flags)
    section, wanted = config.analysis, routing_options(config.section("routing", RoutingConfig))
    results = results_of(source)
    if chosen := split(models):
        known = sorted(set(results["model"]))
        for name in chosen:
            if name not in known:
                raise TableError(f"{source} has no model {name!r} (--models): it has {', '.join(known)}")
        results = results.filter(pl.col("model").is_in(chosen))
    options = IntervalOptions(level=1 - section.alpha, seed=section.bootstrap_seed)
    rule = MissingRule(allow=allow_missing)
    timed = _timed(source, results)
    found = routing(headline_scores(results, rule), results, wanted, options, rule, timed)
    if as_json:
        data = {"policies": found.policies.to_dicts(), "routes": found.routes.to_dicts()}
        print_json(data)
    else:
        _print(found)
        if timed.is_empty():
            click.echo(NOT_MEASURED.replace("`", ""))


def _timed(source: Path, results: pl.DataFrame) -> pl.DataFrame:
    """The answers whose times contain no queueing: those of `bench latency`, or a table of another tool as it is."""
    from omnigap_orchestrator.cli.inputs import table_of
    from omnigap_orchestrator.pipeline.folder import RunFolder
    from omnigap_orchestrator.pipeline.idle_latency import read_idle_answers

    folder = RunFolder(table_of(source).parent)
    return read_idle_answers(folder, results) if folder.exists() else results


_COSTS: tuple[tuple[Callable[[PolicyRow], float | None], str, int], ...] = (
    (lambda row: row.mean_latency_s, "latency", 2),
    (lambda row: row.mean_audio_seconds, "audio", 1),
    (lambda row: row.mean_compute_s, "device", 2),
)
"""Mean costs of an answer: value, heading, number of decimals."""


def _print(found: Routing) -> None:
    import polars as pl

    from omnigap_orchestrator.analysis.table import rows_of
    from omnigap_orchestrator.cli.tables import estimate_text, print_table
    from omnigap_orchestrator.extras.routing.report_section import POLICY_WORDS
    from omnigap_orchestrator.extras.routing.routing import (
        RANDOM,
        RouteRow,
        ShownPolicyRow,
        policies_shown,
        routes_shown,
    )

    console = Terminal()
    for model in pl.concat([found.policies["model"], found.routes["model"]]).unique(maintain_order=True):
        policies = rows_of(policies_shown(found.policies.filter(model=model)), ShownPolicyRow)
        lacking = any(row.lacking for row in policies)
        costs = [cost for cost in _COSTS if any(cost[0](row) is not None for row in policies)]
        headings = [
            "policy",
            "accuracy",
            "below oracle, points",
            "over best single, points",
            *(heading for _, heading, _ in costs),
            *(["missing as wrong"] if lacking else []),
        ]
        rows = []
        for row in policies:
            cells = [
                POLICY_WORDS[row.policy],
                estimate_text(row.accuracy, row.low, row.high, unit=" %"),
                "" if row.policy == "oracle" else estimate_text(row.regret, row.regret_low, row.regret_high),
                estimate_text(row.gain, row.gain_low, row.gain_high, sign="+"),
                *("" if (cost := of(row)) is None else f"{cost:.{digits}f} s" for of, _, digits in costs),
            ]
            wrong = [estimate_text(row.wrong, row.wrong_low, row.wrong_high, unit=" %")] if lacking else []
            rows.append([*cells, *wrong])
        if policies and policies[0].reason == RANDOM:
            console.print(f"{model}: {RANDOM}", highlight=False, markup=False)
            continue
        if policies:
            print_table(console, f"{model}: routing policies on held-out items", headings, rows, fold=20)
            if reason := policies[0].reason:
                console.print(f"{model}: {reason}", highlight=False, markup=False)
        rows = []
        shown = routes_shown(found.routes.filter(model=model)).select("task", "condition", "accuracy", "votes", "n")
        for task, condition, accuracy, votes, n in shown.iter_rows():
            rows.append([task, condition, f"{100 * accuracy:.1f}", f"{100 * votes:.0f} %", str(n)])
        if rows:
            headings = ["task", "condition", "accuracy, %", "agreeing splits", "n"]
            print_table(console, f"{model}: the condition of each task", headings, rows)
        else:
            reason = "no condition meets the constraints, or too few items have a score in all that do."
            console.print(f"{model}: {reason}", markup=False)
        for ruled_out in rows_of(found.routes.filter(pl.col("task").is_null(), model=model), RouteRow):
            console.print(f"{ruled_out.condition} is excluded: {ruled_out.reason}", highlight=False, markup=False)


def brief_line(tables: Tables, model: str) -> str | None:
    """The policies of a model in one line; None if there are none and no reason why."""
    from omnigap_orchestrator.analysis.table import rows_of
    from omnigap_orchestrator.cli.tables import estimate_text
    from omnigap_orchestrator.extras.routing.report_section import POLICY_WORDS
    from omnigap_orchestrator.extras.routing.routing import POLICIES, ShownPolicyRow, policies_shown

    rows = rows_of(policies_shown(tables.frame(POLICIES).filter(model=model)), ShownPolicyRow)
    parts = [
        f"{POLICY_WORDS[row.policy]} {estimate_text(row.accuracy, row.low, row.high, unit=' %')}"
        for row in rows
        if row.accuracy is not None
    ]
    if parts:
        return f"{model}: routing on held-out items: {'; '.join(parts)}"
    return f"{model}: routing: {rows[0].reason}" if rows and rows[0].reason else None
