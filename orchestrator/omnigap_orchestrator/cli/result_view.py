"""The result of a run in the terminal: accuracy and gap of each model and condition, with intervals; or as JSON."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
from rich.console import Console

from omnigap_orchestrator.analysis.controls.tables import CONTROLS
from omnigap_orchestrator.analysis.scores.denominators import CONDITION_COUNTS
from omnigap_orchestrator.cli.tables_view import print_models
from omnigap_orchestrator.export.summary import Summary
from omnigap_orchestrator.pipeline.folder import RunFolder
from omnigap_orchestrator.report import slices


def print_result(summary: Summary, folder: RunFolder, *, as_json: bool) -> None:
    """To standard output; the last lines say where the report is and whether the run is whole."""
    if as_json:
        print(json.dumps(_as_json(summary, folder), ensure_ascii=False))
        return
    console = Console()
    print_models(console, summary.tables, summary.analysis.reference, summary.analysis.level)
    _print_controls(console, summary)
    if summary.embedded:
        console.print("These services ship with omnigap: their numbers say nothing about real models.", style="yellow")
    console.print(f"report: {folder.report}", highlight=False, soft_wrap=True, markup=False)
    if not summary.whole:
        console.print(f"The run is not whole: {summary.incomplete}", style="bold red", highlight=False)


def _print_controls(console: Console, summary: Summary) -> None:
    """One line for each kind of control: how many of its cells were answered."""
    cells = summary.tables.frame(CONTROLS).group_by("control", maintain_order=True)
    for name, answered, planned, unsupported in cells.agg(
        pl.col("answered", "planned", "unsupported").sum()
    ).iter_rows():
        beside = f", {unsupported} unsupported" if unsupported else ""
        console.print(f"control {name}: {answered} of {planned} cells answered{beside}", highlight=False)


def _as_json(summary: Summary, folder: RunFolder) -> dict[str, Any]:
    tables = summary.tables
    return {
        "run": folder.name,
        "whole": summary.whole,
        "incomplete": summary.incomplete,
        "report": str(folder.report),
        "results": str(folder.results),
        "conditions": tables.frame(CONDITION_COUNTS).to_dicts(),
        "controls": tables.frame(CONTROLS).to_dicts(),
        "accuracy": slices.headline_accuracy(tables).to_dicts(),
        "gaps": slices.headline_gaps(tables).to_dicts(),
    }
