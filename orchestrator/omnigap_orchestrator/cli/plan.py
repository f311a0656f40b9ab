"""How many items a target gap takes, in the terminal: from a pilot's own scores, or from assumptions."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from omnigap_orchestrator.cli.options import (
    config_option,
    control_flags,
    controls_option,
    font_flags,
    font_option,
    friendly,
    item_flags,
    items_options,
    run_dir_of,
    run_dir_option,
)

if TYPE_CHECKING:
    from rich.console import Console

    from omnigap_orchestrator.analysis.power import NeedRow
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
    from omnigap_orchestrator.analysis.power import NeedRow
    from omnigap_orchestrator.analysis.table import rows_of
    from omnigap_orchestrator.cli.inputs import results_of
    from omnigap_orchestrator.results import TableError

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
    from omnigap_orchestrator.cli.tables import print_table

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


# `omnigap-orchestrate plan`: what a run would ask, what is done of it, and how long the rest may take.


@click.command()
@config_option
@run_dir_option
@items_options
@font_option
@controls_option
@click.option(
    "--target-gap", type=click.FloatRange(0, 1, min_open=True, max_open=True), help="Also show how many items it takes."
)
@click.option("--power", type=click.FloatRange(0, 1, min_open=True, max_open=True), help="With which to show it.")
@click.option(
    "--pilot", type=click.Path(path_type=Path), help="Run or table to take phi from. Default: this run's own answers."
)
@click.option("--json", "as_json", is_flag=True, help="As JSON on standard output.")
@friendly
def plan(
    config: Path | None,
    run_dir: Path | None,
    items: str | None,
    limit: int | None,
    tasks: tuple[str, ...],
    preset: str | None,
    fonts: tuple[str, ...],
    controls: str | None,
    target_gap: float | None,
    power: float | None,
    pilot: Path | None,
    as_json: bool,
) -> None:
    """Show a run's cells by model and condition, how many are done, and the time left at the speed measured so far.

    With --target-gap, a share of the score (0.03 is 3 points), or --pilot: how many items it takes to show that gap.

    No service is started or asked.
    """
    from omnigap_orchestrator.config import load_config
    from omnigap_orchestrator.items import load_items
    from omnigap_orchestrator.pipeline.folder import RunFolder
    from omnigap_orchestrator.pipeline.preview import preview
    from omnigap_orchestrator.preflight import (
        FONT,
        FULL_SCOPE,
        METRICS,
        Status,
        check_plan,
        raise_failed,
        resolve_fonts,
    )

    flags = {**control_flags(controls), "analysis.target_gap": target_gap, "analysis.power": power}
    loaded = load_config(config, {**item_flags(config, items, limit, tasks, preset), **font_flags(fonts), **flags})
    folder = RunFolder(run_dir_of(run_dir, config, loaded.run.dir))
    chosen = load_items(loaded.items)
    loaded, resolved = resolve_fonts(loaded, chosen)
    findings = [*resolved, *check_plan(loaded, chosen, FULL_SCOPE, folder.root)]
    # Cells of these could never be drawn or scored; whatever else fails may be there when the run starts.
    raise_failed(finding for finding in findings if finding.check in (FONT, METRICS))
    notes = [finding.message for finding in findings if finding.status is not Status.OK]
    seen = preview(loaded, chosen, folder)
    asked = target_gap is not None or power is not None or pilot is not None
    needs = needs_of(loaded, pilot, folder.results) if asked else None
    if as_json:
        print(json.dumps({**asdict(seen), "notes": notes, "needs": None if needs is None else asdict(needs)}))
        return
    from rich.console import Console
    from rich.text import Text

    from omnigap_orchestrator.cli.tables import print_table

    console = Console()
    beside = f" and {seen.control_cells} control cells" if seen.control_cells else ""
    title = f"{folder.root}: {seen.cells} cells{beside}, {seen.items} items"
    rows = [
        [row.model, f"{row.condition} {row.control}".rstrip(), str(row.cells), str(row.done), _time(row.seconds_left)]
        for row in seen.rows
    ]
    print_table(console, title, ("model", "condition", "cells", "done", "expected time left"), rows, keys=2)
    if any(row.seconds_left is None for row in seen.rows):
        console.print("No time without a measured answer: `omnigap-orchestrate run --limit 7` measures some.")
    for note in notes:
        console.print(Text(note, style="yellow"))
    if needs is not None:
        print_needs(console, needs, seen.items)


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "not measured"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
