"""The tables of `analyse`: one or several files of scores, read by a preset or by named columns, as one frame."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
import polars as pl

from omnigap_orchestrator.cli.options import friendly
from omnigap_orchestrator.extras.importers.table import read_controls
from omnigap_orchestrator.pipeline.folder import RunFolder

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class TablesIn:
    """What was read.

    Attributes:
        notes: what a reader of the numbers should know.
        reference: the condition that gaps are measured against; None where the files do not say.
    """

    frame: pl.DataFrame
    notes: tuple[str, ...]
    reference: str | None = None


def tables_in(
    paths: Sequence[Path],
    columns: Mapping[str, str],
    preset: str | None = None,
    conditions: Sequence[str] = (),
    models: Sequence[str] = (),
) -> TablesIn:
    """Reads the files of one call.

    Raises:
        TableError, PresetError: for what can't be read, and for flags that do not fit the files.
    """
    from omnigap_orchestrator.extras.importers.results import read_published
    from omnigap_orchestrator.extras.importers.table import join_results
    from omnigap_orchestrator.presets import load_preset
    from omnigap_orchestrator.results import TableError

    if preset is None:
        frame, notes = join_results(paths, columns, conditions, models)
        return TablesIn(frame, notes)
    if columns:
        raise TableError("--column names columns, and --preset knows them: give one of the two")
    layout = load_preset(preset).results
    if layout is None:
        raise TableError(f"preset {preset} is of items only: map the table's columns with --column")
    read = read_published(paths, layout, conditions, models)
    return TablesIn(read.frame, read.notes, read.reference)


def print_presets() -> None:
    """Every preset with its source, and where its layouts were read."""
    from rich.console import Console
    from rich.markup import escape

    from omnigap_orchestrator.presets import load_presets

    console = Console()
    for name, preset in load_presets().items():
        console.print(f"[bold]{name}[/]  {escape(preset.title)}  [dim]{escape(preset.source)}[/]", highlight=False)
        kinds = [("results", preset.results and preset.results.layout), ("items", preset.items and preset.items.layout)]
        parts = [("", preset.description), *((f"{kind}: ", text) for kind, text in kinds if text)]
        if preset.items is not None and preset.items.note:
            parts.append(("note: ", preset.items.note))
        for head, text in parts:
            if text.strip():
                console.print(f"  {head}{escape(' '.join(text.split()))}", highlight=False, soft_wrap=False)
        console.print()


# The control cells that an analysis of a table takes in: those it is given, else those of the run it belongs to.


def controls_beside(
    table: Path, given: Path | None, columns: Mapping[str, str], results: pl.DataFrame
) -> pl.DataFrame | None:
    """The control cells of the items in `results`; None where there are none.

    Args:
        table: the file of the results; where that is a run's own, its control cells lie beside it.
        columns: of both files, ours -> theirs.

    Raises:
        TableError: for a file that cannot be read as control cells.
    """
    folder = RunFolder(table.parent)
    own = folder.controls if table.name == folder.results.name and folder.controls.is_file() else None
    path = given or own
    if path is None:
        return None
    return read_controls(path, columns).join(results.select("item_id").unique(), on="item_id", how="semi")


# `omnigap-orchestrate analyse`: the whole analysis of a table of scores that was made elsewhere.


@click.command()
@click.argument("tables", nargs=-1, metavar="TABLE...", type=click.Path(path_type=Path))
@click.option("--preset", metavar="NAME", help="Result files of a known benchmark; --list-presets tells which.")
@click.option("--list-presets", is_flag=True, help="The known benchmarks, and how their files are laid out.")
@click.option("--condition", "conditions", multiple=True, help="Of a table, in their order, where none tells it.")
@click.option("--model", "models", multiple=True, help="Likewise.")
@click.option("--column", "columns", multiple=True, metavar="OURS=THEIRS", help="As in --column item_id=qid.")
@click.option("--reference", help="Condition that gaps are measured against. Default: the preset's, else t2t.")
@click.option("--allow-missing", is_flag=True, help="Compute gaps also where many answers are missing.")
@click.option("--verified-only", is_flag=True, help="Keep to the items that `verify` found whole.")
@click.option(
    "--labels",
    type=click.Path(dir_okay=False, path_type=Path),
    help="CSV of human labels: item_id, condition, label (right, wrong, unsure), and how each was drawn.",
)
@click.option(
    "--controls",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Table of control cells. Default: controls.parquet beside a run's own results.parquet.",
)
@click.option("--json", "as_json", is_flag=True, help="Every table as JSON on standard output.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write every table as JSON to this file.")
@friendly
def analyse(
    tables: tuple[Path, ...],
    columns: tuple[str, ...],
    preset: str | None,
    list_presets: bool,
    conditions: tuple[str, ...],
    models: tuple[str, ...],
    reference: str | None,
    allow_missing: bool,
    verified_only: bool,
    labels: Path | None,
    controls: Path | None,
    as_json: bool,
    out: Path | None,
) -> None:
    """Analyse TABLE, one row per item and condition with a score in [0, 1]: Parquet, CSV or JSONL, any condition names.

    A run's folder stands for its results.parquet. Columns: item_id, condition, score; model, task, cluster and outcome
    where there are any. Several tables are joined, paired by item id; rows that one condition has and another lacks
    count as failed calls.
    """
    from rich.console import Console

    from omnigap_orchestrator.analysis import AnalysisOptions, MissingRule
    from omnigap_orchestrator.analysis import analyse as analyse_frame
    from omnigap_orchestrator.cli.inputs import table_of
    from omnigap_orchestrator.cli.tables import print_models
    from omnigap_orchestrator.extras.asr_correction.commands import print_human
    from omnigap_orchestrator.extras.asr_correction.human import HUMAN
    from omnigap_orchestrator.extras.asr_correction.labels import read_labels
    from omnigap_orchestrator.extras.asr_correction.rates import NAME as ASR_CORRECTION
    from omnigap_orchestrator.extras.asr_correction.rates import AsrEvidence
    from omnigap_orchestrator.extras.readback.select import verified_part
    from omnigap_orchestrator.pipeline.folder import FolderError
    from omnigap_orchestrator.results import TableError

    if list_presets:
        print_presets()
        return
    if not tables:
        raise click.UsageError("name a table of scores, or --list-presets")
    if preset is None:
        tables = tuple(table_of(path) for path in tables)
    elif folder := next((path for path in tables if path.is_dir()), None):
        raise TableError(f"{folder} is a folder: --preset {preset} takes the result files in it, one by one")
    mapping = {}
    for column in columns:
        ours, found, theirs = column.partition("=")
        if not found or not ours or not theirs:
            raise click.BadParameter(f"{column!r} is not OURS=THEIRS, as in item_id=qid", param_hint="--column")
        mapping[ours] = theirs
    read = tables_in(tables, mapping, preset, conditions, models)
    for note in read.notes:
        click.echo(f"note: {note}", err=True)
    frame, table = read.frame, tables[0]
    known = frame["condition"].unique(maintain_order=True).to_list()
    if reference is not None and reference not in known:
        raise TableError(f"no row has the condition {reference!r} (--reference): the tables have {', '.join(known)}")
    reference = reference or read.reference or "t2t"
    if reference not in known and len(known) > 1:
        click.echo(
            f"note: no condition is {reference!r}, so no gap is shown: --reference takes one of {', '.join(known)}",
            err=True,
        )
    # Against all answers: a label of an item that is left out is no stranger's.
    evidence = AsrEvidence(labels=None if labels is None else read_labels(labels, frame))
    if verified_only:
        frame = verified_part(table, frame)
    try:
        found_tables = analyse_frame(
            frame,
            AnalysisOptions(reference=reference, missing=MissingRule(allow=allow_missing)),
            controls=controls_beside(table, controls, mapping, frame),
            evidence={ASR_CORRECTION: evidence},
        )
    except ValueError as error:
        raise TableError(f"{table}: {error}") from error
    data = found_tables.to_json()
    if out is not None:
        try:
            out.write_text(json.dumps(data, indent=1, ensure_ascii=False), encoding="utf-8")
        except OSError as error:
            raise FolderError(f"--out {out} can't be written ({error.strerror}): choose another place") from error
    if as_json:
        print(json.dumps(data, ensure_ascii=False))
    else:
        print_models(Console(), found_tables, reference, found_tables.options.intervals.level)
        print_human(found_tables.rows(HUMAN))
