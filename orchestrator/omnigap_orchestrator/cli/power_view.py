"""How many items a target gap takes, in the terminal: from a pilot's own scores, or from assumptions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from omnigap_orchestrator.analysis.power.needs import NeedRow
    from omnigap_orchestrator.config import Config

ASSUMED_ACCURACY = 0.7


@dataclass(frozen=True, slots=True)
class Needs:
    """What a target gap asks for: `rows`, and where the figures come from (None: assumed)."""

    target_gap: float
    power: float
    alpha: float
    pilot: str | None
    rows: list[NeedRow]


def needs_of(config: Config, pilot: Path | None, own_results: Path) -> Needs:
    """From the pilot, else from what this run has answered already, else from an assumed accuracy of 70 %.

    Raises:
        TableError: where the pilot holds no results, or none that tell anything.
    """
    from omnigap_orchestrator.analysis import assumed_needs, item_scores, pilot_needs, score_matrices
    from omnigap_orchestrator.analysis.power.needs import NeedRow
    from omnigap_orchestrator.analysis.rows import rows_of
    from omnigap_orchestrator.cli.results_in import results_of
    from omnigap_orchestrator.extras.importers import TableError

    section = config.analysis
    source = pilot or (own_results if own_results.is_file() else None)
    if source is not None:
        scores = score_matrices(item_scores(results_of(source)))
        frame = pilot_needs(scores, "t2t", section.target_gap, section.power, section.alpha)
        if not frame.is_empty():
            return Needs(section.target_gap, section.power, section.alpha, str(source), rows_of(frame, NeedRow))
        if pilot is not None:
            raise TableError(f"{pilot} holds no two items with scores in t2t and another condition: nothing to learn")
    try:
        frame = assumed_needs(ASSUMED_ACCURACY, section.target_gap, section.power, section.alpha)
    except ValueError as error:
        raise click.BadParameter(f"{section.target_gap}: {error}", param_hint="--target-gap") from error
    return Needs(section.target_gap, section.power, section.alpha, None, rows_of(frame, NeedRow))


def print_needs(console: Console, needs: Needs, planned: int) -> None:
    """One line a gap, and what of it the plan's items cover."""
    from omnigap_orchestrator.cli.narrow import print_table

    source = f"from {needs.pilot}" if needs.pilot else f"assumed: {ASSUMED_ACCURACY:.0%} in t2t".replace("%", " %")
    title = f"Items for a gap of {100 * needs.target_gap:g} points with {100 * needs.power:g} % power ({source})"
    rows = []
    for row in needs.rows:
        phi = "" if row.phi is None else f"{row.phi:.2f}"
        counts = [_count(n) for n in (row.needed, row.needed_holm, row.needed_for_equivalence)]
        share = "" if not row.needed else f"{planned / row.needed:.2f}"
        rows.append([row.model or "any", row.condition or "", phi, *counts, share])
    headings = ("model", "condition", "phi", "items", "with Holm", "to show no gap", "planned / items")
    print_table(console, title, headings, rows, keys=2)
    if needs.pilot is None:
        text = "Phi between distant conditions was 0.15 to 0.25 on real omni models. Measure yours: --pilot RUN."
        console.print(text, highlight=False)
    elif any(row.needed is None for row in needs.rows):
        console.print("No number where no score differed between the two conditions: the pilot is too small for it.")


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"
