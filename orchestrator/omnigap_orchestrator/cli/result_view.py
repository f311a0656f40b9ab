"""The result of a run in the terminal: accuracy and gap of each model and condition, with intervals; or as JSON."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.table import Table

from omnigap.vocabulary import CONDITIONS, REFERENCE
from omnigap_orchestrator.run.folder import RunFolder

_Row = dict[str, Any]


def print_result(summary: _Row, folder: RunFolder, *, as_json: bool) -> None:
    """To standard output; the last lines say where the report is and whether the run is whole.

    Args:
        summary: what summary.json holds.
    """
    if as_json:
        print(json.dumps(_as_json(summary, folder), ensure_ascii=False))
        return
    console = Console()
    for model in dict.fromkeys(row["model"] for row in summary["conditions"]):
        console.print(_table(summary, model))
    if summary["embedded"]:
        console.print("These services ship with omnigap: their numbers say nothing about real models.", style="yellow")
    console.print(f"report: {folder.report}", highlight=False, soft_wrap=True)
    if not summary["whole"]:
        console.print(f"The run is not whole: {summary['incomplete']}", style="bold red", highlight=False)


def _as_json(summary: _Row, folder: RunFolder) -> _Row:
    return {
        "run": folder.name,
        "whole": summary["whole"],
        "incomplete": summary["incomplete"],
        "report": str(folder.report),
        "results": str(folder.results),
        "conditions": summary["conditions"],
        "accuracy": _headline(summary["accuracy"], "answered_only"),
        "gaps": _headline(summary["gaps"], "answered_pairs"),
    }


def _headline(rows: list[_Row], missing: str) -> list[_Row]:
    """The rows over all tasks, item-weighted."""
    return [r for r in rows if r["task"] is None and r["pooling"] == "item_weighted" and r["missing"] == missing]


def _table(summary: _Row, model: str) -> Table:
    level = f"{summary['level']:.0%}".replace("%", " %")
    table = Table(title=model, title_justify="left", title_style="bold", box=None, header_style="bold")
    table.add_column("condition")
    for heading in ("answered", f"accuracy ({level} interval)", "gap to t2t in points"):
        table.add_column(heading, justify="right")
    accuracy = _by_condition(_headline(summary["accuracy"], "answered_only"), model)
    gaps = _by_condition(_headline(summary["gaps"], "answered_pairs"), model)
    counts = _by_condition(summary["conditions"], model)
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


def _by_condition(rows: list[_Row], model: str) -> dict[str, _Row]:
    return {row["condition"]: row for row in rows if row["model"] == model}


def _accuracy(row: _Row | None) -> str:
    if row is None or row["estimate"] is None:
        return ""
    return f"{100 * row['estimate']:.1f} % {_span(row, '')}"


def _gap(row: _Row | None) -> str:
    if row is None:
        return ""
    return str(row["reason"] or "") if row["estimate"] is None else f"{100 * row['estimate']:+.1f} {_span(row, '+')}"


def _span(row: _Row, sign: str) -> str:
    if row["low"] is None or row["high"] is None:
        return ""
    return f"({100 * row['low']:{sign}.1f} to {100 * row['high']:{sign}.1f})"
