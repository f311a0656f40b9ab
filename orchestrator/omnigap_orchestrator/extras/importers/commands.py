"""`omnigap-orchestrate analyse`: the analysis of tables of per-item scores of other tools."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from omnigap.terminal import utf8_text
from omnigap_orchestrator.cli.options import friendly
from omnigap_orchestrator.cli.terminal import Terminal, print_json
from omnigap_orchestrator.extras.importers.names import FileNames
from omnigap_orchestrator.extras.importers.select import RowSelection, parse_where
from omnigap_orchestrator.extras.importers.table import read_controls
from omnigap_orchestrator.pipeline.folder import FolderError, RunFolder, replacing

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


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How the files of one call are read.

    Attributes:
        columns: our column -> theirs.
        preset: name of a preset of results.
        conditions, models: values for the arguments, in their order; one is for all.
        names: what the names of the files contain (`FileNames`).
        answer_type: how answers are scored in tables without scores.
        rescore: score the answers again, also where the files have scores.
        selection: the rows that are used.
    """

    columns: Mapping[str, str]
    preset: str | None = None
    conditions: Sequence[str] = ()
    models: Sequence[str] = ()
    names: str | None = None
    answer_type: str | None = None
    rescore: bool = False
    selection: RowSelection = field(default_factory=RowSelection)


def import_tables(paths: Sequence[Path], options: ImportOptions) -> ImportedTables:
    """Reads and joins the files of one call, with a preset or with mapped columns.

    Raises:
        TableError, PresetError: a file can't be read, or the options do not match the files.
    """
    from omnigap_orchestrator.extras.importers.results import read_published
    from omnigap_orchestrator.extras.importers.table import join_results
    from omnigap_orchestrator.presets import load_preset
    from omnigap_orchestrator.presets.preset import ScoreSource
    from omnigap_orchestrator.results import TableError

    columns, preset = options.columns, options.preset
    if preset is None:
        frame, notes = join_results(
            paths,
            columns,
            options.conditions,
            options.models,
            names=options.names,
            answer_type=options.answer_type,
            rescore=options.rescore,
            selection=options.selection,
        )
        return ImportedTables(frame, notes)
    layout = load_preset(preset).results
    if layout is None:
        raise TableError(f"--preset {preset} is a preset of items, not of results: map the columns with --column")
    if options.answer_type is not None:
        raise TableError("--answer-type can't be combined with --preset, which defines the scores: give one of them")
    if options.names is not None:
        layout = layout.model_copy(update={"file": FileNames(options.names).expression})
    # Only the score: a preset maps every other column of its layout, and two maps could contradict each other.
    if other := [name for name in columns if name != "score"]:
        raise TableError(
            f"--column {other[0]} can't be combined with --preset, which defines the columns: give one of them "
            "(--column score=THEIRS chooses another score)"
        )
    if options.rescore:
        if layout.scorer is None:
            raise TableError(
                f"--rescore: --preset {preset} does not say how its answers are scored: leave the flag out"
            )
        layout = layout.model_copy(update={"scores": ()})
    elif "score" in columns:
        chosen = (ScoreSource(column=columns["score"]),)
        layout = layout.model_copy(update={"scores": chosen, "scorer": None})
    read = read_published(paths, layout, options.conditions, options.models, options.selection)
    return ImportedTables(read.frame, read.notes, read.reference)


