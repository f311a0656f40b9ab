"""`omnigap-orchestrate analyse`: the whole analysis of a table of scores that was made elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import click

from omnigap_orchestrator.cli.errors import friendly


@click.command()
@click.argument("table", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--column", "columns", multiple=True, metavar="OURS=THEIRS", help="As in --column item_id=qid.")
@click.option("--reference", default="t2t", show_default=True, help="Condition that gaps are measured against.")
@click.option("--allow-missing", is_flag=True, help="Compute gaps also where many answers are missing.")
@click.option(
    "--controls",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Table of control cells. Default: controls.parquet beside a run's own results.parquet.",
)
@click.option("--json", "as_json", is_flag=True, help="Every table as JSON on standard output.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write every table as JSON to this file.")
@friendly
def analyse(
    table: Path,
    columns: tuple[str, ...],
    reference: str,
    allow_missing: bool,
    controls: Path | None,
    as_json: bool,
    out: Path | None,
) -> None:
    """Analyse TABLE, one row per item and condition with a score in [0, 1]: Parquet, CSV or JSONL, any condition names.

    Columns: item_id, condition, score; model, task, cluster and outcome where there are any.
    """
    from omnigap_orchestrator.analysis import AnalysisOptions, MissingRule, to_json
    from omnigap_orchestrator.analysis import analyse as analyse_frame
    from omnigap_orchestrator.cli.controls_in import controls_beside
    from omnigap_orchestrator.cli.tables_view import print_accuracy_and_gaps
    from omnigap_orchestrator.foreign import TableError, read_results

    mapping = {}
    for column in columns:
        ours, found, theirs = column.partition("=")
        if not found or not ours or not theirs:
            raise click.BadParameter(f"{column!r} is not OURS=THEIRS, as in item_id=qid", param_hint="--column")
        mapping[ours] = theirs
    frame = read_results(table, mapping)
    try:
        found_tables = analyse_frame(
            frame,
            AnalysisOptions(reference=reference, missing=MissingRule(allow=allow_missing)),
            controls=controls_beside(table, controls, mapping, frame),
        )
    except ValueError as error:
        raise TableError(f"{table}: {error}") from error
    data = to_json(found_tables)
    if out is not None:
        out.write_text(json.dumps(data, indent=1, ensure_ascii=False), encoding="utf-8")
    if as_json:
        print(json.dumps(data, ensure_ascii=False))
    else:
        print_accuracy_and_gaps(data, reference)
