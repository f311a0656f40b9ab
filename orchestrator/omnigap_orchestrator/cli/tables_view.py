"""Tables of an analysis in the terminal: an estimate with its interval, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.text import Text

from omnigap_orchestrator.cli.narrow import print_table, reasons

Row = dict[str, Any]

REFUSED = "refused"
"""Stands in a table where a number was refused; the reason, which is a sentence, stands below the table."""


def headline(rows: list[Row], missing: str) -> list[Row]:
    """The rows over all tasks, item-weighted, with one way of counting missing answers."""
    return [
        row
        for row in rows
        if row.get("task") is None and row["pooling"] == "item_weighted" and row["missing"] == missing
    ]


def accuracy_text(row: Row | None) -> str:
    """`71.4 % (60.1 to 80.2)`; empty where there is no estimate."""
    if row is None or row["estimate"] is None:
        return ""
    return f"{100 * row['estimate']:.1f} % {_span(row, '')}"


def gap_text(row: Row | None) -> str:
    """`-14.3 (-20.1 to -8.2)` in points; where there is none for a reason, that it is refused."""
    if row is None:
        return ""
    if row["estimate"] is None:
        return REFUSED if row["reason"] and row.get("planned", 1) else ""
    return f"{100 * row['estimate']:+.1f} {_span(row, '+')}".rstrip()


def estimate_text(row: Row, value: str, low: str, high: str, *, sign: str = "", unit: str = "") -> str:
    """A share and its interval in points, from any three columns of a row; empty where there is no estimate."""
    if row[value] is None:
        return ""
    span = _span({"low": row[low], "high": row[high]}, sign)
    return f"{100 * row[value]:{sign}.1f}{unit} {span}".rstrip()


def remarks(rows: Iterable[Row]) -> list[str]:
    """Why numbers were refused, or hold for some of the pairs alone; conditions with one reason stand together."""
    return reasons((row["condition"], row["reason"]) for row in rows if row.get("planned", 1))


def print_accuracy_and_gaps(data: Row, reference: str) -> None:
    """The accuracy of each model and condition, and its gap against the reference condition."""
    console = Console()
    accuracy, gaps = headline(data["accuracy"], "answered_only"), headline(data["gaps"], "answered_pairs")
    for model in dict.fromkeys(row["model"] for row in data["conditions"]):
        gap_of = {row["condition"]: row for row in gaps if row["model"] == model}
        accuracy_of = {row["condition"]: row for row in accuracy if row["model"] == model}
        rows = []
        for row in (row for row in data["conditions"] if row["model"] == model):
            name = row["condition"]
            gap = "reference" if name == reference else gap_text(gap_of.get(name))
            rows.append([name, f"{row['answered']} of {row['planned']}", accuracy_text(accuracy_of.get(name)), gap])
        headings = ("condition", "answered", _level(data), f"gap to {reference} in points")
        print_table(console, model, headings, rows)
        print_lines(console, remarks(gap_of.values()))


def print_comparison(rows: list[Row], first_run: str, second_run: str) -> None:
    """Second minus first, in points: each condition's score, then each condition's gap."""
    console = Console()
    headings = ("condition", "score, points", "p (Holm)", "gap, points", "p (Holm)")
    for first, second in dict.fromkeys((row["first"], row["second"]) for row in rows):
        chosen = [r for r in headline(rows, "answered_pairs") if (r["first"], r["second"]) == (first, second)]
        cells = []
        for condition in dict.fromkeys(row["condition"] for row in chosen):
            of = {row["quantity"]: row for row in chosen if row["condition"] == condition}
            score, gap = of.get("score"), of.get("gap")
            cells.append([condition, gap_text(score), _p(score), gap_text(gap), _p(gap)])
        title = f"{second} - {first}" if first != second else f"{first}: {second_run} - {first_run}"
        print_table(console, title, headings, cells)
        print_lines(console, remarks(chosen))
        if chosen and (chosen[0]["only_first"] or chosen[0]["only_second"]):
            left = f"{chosen[0]['only_first']} only in the first, {chosen[0]['only_second']} only in the second"
            console.print(f"Items in one run alone are left out: {left}.", highlight=False)


def print_lines(console: Console, lines: Iterable[str]) -> None:
    """Remarks below a table."""
    for line in lines:
        console.print(Text(line, style="dim"))


def _level(data: Row) -> str:
    return f"accuracy ({data['level']:.0%} interval)".replace("%", " %")


def _p(row: Row | None) -> str:
    return "" if row is None or row["p_adjusted"] is None else f"{row['p_adjusted']:.3f}"


def _span(row: Row, sign: str) -> str:
    if row["low"] is None or row["high"] is None:
        return ""
    return f"({100 * row['low']:{sign}.1f} to {100 * row['high']:{sign}.1f})"
