"""`omnigap-orchestrate run`, and the result that `run` and the commands on a stored run print."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click
import polars as pl

from omnigap_orchestrator.analysis import Tables
from omnigap_orchestrator.analysis.accuracy import AccuracyRow
from omnigap_orchestrator.analysis.controls import CONTROLS
from omnigap_orchestrator.analysis.denominators import CONDITION_COUNTS, ERRORS, error_counts
from omnigap_orchestrator.analysis.gap import GapRow
from omnigap_orchestrator.analysis.own_text import SYNTHESIS_AND_ASR
from omnigap_orchestrator.analysis.table import rows_of
from omnigap_orchestrator.cli.options import (
    INCOMPLETE,
    INTERRUPTED,
    accept_options,
    accepted_roles,
    config_option,
    control_flags,
    controls_option,
    fleet_option,
    font_flags,
    font_option,
    friendly,
    item_flags,
    items_options,
    run_dir_of,
    run_dir_option,
    scope_options,
    split,
)
from omnigap_orchestrator.cli.tables import estimate_text, gap_text, p_text, print_lines, print_table, reason_lines
from omnigap_orchestrator.cli.terminal import Terminal, print_json
from omnigap_orchestrator.export.summary import Summary
from omnigap_orchestrator.extension import extras
from omnigap_orchestrator.pipeline.folder import RunFolder
from omnigap_orchestrator.report import select
from omnigap_orchestrator.report.statements import (
    LOOK_AT_ANSWERS,
    across_models_text,
    detectable_text,
    floor_text,
    random_mark,
    relative_text,
    sources_text,
    transcripts_text,
    unadjusted_text,
)
from omnigap_orchestrator.report.warnings import RANDOM_WEIGHTS


def print_result(summary: Summary, folder: RunFolder, *, as_json: bool) -> None:
    """Prints accuracy and gap of each model and condition, the path of the report, and whether the run is complete.

    Below an incomplete run, the commonest error of each model's missing cells.
    """
    if as_json:
        print_json(_as_json(summary, folder))
        return
    console, missing = Terminal(), _missing(summary, folder)
    print_models(console, summary.tables, summary.analysis.reference, summary.analysis.level, summary.random_weights)
    _print_controls(console, summary)
    # The most serious one last, next to the path of the report: the tables above it may be pages long.
    for warning in sorted(summary.warnings, key=lambda given: given.key == RANDOM_WEIGHTS):
        style = "bold white on red" if warning.key == RANDOM_WEIGHTS else "yellow" if warning.title else "dim"
        console.print(warning.sentence().replace("`", ""), style=style, highlight=False, markup=False)
    for note in summary.notes:
        console.print(note, style="yellow", highlight=False, markup=False)
    console.print(f"report: {folder.report}", highlight=False, soft_wrap=True, markup=False)
    if not summary.complete:
        console.print(f"The run is incomplete: {summary.incomplete}", style="bold red", highlight=False)
        models = {row["model"] for row in missing}
        for row in missing:
            console.print(_why_missing(row, named=len(models) > 1), highlight=False)


def print_models(
    console: Terminal,
    tables: Tables,
    reference: str,
    level: float,
    random_weights: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> None:
    """Prints a table per model with a row per condition: answers, accuracy, gap, adjusted p, transcript, extras.

    Spoken answers are scored by the model's own text where it has one; what the transcript adds is beside it.

    Args:
        level: confidence level of the intervals, shown in the heading.
        random_weights: as that of a summary; models in it get a mark, and no statement.
    """
    headings = ["condition", "answered", f"accuracy ({100 * level:g} %)", f"gap to {reference}, points", "p (Holm)"]
    for model, counts in tables.frame(CONDITION_COUNTS).group_by("model", maintain_order=True):
        name = str(model[0])
        accuracy = {row.condition: row for row in rows_of(select.headline_accuracy(tables, name), AccuracyRow)}
        gap = {row.condition: row for row in rows_of(select.headline_gaps(tables, name), GapRow)}
        added = {**_transcript_columns(tables, name), **_columns_of_extras(tables, name)}
        rows = []
        for condition, answered, planned in counts.select("condition", "answered", "planned").iter_rows():
            of, difference = accuracy.get(condition), gap.get(condition)
            row = [
                condition,
                f"{answered} of {planned}" if planned else "unsupported",
                "" if of is None else estimate_text(of.estimate, of.low, of.high, unit=" %"),
                "reference" if condition == reference else gap_text(difference),
                "" if difference is None else p_text(difference.p_adjusted),
            ]
            rows.append([*row, *(cells.get(condition, "") for cells in added.values())])
        roles = random_weights.get(name, ())
        print_table(console, f"{name} ({random_mark(roles)})" if roles else name, [*headings, *added], rows)
        if roles:
            # The warning below all tables says it once for all of them.
            continue
        said = (
            sources_text(tables, name),
            transcripts_text(tables, name),
            unadjusted_text(tables, name, level),
            detectable_text(tables, name),
        )
        print_lines(console, [*reason_lines(gap.values()), *(line for line in said if line)])
        if relative := relative_text(tables, name):
            print_lines(console, [relative])
        if floor := floor_text(tables, name):
            print_lines(console, [f"{floor} {LOOK_AT_ANSWERS}"])
    if across := across_models_text(tables, level, random_weights):
        print_lines(console, [across])


def _transcript_columns(tables: Tables, model: str) -> dict[str, Mapping[str, str]]:
    """What speech synthesis and our ASR add to the own text: accuracy by transcript, and the difference."""
    rows = [row for row in tables.rows(SYNTHESIS_AND_ASR) if row.model == model and row.estimate is not None]
    columns: dict[str, Mapping[str, str]] = {
        "by transcript": {r.condition: "" if r.transcript is None else f"{100 * r.transcript:.1f} %" for r in rows},
        "transcript - own text": {r.condition: estimate_text(r.estimate, r.low, r.high, sign="+") for r in rows},
    }
    return columns if rows else {}


def _columns_of_extras(tables: Tables, model: str) -> dict[str, Mapping[str, str]]:
    """The columns of extras in a model's table: heading -> condition -> text."""
    columns: dict[str, Mapping[str, str]] = {}
    for extra in extras():
        columns |= extra.condition_columns(tables, model)
    return {heading: cells for heading, cells in columns.items() if cells}


