"""`omnigap-orchestrate analyse`: the analysis of tables of per-item scores of other tools."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from omnigap_orchestrator.cli.options import friendly
from omnigap_orchestrator.extras.importers.table import read_controls
from omnigap_orchestrator.pipeline.folder import RunFolder

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class ImportedTables:
    """The joined tables of one call.

    Attributes:
        notes: remarks for the reader of the numbers.
        reference: the reference condition of the gaps; None if the files do not define one.
    """

    frame: pl.DataFrame
    notes: tuple[str, ...]
    reference: str | None = None


def import_tables(
    paths: Sequence[Path],
    columns: Mapping[str, str],
    preset: str | None = None,
    conditions: Sequence[str] = (),
    models: Sequence[str] = (),
) -> ImportedTables:
    """Reads and joins the files of one call, with a preset or with mapped columns.

    Raises:
        TableError, PresetError: a file can't be read, or the options do not match the files.
    """
    from omnigap_orchestrator.extras.importers.results import read_published
    from omnigap_orchestrator.extras.importers.table import join_results
    from omnigap_orchestrator.presets import load_preset
    from omnigap_orchestrator.results import TableError

    if preset is None:
        frame, notes = join_results(paths, columns, conditions, models)
        return ImportedTables(frame, notes)
    # A preset maps every column of its layout, and two maps could contradict each other.
    if columns:
        raise TableError("--column can't be combined with --preset, which defines the columns: give one of them")
    layout = load_preset(preset).results
    if layout is None:
        raise TableError(f"--preset {preset} is a preset of items, not of results: map the columns with --column")
    read = read_published(paths, layout, conditions, models)
    return ImportedTables(read.frame, read.notes, read.reference)


def print_presets() -> None:
    """Prints every preset with its source and its layouts."""
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


def controls_for(
    table: Path, given: Path | None, columns: Mapping[str, str], results: pl.DataFrame
) -> pl.DataFrame | None:
    """The control cells of the items in `results`; None if there are none.

    Args:
        table: the file of the results; for the results.parquet of a run, its controls.parquet is the default.
        given: the file of --controls.
        columns: of both files, ours -> theirs.

    Raises:
        TableError: the file can't be read as control cells.
    """
    folder = RunFolder(table.parent)
    own = folder.controls if table.name == folder.results.name and folder.controls.is_file() else None
    path = given or own
    if path is None:
        return None
    return read_controls(path, columns).join(results.select("item_id").unique(), on="item_id", how="semi")


@click.command()
@click.argument("tables", nargs=-1, metavar="TABLE...", type=click.Path(path_type=Path))
@click.option("--preset", metavar="NAME", help="Benchmark that the result files are of; see --list-presets.")
@click.option("--list-presets", is_flag=True, help="List the known benchmarks and their file layouts.")
@click.option(
    "--condition", "conditions", multiple=True, help="Condition of each table, in order; replaces its column."
)
@click.option("--model", "models", multiple=True, help="Model of each table, in order; replaces its column.")
@click.option("--column", "columns", multiple=True, metavar="OURS=THEIRS", help="Map a column: --column item_id=qid.")
@click.option("--reference", help="Reference condition of the gaps. Default: that of the preset, else t2t.")
@click.option("--allow-missing", is_flag=True, help="Compute gaps even if many answers are missing.")
@click.option("--verified-only", is_flag=True, help="Use only items whose carriers are all kept (see `verify`).")
@click.option(
    "--labels",
    type=click.Path(dir_okay=False, path_type=Path),
    help="CSV file of human labels: item_id, condition, label (right, wrong, unsure) and the sampling columns.",
)
@click.option(
    "--controls",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Table of control cells. Default: controls.parquet of the run, for its results.parquet.",
)
@click.option("--json", "as_json", is_flag=True, help="Print all tables as JSON.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write all tables as JSON to this file.")
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
    """Analyse TABLE (Parquet, CSV or JSON Lines): one row per item and condition, with a score in [0, 1].

    A run folder means its results.parquet. Required columns: item_id, condition, score; optional: model, task,
    cluster, outcome. Conditions can have any names. Several tables are joined by item id; rows that are missing in one
    condition count as failed calls.
    """
    from rich.console import Console

    from omnigap_orchestrator.analysis import AnalysisOptions, MissingRule
    from omnigap_orchestrator.analysis import analyse as analyse_frame
    from omnigap_orchestrator.cli.inputs import table_of
    from omnigap_orchestrator.cli.run import print_models
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
        raise click.UsageError("give at least one TABLE, or --list-presets")
    if preset is None:
        tables = tuple(table_of(path) for path in tables)
    elif folder := next((path for path in tables if path.is_dir()), None):
        raise TableError(f"{folder} is a folder: give --preset {preset} the result files in it")
    mapping = {}
    for column in columns:
        ours, found, theirs = column.partition("=")
        if not found or not ours or not theirs:
            raise click.BadParameter(f"{column!r}: write OURS=THEIRS, as in item_id=qid", param_hint="--column")
        mapping[ours] = theirs
    read = import_tables(tables, mapping, preset, conditions, models)
    # Notes go to stderr, because standard output may be JSON.
    for note in read.notes:
        click.echo(f"note: {note}", err=True)
    frame, table = read.frame, tables[0]
    known = frame["condition"].unique(maintain_order=True).to_list()
    if reference is not None and reference not in known:
        raise TableError(f"--reference {reference!r}: no row has this condition; the tables have {', '.join(known)}")
    reference = reference or read.reference or "t2t"
    if reference not in known and len(known) > 1:
        click.echo(
            f"note: no gaps, because no condition is named {reference!r}: set --reference to one of {', '.join(known)}",
            err=True,
        )
    # Checked against all rows: --verified-only may drop labelled items, and their labels must not be reported as
    # labels of unknown items.
    evidence = AsrEvidence(labels=None if labels is None else read_labels(labels, frame))
    if verified_only:
        frame = verified_part(table, frame)
    try:
        found_tables = analyse_frame(
            frame,
            AnalysisOptions(reference=reference, missing=MissingRule(allow=allow_missing)),
            controls=controls_for(table, controls, mapping, frame),
            evidence={ASR_CORRECTION: evidence},
        )
    except ValueError as error:
        raise TableError(f"{table}: {error}") from error
    data = found_tables.to_json()
    if out is not None:
        try:
            out.write_text(json.dumps(data, indent=1, ensure_ascii=False), encoding="utf-8")
        except OSError as error:
            raise FolderError(f"--out {out} can't be written ({error.strerror}): choose another path") from error
    if as_json:
        print(json.dumps(data, ensure_ascii=False))
    else:
        print_models(Console(), found_tables, reference, found_tables.options.intervals.level)
        print_human(found_tables.rows(HUMAN))