def print_presets() -> None:
    """Prints every preset with its source and its layouts."""
    from rich.text import Text

    from omnigap_orchestrator.presets import load_presets

    console = Terminal()
    for name, preset in load_presets().items():
        console.print(Text.assemble((name, "bold"), f"  {preset.title}  ", (preset.source, "dim")))
        kinds = [("results", preset.results and preset.results.layout), ("items", preset.items and preset.items.layout)]
        parts = [("", preset.description), *((f"{kind}: ", text) for kind, text in kinds if text)]
        if preset.items is not None and preset.items.note:
            parts.append(("note: ", preset.items.note))
        for head, text in parts:
            if text.strip():
                console.print(f"  {head}{' '.join(text.split())}", soft_wrap=False)
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
@click.option("--preset", metavar="NAME", help="Benchmark or tool that the result files are of; see --list-presets.")
@click.option("--list-presets", is_flag=True, help="List the known benchmarks and tools, and their file layouts.")
@click.option(
    "--condition", "conditions", multiple=True, help="Condition of each TABLE, in order; replaces its column."
)
@click.option("--model", "models", multiple=True, help="Model of each TABLE, in order; replaces its column.")
@click.option("--column", "columns", multiple=True, metavar="OURS=THEIRS", help="Map a column: --column item_id=qid.")
@click.option(
    "--names",
    metavar="PATTERN",
    help="What the file names contain: '{model}/{task}_{condition}', * for any text, or a regular expression.",
)
@click.option(
    "--answer-type", metavar="TYPE", help="Score answers of tables without scores: letter, number, entity ..."
)
@click.option("--rescore", is_flag=True, help="Score the answers with omnigap, also where the files have scores.")
@click.option(
    "--task", "tasks", multiple=True, help="Use only this task, or 'speech_*'; names the task if there is none."
)
@click.option("--where", "wheres", multiple=True, metavar="COLUMN=VALUE", help="Use only rows with this value.")
@click.option("--common-items", is_flag=True, help="Use only items that every condition of their model has a row for.")
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
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    help="Write the report page: a file that ends in .html, or a folder for report.html.",
)
@click.pass_context
@friendly
def analyse(ctx: click.Context, /, **flags: Any) -> None:
    """Analyse TABLE (Parquet, CSV, TSV, JSON or JSON Lines): one row per item and condition, with a score in [0, 1].

    A folder means all result files below it; the folder of a run means its results.parquet. Required columns:
    item_id, condition, score; optional: model, task, cluster, outcome. Conditions can have any names. Several tables
    are joined by item id; an answer that one condition lacks counts as missing, unless the conditions were run on
    different samples.

    Exit code 0: the tables were analysed, although gaps may be refused; 1: an error.
    """
    if flags["list_presets"]:
        print_presets()
        return
    if not flags["tables"]:
        raise click.UsageError("give at least one TABLE, or --list-presets")
    _analyse(flags["tables"], _import_options(flags), flags, _command_line(ctx))


def _import_options(flags: Mapping[str, Any]) -> ImportOptions:
    mapping = {}
    for column in flags["columns"]:
        ours, found, theirs = column.partition("=")
        if not found or not ours or not theirs:
            raise click.BadParameter(f"{column!r}: write OURS=THEIRS, as in item_id=qid", param_hint="--column")
        mapping[ours] = theirs
    try:
        wanted = parse_where(flags["wheres"])
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--where") from None
    selection = RowSelection(wanted, tuple(flags["tasks"]), flags["common_items"])
    return ImportOptions(
        mapping,
        flags["preset"],
        flags["conditions"],
        flags["models"],
        flags["names"],
        flags["answer_type"],
        flags["rescore"],
        selection,
    )


def _command_line(ctx: click.Context) -> str:
    import shlex
    import sys

    return shlex.join([*ctx.command_path.split(), *map(utf8_text, sys.argv[2:])])


def _reference(given: str | None, read: ImportedTables) -> tuple[str, str | None]:
    """The reference condition, and a note if no row has it.

    Raises:
        TableError: --reference names a condition that no row has.
    """
    from omnigap_orchestrator.results import TableError

    known = read.frame["condition"].unique(maintain_order=True).to_list()
    if given is not None and given not in known:
        raise TableError(f"--reference {given!r}: no row has this condition; the tables have {', '.join(known)}")
    reference = given or read.reference or "t2t"
    if reference in known or len(known) < 2:
        cells = read.frame.select("model", "condition").unique()
        having = cells.filter(condition=reference)["model"].to_list()
        # A model with one condition has no gaps anyway.
        several = cells.filter(cells["model"].is_duplicated())["model"].unique().sort().to_list()
        lacking = [model for model in several if model not in having]
        if lacking and len(known) > 1:
            return reference, f"no gaps of {', '.join(lacking)}: no rows in {reference}"
        return reference, None
    fix = f"set --reference to one of {', '.join(known)}"
    return reference, f"no gaps, because no condition is named {reference!r}: {fix}"