def _print_controls(console: Terminal, summary: Summary) -> None:
    """Prints one line per kind of control: how many of its cells were answered."""
    cells = summary.tables.frame(CONTROLS).group_by("control", maintain_order=True)
    for name, answered, planned, unsupported in cells.agg(
        pl.col("answered", "planned", "unsupported").sum()
    ).iter_rows():
        rest = f", {unsupported} unsupported" if unsupported else ""
        console.print(f"control {name}: {answered} of {planned} cells answered{rest}", highlight=False)


def _missing(summary: Summary, folder: RunFolder) -> list[dict[str, Any]]:
    """Failed and pending cells of each model, with the error reasons that are known, the commonest first."""
    found = _missing_in(summary.tables.frame(ERRORS), summary.tables.frame(CONDITION_COUNTS), "cells")
    controls = summary.tables.frame(CONTROLS)
    if not controls.filter(pl.col("answered") < pl.col("planned")).is_empty() and folder.controls.is_file():
        # The tables of the analysis have no reasons of control cells.
        found += _missing_in(error_counts(pl.read_parquet(folder.controls, glob=False)), controls, "control cells")
    return found


def _missing_in(errors: pl.DataFrame, counts: pl.DataFrame, kind: str) -> list[dict[str, Any]]:
    """
    Args:
        errors: a frame of `ERRORS_SCHEMA`.
        counts: planned cells by model.
        kind: `cells` or `control cells`.
    """
    key = ["model", "outcome"]
    known = errors.filter(pl.col("outcome").is_in(["failed", "pending"]), pl.col("error_reason").is_not_null())
    reasons = known.group_by(*key, "error_reason").agg(
        pl.col("cells").sum(),
        # Of the condition with most such cells; sorted, so that equal counts give the same one.
        message=pl.col("example").sort_by(-pl.col("cells"), "condition").first(),
    )
    planned = dict(counts.group_by("model").agg(pl.col("planned").sum()).iter_rows())
    found = []
    for (model, outcome), part in reasons.sort(*key, -pl.col("cells"), "error_reason").group_by(
        *key, maintain_order=True
    ):
        listed = part.select("error_reason", "cells", "message").rename({"error_reason": "reason"}).to_dicts()
        head = {"model": model, "kind": kind, "outcome": outcome, "cells": int(part["cells"].sum())}
        found.append({**head, "planned": planned.get(model, 0), "reasons": listed})
    return found


