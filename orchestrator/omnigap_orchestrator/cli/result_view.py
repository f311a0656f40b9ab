"""The result of a run in the terminal: accuracy and gap of each model and condition, with intervals; or as JSON."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
from rich.console import Console
from rich.table import Table

from omnigap.vocabulary import CONDITIONS, REFERENCE
from omnigap_orchestrator.run.folder import RunFolder
from omnigap_orchestrator.run.outputs import Outputs

_KEY = {"task": None, "pooling": "item_weighted"}


def print_result(outputs: Outputs, folder: RunFolder, *, as_json: bool) -> None:
    """To standard output; the last lines say where the report is and whether the run is whole."""
    if as_json:
        print(json.dumps(_as_json(outputs, folder), ensure_ascii=False))
        return
    console = Console()
    for model in outputs.analysis.conditions["model"].unique(maintain_order=True):
        console.print(_table(outputs, model))
    if outputs.facts.embedded:
        console.print("These services ship with omnigap: their numbers say nothing about real models.", style="yellow")
    console.print(f"report: {folder.report}", highlight=False, soft_wrap=True)
    if not outputs.whole:
        console.print(f"The run is not whole: {outputs.facts.incomplete}", style="bold red", highlight=False)


def _as_json(outputs: Outputs, folder: RunFolder) -> dict[str, Any]:
    analysis = outputs.analysis
    return {
        "run": folder.name,
        "whole": outputs.whole,
        "incomplete": outputs.facts.incomplete,
        "report": str(folder.report),
        "results": str(folder.results),
        "conditions": analysis.conditions.to_dicts(),
        "accuracy": _headline(analysis.accuracy, "answered_only").to_dicts(),
        "gaps": _headline(analysis.gaps, "answered_pairs").to_dicts(),
    }


def _headline(frame: pl.DataFrame, missing: str) -> pl.DataFrame:
    """The rows over all tasks, item-weighted."""
    return frame.filter(pl.col("task").is_null(), pl.col("pooling") == _KEY["pooling"], pl.col("missing") == missing)


def _table(outputs: Outputs, model: str) -> Table:
    analysis = outputs.analysis
    level = f"{analysis.options.intervals.level:.0%}"
    table = Table(title=f"{model}", title_justify="left", title_style="bold")
    table.add_column("condition")
    for heading in ("planned", "answered", "accuracy", f"{level} interval", "gap to t2t, points", f"{level} interval"):
        table.add_column(heading, justify="right")
    accuracy = _by_condition(_headline(analysis.accuracy, "answered_only"), model)
    gaps = _by_condition(_headline(analysis.gaps, "answered_pairs"), model)
    counts = _by_condition(analysis.conditions, model)
    for condition in CONDITIONS:
        if condition.name not in counts:
            continue
        count, row, gap = counts[condition.name], accuracy.get(condition.name), gaps.get(condition.name)
        table.add_row(
            condition.name,
            str(count["planned"]),
            str(count["answered"]) if count["planned"] else "unsupported",
            _percent(row),
            _span(row, 1),
            "reference" if condition == REFERENCE else _points(gap),
            "" if condition == REFERENCE else _span(gap, 1, signed=True),
        )
    return table


def _by_condition(frame: pl.DataFrame, model: str) -> dict[str, dict[str, Any]]:
    return {row["condition"]: row for row in frame.filter(pl.col("model") == model).iter_rows(named=True)}


def _percent(row: dict[str, Any] | None) -> str:
    return "" if row is None or row["estimate"] is None else f"{100 * row['estimate']:.1f} %"


def _points(row: dict[str, Any] | None) -> str:
    if row is None:
        return ""
    return str(row["reason"] or "") if row["estimate"] is None else f"{100 * row['estimate']:+.1f}"


def _span(row: dict[str, Any] | None, digits: int, *, signed: bool = False) -> str:
    if row is None or row["low"] is None or row["high"] is None:
        return ""
    sign = "+" if signed else ""
    return f"{100 * row['low']:{sign}.{digits}f} to {100 * row['high']:{sign}.{digits}f}"
