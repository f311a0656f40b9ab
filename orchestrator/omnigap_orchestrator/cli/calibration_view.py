"""The ASR scorer as an instrument in the terminal: q1 and q0 by answer type, or as JSON; scores by human labels."""

from __future__ import annotations

import json
from collections.abc import Sequence

import polars as pl
from rich.console import Console

from omnigap.vocabulary import Outcome
from omnigap_orchestrator.analysis import IntervalOptions
from omnigap_orchestrator.analysis.instrument.human import HumanRow
from omnigap_orchestrator.analysis.instrument.rates import RateRow, rates
from omnigap_orchestrator.analysis.rows import rows_of
from omnigap_orchestrator.cli.narrow import print_table, reasons
from omnigap_orchestrator.cli.tables_view import REFUSED, estimate_text, print_lines
from omnigap_orchestrator.pipeline.folder import RunFolder

KINDS = {"gold": "q1, gold answers", "plain": "q0, other answers", "sound_alike": "q0, sound-alikes"}


def print_calibration(clips: pl.DataFrame, folder: RunFolder, *, has_run: bool, as_json: bool) -> bool:
    """To standard output; returns whether every clip was heard."""
    counts = dict(clips.group_by("outcome").len().iter_rows())
    whole = set(counts) == {Outcome.ANSWERED.value}
    found = rates(clips, IntervalOptions())
    if as_json:
        head = {"whole": whole, "clips": clips.height, "outcomes": counts, "calibration": str(folder.calibration)}
        print(json.dumps({**head, "rates": found.to_dicts()}, ensure_ascii=False))
        return whole
    console = Console()
    rows = []
    for answer_type, metric in found.select("answer_type", "metric").unique(maintain_order=True).iter_rows():
        of_kind = found.filter(pl.col("answer_type") == answer_type, pl.col("metric").eq_missing(metric))
        of = {row.foil: row for row in rows_of(of_kind, RateRow)}
        cells = [_rate(of[kind]) if kind in of else "" for kind in KINDS]
        rows.append([answer_type if metric is None else f"{answer_type} by {metric}", *cells])
    print_table(console, "scored as they must be, %", ["answer type", *KINDS.values()], rows)
    console.print(
        "Synthetic speech is cleaner than a model's own: the true q1 and q0 are likely lower.", style="yellow"
    )
    console.print(f"clips: {folder.calibration}", highlight=False, soft_wrap=True, markup=False)
    if has_run:
        console.print(f"report: {folder.report}", highlight=False, soft_wrap=True, markup=False)
    if not whole:
        left = ", ".join(f"{count} {name}" for name, count in counts.items() if name != Outcome.ANSWERED.value)
        text = f"The calibration is not whole: {left} of {clips.height} clips; the same command hears these, no other"
        console.print(text, style="bold red", highlight=False)
    return whole


def _rate(row: RateRow) -> str:
    return f"{estimate_text(row.estimate, row.low, row.high)}, n {row.n}"


def print_human(rows: Sequence[HumanRow]) -> None:
    """Scores and gaps with human labels beside the raw ones; nothing without labels."""
    if not rows:
        return
    console, cells = Console(), []
    for row in rows:
        sign, unit = ("+", "") if row.quantity == "gap" else ("", " %")
        raw = "" if row.raw is None else f"{100 * row.raw:.1f}"
        told = REFUSED
        if row.estimate is not None:
            told = estimate_text(row.estimate, row.low, row.high, sign=sign, unit=unit)
        cells.append([row.model, row.condition, row.quantity, raw, told, f"{row.labelled} of {row.n}"])
    print_table(console, "with human labels", ["model", "condition", "of", "raw", "PPI++", "labels"], cells, keys=3)
    refused = [row for row in rows if row.estimate is None]
    print_lines(console, reasons((f"{row.model} {row.condition}", row.reason) for row in refused))
