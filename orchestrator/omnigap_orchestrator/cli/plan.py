"""`omnigap-orchestrate plan`: the cells of a run, what is done, the time left, and sample sizes for a target gap."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from omnigap.vocabulary import Condition, Control
from omnigap_orchestrator.carriers import MediaStore
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
from omnigap_orchestrator.cli.terminal import Terminal, print_json
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.config.services import ModelConfig
from omnigap_orchestrator.fleet import Endpoints
from omnigap_orchestrator.items import Item
from omnigap_orchestrator.journal import Journal, Records
from omnigap_orchestrator.pipeline.cells import Cards, PlannedCells
from omnigap_orchestrator.pipeline.folder import RunFolder
from omnigap_orchestrator.pipeline.make_carriers import find_carriers
from omnigap_orchestrator.pipeline.scope import model_specs, planned_models
from omnigap_orchestrator.pipeline.stored import stored_answer
from omnigap_orchestrator.plan import Cell, conditions_of, make_plan

if TYPE_CHECKING:
    from omnigap_orchestrator.analysis.power import NeedRow
    from omnigap_orchestrator.config import Config

ASSUMED_ACCURACY = 0.7
"""Accuracy in t2t for sample sizes without measured scores."""


@dataclass(frozen=True, slots=True)
class Needs:
    """Sample sizes for a target gap.

    Attributes:
        pilot: the run or table that the variances come from; None if they are assumed.
    """

    target_gap: float
    power: float
    alpha: float
    pilot: str | None
    rows: list[NeedRow]


def needs_of(config: Config, pilot: Path | None, own_results: Path) -> Needs:
    """Sample sizes from the pilot, else from the results of this run, else from an assumed accuracy of 70 %.

    Raises:
        TableError: the pilot has no results, too few to estimate a variance, or only those of random weights.
    """
    import polars as pl

    from omnigap_orchestrator.analysis import assumed_needs, item_scores, pilot_needs, score_matrices
    from omnigap_orchestrator.analysis.power import NeedRow
    from omnigap_orchestrator.analysis.table import rows_of
    from omnigap_orchestrator.cli.inputs import results_of
    from omnigap_orchestrator.results import TableError, random_weights_of

    section = config.analysis
    source = pilot or (own_results if own_results.is_file() else None)
    if source is not None:
        results = results_of(source)
        # Variances of noise say nothing about a model.
        results = results.filter(~pl.col("model").is_in(list(random_weights_of(results))))
        if pilot is not None and results.is_empty():
            raise TableError(f"{pilot} (--pilot) has answers of random weights only: give a run with real weights")
        scores = score_matrices(item_scores(results))
        frame = pilot_needs(scores, "t2t", section.target_gap, section.power, section.alpha)
        if not frame.is_empty():
            return Needs(section.target_gap, section.power, section.alpha, str(source), rows_of(frame, NeedRow))
        if pilot is not None:
            raise TableError(f"{pilot} has fewer than two items with scores in t2t and another condition")
    try:
        frame = assumed_needs(ASSUMED_ACCURACY, section.target_gap, section.power, section.alpha)
    except ValueError as error:
        raise click.BadParameter(f"{section.target_gap}: {error}", param_hint="--target-gap") from error
    return Needs(section.target_gap, section.power, section.alpha, None, rows_of(frame, NeedRow))


def print_needs(console: Terminal, needs: Needs, planned: int) -> None:
    """Prints one row per gap: sample sizes, and the share of them that the plan has."""
    from omnigap_orchestrator.cli.tables import print_table

    source = f"from {needs.pilot}" if needs.pilot else f"assumed: {ASSUMED_ACCURACY:.0%} in t2t".replace("%", " %")
    title = f"Items needed to detect {100 * needs.target_gap:g} points with {100 * needs.power:g} % power ({source})"
    rows = []
    for row in needs.rows:
        phi = "" if row.phi is None else f"{row.phi:.2f}"
        counts = [_count(n) for n in (row.needed, row.needed_holm, row.needed_for_equivalence)]
        share = "" if not row.needed else f"{planned / row.needed:.2f}"
        rows.append([row.model or "any", row.condition or "", phi, *counts, share])
    headings = ("model", "condition", "phi", "items", "with Holm", "equivalence", "planned / items")
    print_table(console, title, headings, rows, keys=2)
    if needs.pilot is None:
        text = "Real omni models had a phi of 0.15 to 0.25 between distant conditions. Use your own: --pilot RUN."
        console.print(text, highlight=False)
    elif any(row.needed is None for row in needs.rows):
        console.print("Empty cells: no score differed between the two conditions, so the pilot is too small.")


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


@click.command()
@config_option
@run_dir_option
@items_options
@font_option
@controls_option
@click.option(
    "--target-gap",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Show how many items it takes to detect this gap.",
)
@click.option("--power", type=click.FloatRange(0, 1, min_open=True, max_open=True), help="Power for --target-gap.")
@click.option(
    "--pilot",
    type=click.Path(path_type=Path),
    help="Run or table to estimate phi from. Default: the results of this run.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
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
    """Show the cells of a run by model and condition, how many are done, and the expected time left.

    With --target-gap, --power or --pilot, also show how many items it takes to detect a gap. The target gap is a share
    of the score: 0.03 means 3 points.

    No service is started or called.
    """
    # Local imports keep `--help` fast.
    from omnigap_orchestrator.config import load_config
    from omnigap_orchestrator.items import load_items
    from omnigap_orchestrator.pipeline.folder import RunFolder
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
    # Only these stop the command: their cells can never run. Other failures may be fixed before the run starts.
    raise_failed(finding for finding in findings if finding.check in (FONT, METRICS))
    notes = [finding.message for finding in findings if finding.status is not Status.OK]
    shown = preview(loaded, chosen, folder)
    wants_needs = target_gap is not None or power is not None or pilot is not None
    needs = needs_of(loaded, pilot, folder.results) if wants_needs else None
    if as_json:
        print_json({**asdict(shown), "notes": notes, "needs": None if needs is None else asdict(needs)})
        return
    from rich.text import Text

    from omnigap_orchestrator.cli.tables import print_table

    console = Terminal()
    controls_text = f" and {shown.control_cells} control cells" if shown.control_cells else ""
    title = f"{folder.root}: {shown.cells} cells{controls_text}, {shown.items} items"
    rows = [
        [row.model, f"{row.condition} {row.control}".rstrip(), str(row.cells), str(row.done), _time(row.seconds_left)]
        for row in shown.rows
    ]
    print_table(console, title, ("model", "condition", "cells", "done", "expected time left"), rows, keys=2)
    if any(row.seconds_left is None for row in shown.rows):
        console.print("The time left needs measured answers: `omnigap-orchestrate run --limit 7` measures some.")
    for note in notes:
        # `Text`, since rich would take brackets in a message, such as [judge], for markup.
        console.print(Text(note, style="yellow"))
    if needs is not None:
        print_needs(console, needs, shown.items)


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "not measured"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


# The cells of a run, how many are done, and the estimated time left, without calling a service.

_Group = tuple[str, Condition, Control | None]


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """Cells of one model, condition and control.

    Attributes:
        seconds_left: None until an answer was measured.
        control: kind of control; empty for the cells of the results.
    """

    model: str
    condition: str
    cells: int
    done: int
    seconds_left: float | None
    control: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    items: int
    cells: int
    rows: tuple[PreviewRow, ...]
    control_cells: int = 0


def preview(config: Config, items: Sequence[Item], folder: RunFolder) -> Preview:
    """Counts cells and estimates the time left.

    The estimate is the number of open cells times the mean compute time so far in the same condition. It is an upper
    bound for services that batch, since it assumes one cell after the other.
    """
    # As in a run, the models of the fleet become part of the configuration: the plan depends on them.
    models = config.models or tuple(ModelConfig(name=name) for name in planned_models(config))
    config = config.model_copy(update={"models": models})
    plan = make_plan(items, model_specs(config, Endpoints({}, (), ())), config.run.replicates, config.run.controls)
    done: dict[_Group, int] = defaultdict(int)
    compute: dict[_Group, float] = defaultdict(float)
    if folder.exists():
        journal = Journal(folder.journal)
        try:
            records = Records(journal)
            cards = Cards.last_seen(records)
            carriers = find_carriers(config, plan, MediaStore(folder.media), records, cards.tts_digest)
            # Done means that the journal has the answer under its current key, as in a run.
            for cell, seconds in _answered(PlannedCells(config, plan, carriers, cards), records):
                done[cell.model, cell.condition, cell.control] += 1
                compute[cell.model, cell.condition, cell.control] += seconds
        finally:
            journal.close()
    rows = []
    for control in (None, *plan.controls):
        for spec in plan.models:
            for condition in conditions_of(control, spec.conditions):
                group = (spec.name, condition, control)
                cells = plan.count(condition, control)
                left = (cells - done[group]) * compute[group] / done[group] if done[group] else None
                name = "" if control is None else control.value
                rows.append(PreviewRow(spec.name, condition.name, cells, done[group], left, name))
    return Preview(len(plan.items), len(plan), tuple(rows), plan.control_count)


def _answered(cells: PlannedCells, records: Records) -> Iterator[tuple[Cell, float]]:
    """Answered cells with the seconds of compute of their answer; of both passes, for a two-pass control."""
    for planned in chain(cells, cells.controls()):
        row, before = stored_answer(records.answers, planned), 0.0
        if row is not None and planned.is_first_pass:
            before = row.compute_s
            row = stored_answer(records.answers, cells.second_pass(planned, row.own_text))
        if row is not None:
            yield planned.cell, before + row.compute_s
