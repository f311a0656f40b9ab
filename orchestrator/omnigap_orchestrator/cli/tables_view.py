"""Tables of an analysis in the terminal: an estimate with its interval, or the reason why there is none."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

Row = dict[str, Any]


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
    """`-14.3 (-20.1 to -8.2)` in points; the reason where the gap was refused."""
    if row is None:
        return ""
    return str(row["reason"] or "") if row["estimate"] is None else f"{100 * row['estimate']:+.1f} {_span(row, '+')}"


def estimate_text(row: Row, value: str, low: str, high: str, *, sign: str = "", unit: str = "") -> str:
    """A share and its interval in points, from any three columns of a row; empty where there is no estimate."""
    if row[value] is None:
        return ""
    span = _span({"low": row[low], "high": row[high]}, sign)
    return f"{100 * row[value]:{sign}.1f}{unit} {span}".rstrip()


def plain_table(title: str, *headings: str) -> Table:
    """A table without a frame: the first column reads from the left, the others from the right."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, header_style="bold")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left")
    return table


def print_accuracy_and_gaps(data: Row, reference: str) -> None:
    """The accuracy of each model and condition, and its gap against the reference condition."""
    console = Console()
    accuracy, gaps = headline(data["accuracy"], "answered_only"), headline(data["gaps"], "answered_pairs")
    for model in dict.fromkeys(row["model"] for row in data["conditions"]):
        table = plain_table(model, "condition", "answered", _level(data), f"gap to {reference} in points")
        gap_of = {row["condition"]: row for row in gaps if row["model"] == model}
        accuracy_of = {row["condition"]: row for row in accuracy if row["model"] == model}
        for row in (row for row in data["conditions"] if row["model"] == model):
            name = row["condition"]
            gap = "reference" if name == reference else gap_text(gap_of.get(name))
            table.add_row(name, f"{row['answered']} of {row['planned']}", accuracy_text(accuracy_of.get(name)), gap)
        console.print(table)


def print_comparison(rows: list[Row]) -> None:
    """Second minus first, in points: each condition's score, then each condition's gap."""
    console = Console()
    for first, second in dict.fromkeys((row["first"], row["second"]) for row in rows):
        table = plain_table(f"{second} - {first}", "condition", "score, points", "p (Holm)", "gap, points", "p (Holm)")
        chosen = [r for r in headline(rows, "answered_pairs") if (r["first"], r["second"]) == (first, second)]
        for condition in dict.fromkeys(row["condition"] for row in chosen):
            of = {row["quantity"]: row for row in chosen if row["condition"] == condition}
            score, gap = of.get("score"), of.get("gap")
            table.add_row(condition, gap_text(score), _p(score), gap_text(gap), _p(gap))
        console.print(table)
        if chosen and (chosen[0]["only_first"] or chosen[0]["only_second"]):
            left = f"{chosen[0]['only_first']} only in the first, {chosen[0]['only_second']} only in the second"
            console.print(f"Items in one run alone are left out: {left}.", highlight=False)


def _level(data: Row) -> str:
    return f"accuracy ({data['level']:.0%} interval)".replace("%", " %")


def _p(row: Row | None) -> str:
    return "" if row is None or row["p_adjusted"] is None else f"{row['p_adjusted']:.3f}"


def _span(row: Row, sign: str) -> str:
    if row["low"] is None or row["high"] is None:
        return ""
    return f"({100 * row['low']:{sign}.1f} to {100 * row['high']:{sign}.1f})"
