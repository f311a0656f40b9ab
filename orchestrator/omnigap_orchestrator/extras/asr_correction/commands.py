"""The commands `calibrate` and `sample-clips`, and the terminal output of calibrations and human labels."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import polars as pl

from omnigap.vocabulary import Outcome
from omnigap_orchestrator.analysis import IntervalOptions
from omnigap_orchestrator.analysis.table import rows_of
from omnigap_orchestrator.cli.inputs import ItemFlags, load_inputs, stored_run_option
from omnigap_orchestrator.cli.options import (
    DEFAULT_RUN,
    INCOMPLETE,
    INTERRUPTED,
    accept_options,
    accepted_roles,
    config_option,
    fleet_option,
    friendly,
    items_options,
    run_dir_option,
)
from omnigap_orchestrator.cli.tables import REFUSED, estimate_text, print_lines, print_table, reasons
from omnigap_orchestrator.cli.terminal import Terminal, print_json
from omnigap_orchestrator.extras.asr_correction.human import HumanRow
from omnigap_orchestrator.extras.asr_correction.rates import RateRow, rates
from omnigap_orchestrator.pipeline.folder import RunFolder


@click.command()
@config_option
@run_dir_option
@items_options
@fleet_option("TTS service and scorer")
@accept_options("scorer", "voice")
@click.option(
    "--template", help="Sentence for the answers, such as 'The answer is {answer}.' Default: the bare answer."
)
@click.option(
    "--per-type",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    help="Maximum number of items per answer type.",
)
@click.option("--quiet", "-q", is_flag=True, help="Show no progress, only notes and the result.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_context
@friendly
def calibrate(ctx: click.Context, /, quiet: bool, as_json: bool, **flags: Any) -> None:
    """Synthesise gold and wrong answers in every voice of the run, transcribe them, and measure the scorer's errors.

    Uses the configuration and items of the run in --run-dir, restricted by --task and --limit; without a run, or with
    --config, those of the flags. The report of the run then shows its spoken answers corrected for ASR errors.

    Exit codes: 0 all clips transcribed, 3 clips pending or failed, 1 error, 130 interrupted.
    """
    from omnigap_orchestrator.cli.progress import observer_for
    from omnigap_orchestrator.extras.asr_correction.measure import calibrate as measure
    from omnigap_orchestrator.items import load_items

    given = ItemFlags(flags["items"], flags["limit"], flags["tasks"], flags["preset"])
    own = load_inputs(ctx, flags["config"], flags["run_dir"], given, {"fleet.kind": flags["fleet"]})
    config, folder = own.config, own.folder
    with observer_for(quiet=quiet or as_json) as observer:
        if own.source:
            observer.note(own.source)
        items = load_items(config.items) if own.items is None else own.items
        try:
            clips = asyncio.run(
                measure(
                    config,
                    items,
                    folder,
                    observer,
                    stored=own.stored,
                    template=flags["template"],
                    per_type=flags["per_type"],
                    accepts=accepted_roles(flags),
                )
            )
        except KeyboardInterrupt:
            observer.note("interrupted; finished clips are kept, and the same command continues")
            ctx.exit(INTERRUPTED)
    whole = print_calibration(clips, folder, has_run=own.stored is not None, as_json=as_json)
    ctx.exit(0 if whole else INCOMPLETE)


@click.command("sample-clips")
@click.argument("run", metavar="[RUN]", required=False, type=click.Path(file_okay=False, path_type=Path))
@stored_run_option
@click.option("--n", "-n", "count", type=click.IntRange(min=1), default=200, show_default=True, help="Number of clips.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for the sheet. Default: RUN/listen."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the sample.")
@friendly
def sample_clips(run: Path | None, run_dir: Path | None, count: int, out: Path | None, seed: int) -> None:
    """Draw spoken answers of a run (RUN or --run-dir) for human labels, stratified by model, condition and score.

    Writes sheet.html (open it in a browser; it hides model and transcript), labels.csv with the inclusion probability
    of each clip, and clips.csv, which identifies the clips. `report --labels` reads the labels.
    """
    from omnigap_orchestrator.carriers import MediaStore
    from omnigap_orchestrator.extras.asr_correction.labels import LabelsError
    from omnigap_orchestrator.extras.asr_correction.sheet import KEY, LABELS, SHEET, draw_clips, write_sheet
    from omnigap_orchestrator.pipeline.folder import FolderError, RunFolder
    from omnigap_orchestrator.pipeline.prepare import load_run
    from omnigap_orchestrator.pipeline.results import ResultsTable

    if run is not None and run_dir is not None:
        raise click.UsageError(f"two runs are given, {run} and --run-dir {run_dir}: remove one")
    run_dir = run or run_dir or DEFAULT_RUN
    folder = RunFolder(run_dir)
    folder.require()
    out = out or run_dir / "listen"
    # Filled-in labels can't be recreated: never overwrite them.
    if (out / LABELS).exists():
        raise LabelsError(f"{out / LABELS} exists and may contain labels: choose another --out")
    # From the journal, not from results.parquet, which may be older than the answers.
    with load_run(folder) as (cells, records):
        results = ResultsTable(folder.name, cells, records).frame()
    sample = draw_clips(results, count, seed)
    if sample.is_empty():
        # After a change of the scoring rules all answers wait for their scores.
        spoken = results.filter(results["condition"].str.ends_with("s") & results["own_text"].is_not_null())
        if spoken.height:
            raise LabelsError(
                f"the spoken answers of {run_dir} are not scored: run `omnigap-orchestrate score --run-dir {run_dir}`"
            )
        raise LabelsError(f"{run_dir} has no scored spoken answers: run the conditions t2s, s2s or i2s first")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FolderError(f"{out} can't be created ({error.strerror}): choose another --out") from error
    items = {item.id: item for item in cells.plan.items}
    write_sheet(out, sample, items, MediaStore(folder.media), folder.name, run_dir)
    click.echo(f"{sample.height} clips in {sample['stratum'].n_unique()} strata (model, condition, right or wrong)")
    if sample.height < count:
        click.echo(f"{count} were requested, but there are no more spoken answers")
    elif sample.height > count:
        click.echo(f"{count} were requested, but every stratum needs at least two clips for a variance")
    click.echo(f"listening sheet: {out / SHEET}")
    click.echo(f"labels to fill in, or to save from the sheet: {out / LABELS}")
    click.echo(f"identity of the clips (not for the listener): {out / KEY}")


def _stored_note(folder: RunFolder) -> str:
    """The remark of the report that was just written about this calibration."""
    try:
        return str(json.loads(folder.summary.read_text(encoding="utf-8")).get("asr_correction_note", ""))
    except (OSError, ValueError):
        return ""


KINDS = {"gold": "q1, gold answers", "distractor": "q0, distractors", "confusable": "q0, confusables"}


def print_calibration(clips: pl.DataFrame, folder: RunFolder, *, has_run: bool, as_json: bool) -> bool:
    """Prints the rates, or everything as JSON; returns whether all clips are transcribed."""
    counts = dict(clips.group_by("outcome").len().iter_rows())
    whole = set(counts) == {Outcome.ANSWERED.value}
    found = rates(clips, IntervalOptions())
    if as_json:
        head = {"complete": whole, "clips": clips.height, "outcomes": counts, "calibration": str(folder.calibration)}
        print_json({**head, "rates": found.to_dicts()})
        return whole
    console = Terminal()
    rows = []
    for answer_type, metric in found.select("answer_type", "metric").unique(maintain_order=True).iter_rows():
        of_kind = found.filter(pl.col("answer_type") == answer_type, pl.col("metric").eq_missing(metric))
        of = {row.clip_kind: row for row in rows_of(of_kind, RateRow)}
        cells = [_rate(of[kind]) if kind in of else "" for kind in KINDS]
        rows.append([answer_type if metric is None else f"{answer_type} by {metric}", *cells])
    print_table(console, "correctly scored, %", ["answer type", *KINDS.values()], rows)
    console.print(
        "Synthetic speech is cleaner than a model's own speech: the true q1 and q0 are probably lower.", style="yellow"
    )
    if has_run and (note := _stored_note(folder)):
        console.print(note, style="yellow", highlight=False, markup=False)
    console.print(f"clips: {folder.calibration}", highlight=False, soft_wrap=True, markup=False)
    if has_run:
        console.print(f"report: {folder.report}", highlight=False, soft_wrap=True, markup=False)
    if not whole:
        left = ", ".join(f"{count} {name}" for name, count in counts.items() if name != Outcome.ANSWERED.value)
        text = f"The calibration is incomplete: {left} of {clips.height} clips; the same command continues with these"
        console.print(text, style="bold red", highlight=False)
    return whole


def _rate(row: RateRow) -> str:
    return f"{estimate_text(row.estimate, row.low, row.high)}, n {row.n}"


def print_human(rows: Sequence[HumanRow]) -> None:
    """Prints scores and gaps from human labels and the raw ones; nothing without labels."""
    if not rows:
        return
    console, cells = Terminal(), []
    for row in rows:
        sign, unit = ("+", "") if row.quantity == "gap" else ("", " %")
        raw = "" if row.raw is None else f"{100 * row.raw:.1f}"
        estimate = REFUSED
        if row.estimate is not None:
            estimate = estimate_text(row.estimate, row.low, row.high, sign=sign, unit=unit)
        cells.append([row.model, row.condition, row.quantity, raw, estimate, f"{row.labelled} of {row.n}"])
    print_table(
        console, "with human labels", ["model", "condition", "quantity", "raw", "PPI++", "labels"], cells, keys=3
    )
    refused = [row for row in rows if row.estimate is None]
    print_lines(console, reasons((f"{row.model} {row.condition}", row.reason) for row in refused))