def _why_missing(row: Mapping[str, Any], *, named: bool) -> str:
    """As in `12 of 84 cells failed: 12 x MODEL_ERROR: out of luck`; further reasons follow with their counts."""
    first, *others = row["reasons"]
    what = f"{row['kind']} of {row['model']}" if named else row["kind"]
    verb = "failed" if row["outcome"] == "failed" else "are pending after an error"
    rest = "".join(f", {other['cells']} x {other['reason']}" for other in others)
    text = f"{row['cells']} of {row['planned']} {what} {verb}: {first['cells']} x {first['reason']}{rest}"
    return f"{text}: {first['message']}" if first["message"] else text


def _as_json(summary: Summary, folder: RunFolder) -> dict[str, Any]:
    tables = summary.tables
    return {
        "run": folder.name,
        "complete": summary.complete,
        "incomplete": summary.incomplete,
        "missing": _missing(summary, folder),
        "notes": list(summary.notes),
        "report": str(folder.report),
        "results": str(folder.results),
        "conditions": tables.frame(CONDITION_COUNTS).to_dicts(),
        "controls": tables.frame(CONTROLS).to_dicts(),
        "random_weights": dict(summary.random_weights),
        "accuracy": select.headline_accuracy(tables).to_dicts(),
        "gaps": select.headline_gaps(tables).to_dicts(),
        "synthesis_and_asr": tables.frame(SYNTHESIS_AND_ASR).to_dicts(),
        "warnings": [warning.to_json() for warning in summary.warnings],
    }


@click.command()
@config_option
@run_dir_option
@items_options
@font_option
@scope_options
@click.option(
    "--stages",
    default="generate,transcribe,judge,score",
    show_default=True,
    help="Stages to run, comma-separated; `carriers` only makes the carriers.",
)
@click.option("--replicates", type=click.IntRange(min=1), help="Answers per model, item and condition.")
@controls_option
@fleet_option("services without endpoints")
@accept_options()
@click.option("--seed", type=int, help="Decoding seed of models that set none.")
@click.option("--allow-missing", is_flag=True, default=None, help="Compute gaps even if many answers are missing.")
@click.option("--single-file", is_flag=True, default=None, help="Embed all media in report.html.")
@click.option("--quiet", "-q", is_flag=True, help="Print only notes and the result, no progress.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_context
@friendly
def run(ctx: click.Context, /, quiet: bool, as_json: bool, **flags: Any) -> None:
    """Run all pending cells: generate, transcribe, score, report. Repeat the command to resume a run.

    Without options, 140 built-in items run in all six conditions on services that are started for the run.

    Exit code 0: the run is complete; 3: cells are pending or failed; 1: an error; 130: interrupted.
    """
    from omnigap_orchestrator.cli.progress import observer_for
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
            # Flags that are not given are None and leave the value of the file.
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
            accepts = accepted_roles(flags)
            summary = asyncio.run(run_plan(config, load_items(config.items), folder, scope, observer, accepts))
        except KeyboardInterrupt:
            # On SIGINT, asyncio.run cancels the run and waits: the journal is closed by now, with all answers in it.
            observer.note("interrupted; all answers are kept, run the same command to continue")
            ctx.exit(INTERRUPTED)
    print_result(summary, folder, as_json=as_json)
    ctx.exit(0 if summary.complete else INCOMPLETE)