def _analyse(tables: Sequence[Path], options: ImportOptions, flags: Mapping[str, Any], command: str) -> None:
    """Reads, analyses, writes and prints.

    Raises:
        TableError, PresetError, FolderError: see the functions that it calls.
    """

    from omnigap_orchestrator.analysis import AnalysisOptions, MissingRule
    from omnigap_orchestrator.analysis import analyse as analyse_frame
    from omnigap_orchestrator.cli.run import print_models
    from omnigap_orchestrator.cli.tables import print_lines
    from omnigap_orchestrator.extras.asr_correction.commands import print_human
    from omnigap_orchestrator.extras.asr_correction.human import HUMAN
    from omnigap_orchestrator.extras.asr_correction.labels import read_labels
    from omnigap_orchestrator.extras.asr_correction.rates import NAME as ASR_CORRECTION
    from omnigap_orchestrator.extras.asr_correction.rates import AsrEvidence
    from omnigap_orchestrator.extras.importers.brief import brief_lines
    from omnigap_orchestrator.extras.importers.page import report_path, write_page
    from omnigap_orchestrator.extras.readback.select import verified_part
    from omnigap_orchestrator.report.statements import random_text
    from omnigap_orchestrator.results import TableError

    # Checked before the analysis, which can take long.
    page = None if flags["report"] is None else report_path(flags["report"])
    read = import_tables(tables, options)
    reference, without_gaps = _reference(flags["reference"], read)
    notes = (*read.notes, *([without_gaps] if without_gaps else []))
    # Notes go to stderr, because standard output may be JSON.
    for note in notes:
        click.echo(f"note: {note}", err=True)
    frame, first = read.frame, _results_file(tables[0])
    # Checked against all rows: --verified-only may drop labelled items, and their labels must not be reported as
    # labels of unknown items.
    evidence = AsrEvidence(labels=None if flags["labels"] is None else read_labels(flags["labels"], frame))
    if flags["verified_only"]:
        frame = verified_part(first, frame)
    controls = controls_for(first, flags["controls"], options.columns, frame)
    try:
        found = analyse_frame(
            frame,
            AnalysisOptions(reference=reference, missing=MissingRule(allow=flags["allow_missing"])),
            controls=controls,
            evidence={ASR_CORRECTION: evidence},
        )
    except ValueError as error:
        raise TableError(f"{tables[0]}: {error}") from error
    data = found.to_json()
    if flags["out"] is not None:
        _write_json(flags["out"], data)
    if page is not None:
        source = ", ".join(path.name or str(path.absolute().name) for path in tables)
        write_page(page, frame, found, source, notes, command)
    if flags["as_json"]:
        print_json(data)
        return
    console = Terminal()
    print_models(console, found, reference, found.options.intervals.level, found.random_weights)
    print_human(found.rows(HUMAN))
    print_lines(console, brief_lines(found, found.random_weights))
    for model, roles in found.random_weights.items():
        console.print(random_text(model, roles), style="bold white on red", highlight=False, markup=False)
    if page is not None:
        console.print(f"report: {page}", highlight=False, soft_wrap=True, markup=False)


def _results_file(path: Path) -> Path:
    """The file itself, or the results of the folder of a run."""
    results = RunFolder(path).results
    return results if path.is_dir() and results.is_file() else path


def _write_json(path: Path, data: object) -> None:
    text = json.dumps(data, indent=1, ensure_ascii=False)
    try:
        # A device, such as /dev/stdout, can't be replaced.
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")
            return
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except FolderError as error:
        raise FolderError(f"--out {error}") from error
    except OSError as error:
        raise FolderError(f"--out {path} can't be written ({error.strerror}): choose another path") from error
