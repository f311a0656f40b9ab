"""`omnigap-orchestrate analyse`: the whole analysis of a table of scores that was made elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import click

from omnigap_orchestrator.cli.options import friendly


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

    from omnigap_orchestrator.analysis import AnalysisOptions, Instrument, MissingRule
    from omnigap_orchestrator.analysis import analyse as analyse_frame
    from omnigap_orchestrator.analysis.instrument.human import HUMAN
    from omnigap_orchestrator.cli.calibration_view import print_human
    from omnigap_orchestrator.cli.controls_in import controls_beside
    from omnigap_orchestrator.cli.results_in import table_of
    from omnigap_orchestrator.cli.tables_in import print_presets, tables_in
    from omnigap_orchestrator.cli.tables_view import print_models
    from omnigap_orchestrator.export.verified import verified_part
    from omnigap_orchestrator.extras.asr_correction.labels import read_labels
    from omnigap_orchestrator.extras.importers import TableError
    from omnigap_orchestrator.pipeline.folder import FolderError

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
    instrument = Instrument(labels=None if labels is None else read_labels(labels, frame))
    if verified_only:
        frame = verified_part(table, frame)
    try:
        found_tables = analyse_frame(
            frame,
            AnalysisOptions(reference=reference, missing=MissingRule(allow=allow_missing)),
            controls=controls_beside(table, controls, mapping, frame),
            instrument=instrument,
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
