"""The result of a run in the terminal: accuracy and gap of each model and condition, with intervals; or as JSON."""

from __future__ import annotations

import json

from rich.console import Console

from omnigap.vocabulary import CONDITIONS, REFERENCE
from omnigap_orchestrator.cli.narrow import print_table
from omnigap_orchestrator.cli.tables_view import Row, accuracy_text, gap_text, headline, print_lines, remarks
from omnigap_orchestrator.pipeline.folder import RunFolder


def print_result(summary: Row, folder: RunFolder, *, as_json: bool) -> None:
    """To standard output; the last lines say where the report is and whether the run is whole.

    Args:
        summary: what summary.json holds.
    """
    if as_json:
        print(json.dumps(_as_json(summary, folder), ensure_ascii=False))
        return
    console = Console()
    for model in dict.fromkeys(row["model"] for row in summary["conditions"]):
        _print_model(console, summary, model)
    _print_controls(console, summary)
    if summary["embedded"]:
        console.print("These services ship with omnigap: their numbers say nothing about real models.", style="yellow")
    console.print(f"report: {folder.report}", highlight=False, soft_wrap=True, markup=False)
    if not summary["whole"]:
        console.print(f"The run is not whole: {summary['incomplete']}", style="bold red", highlight=False)


def _print_controls(console: Console, summary: Row) -> None:
    """One line for each kind of control: how many of its cells were answered."""
    for name in dict.fromkeys(row["control"] for row in summary["controls"]):
        rows = [row for row in summary["controls"] if row["control"] == name]
        answered, planned, unsupported = (
            sum(row[key] for row in rows) for key in ("answered", "planned", "unsupported")
        )
        beside = f", {unsupported} unsupported" if unsupported else ""
        console.print(f"control {name}: {answered} of {planned} cells answered{beside}", highlight=False)


def _as_json(summary: Row, folder: RunFolder) -> Row:
    return {
        "run": folder.name,
        "whole": summary["whole"],
        "incomplete": summary["incomplete"],
        "report": str(folder.report),
        "results": str(folder.results),
        "conditions": summary["conditions"],
        "controls": summary["controls"],
        "accuracy": headline(summary["accuracy"], "answered_only"),
        "gaps": headline(summary["gaps"], "answered_pairs"),
    }


def _print_model(console: Console, summary: Row, model: str) -> None:
    level = f"{summary['level']:.0%}".replace("%", " %")
    corrected = {row["condition"]: row for row in summary["calibrated"] if row["model"] == model}
    known = any(row["corrected_gap"] is not None for row in corrected.values())
    headings = ["condition", "answered", f"accuracy ({level} interval)", "gap to t2t in points"]
    accuracy = _by_condition(headline(summary["accuracy"], "answered_only"), model)
    gaps = _by_condition(headline(summary["gaps"], "answered_pairs"), model)
    counts = _by_condition(summary["conditions"], model)
    rows = []
    for condition in CONDITIONS:
        if condition.name not in counts:
            continue
        count = counts[condition.name]
        rows.append(
            [
                condition.name,
                f"{count['answered']} of {count['planned']}" if count["planned"] else "unsupported",
                accuracy_text(accuracy.get(condition.name)),
                "reference" if condition == REFERENCE else gap_text(gaps.get(condition.name)),
                *([_corrected_gap(corrected.get(condition.name))] if known else []),
            ]
        )
    print_table(console, model, [*headings, *(["corrected for the scorer"] if known else [])], rows)
    print_lines(console, remarks(gaps.values()))


def _corrected_gap(row: Row | None) -> str:
    if row is None or row["corrected_gap"] is None:
        return ""
    return gap_text({"estimate": row["corrected_gap"], "low": row["gap_low"], "high": row["gap_high"]})


def _by_condition(rows: list[Row], model: str) -> dict[str, Row]:
    return {row["condition"]: row for row in rows if row["model"] == model}
