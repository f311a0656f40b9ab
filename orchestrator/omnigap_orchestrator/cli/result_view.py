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
    level = f"{analysis.options.intervals.level:.0%}".replace("%", " %")
    table = Table(title=model, title_justify="left", title_style="bold", box=None, header_style="bold")
    table.add_column("condition")
    for heading in ("answered", f"accuracy, {level} interval", f"gap to t2t in points, {level} interval"):
        table.add_column(heading, justify="right")
    accuracy = _by_condition(_headline(analysis.accuracy, "answered_only"), model)
    gaps = _by_condition(_headline(analysis.gaps, "answered_pairs"), model)
    counts = _by_condition(analysis.conditions, model)
    for condition in CONDITIONS:
        if condition.name not in counts:
            continue
        count = counts[condition.name]
        table.add_row(
            condition.name,
            f"{count['answered']} of {count['planned']}" if count["planned"] else "unsupported",
            _accuracy(accuracy.get(condition.name)),
            "reference" if condition == REFERENCE else _gap(gaps.get(condition.name)),
        )
    return table


def _by_condition(frame: pl.DataFrame, model: str) -> dict[str, dict[str, Any]]:
    return {row["condition"]: row for row in frame.filter(pl.col("model") == model).iter_rows(named=True)}


def _accuracy(row: dict[str, Any] | None) -> str:
    if row is None or row["estimate"] is None:
        return ""
    return f"{100 * row['estimate']:.1f} % {_span(row, '')}"


def _gap(row: dict[str, Any] | None) -> str:
    if row is None:
        return ""
    return str(row["reason"] or "") if row["estimate"] is None else f"{100 * row['estimate']:+.1f} {_span(row, '+')}"


def _span(row: dict[str, Any], sign: str) -> str:
    if row["low"] is None or row["high"] is None:
        return ""
    return f"({100 * row['low']:{sign}.1f} to {100 * row['high']:{sign}.1f})"
