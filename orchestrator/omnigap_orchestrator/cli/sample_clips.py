"""`omnigap-orchestrate sample-clips`: spoken answers for human ears, as a listening sheet and an empty labels file."""

from __future__ import annotations

from pathlib import Path

import click

from omnigap_orchestrator.cli.options import DEFAULT_RUN, friendly
from omnigap_orchestrator.cli.stored_run import stored_run_option


@click.command("sample-clips")
@click.argument("run", metavar="[RUN]", required=False, type=click.Path(file_okay=False, path_type=Path))
@stored_run_option
@click.option("--n", "-n", "count", type=click.IntRange(min=1), default=200, show_default=True, help="Clips.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for the sheet. Default: RUN/listen."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the draw.")
@friendly
def sample_clips(run: Path | None, run_dir: Path | None, count: int, out: Path | None, seed: int) -> None:
    """Draw spoken answers of a run (RUN or --run-dir) for people to label, evenly over model, condition and score.

    Writes sheet.html (open it in a browser; it shows neither the model nor what the scorer heard), labels.csv with each
    clip's probability of being drawn, and clips.csv, which tells what each clip is. `report --labels` reads the labels.
    """
    from omnigap_orchestrator.carriers import MediaStore
    from omnigap_orchestrator.extras.asr_correction.labels import LabelsError
    from omnigap_orchestrator.extras.asr_correction.sample import draw_clips
    from omnigap_orchestrator.extras.asr_correction.sheet import KEY, LABELS, SHEET, write_sheet
    from omnigap_orchestrator.pipeline.folder import FolderError, RunFolder
    from omnigap_orchestrator.pipeline.prepare import stored_run
    from omnigap_orchestrator.pipeline.results import ResultsTable

    if run is not None and run_dir is not None:
        raise click.UsageError(f"two runs are named, {run} and --run-dir {run_dir}: leave one out")
    run_dir = run or run_dir or DEFAULT_RUN
    folder = RunFolder(run_dir)
    folder.require()
    out = out or run_dir / "listen"
    if (out / LABELS).exists():
        raise LabelsError(f"{out / LABELS} is there already, and may hold labels: choose another --out")
    with stored_run(folder) as (cells, records):
        results = ResultsTable(folder.name, cells, records).frame()
    sample = draw_clips(results, count, seed)
    if sample.is_empty():
        raise LabelsError(f"{run_dir} has no scored spoken answers: run the conditions t2s, s2s or i2s first")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FolderError(f"{out} can't be made ({error.strerror}): choose another --out") from error
    items = {item.id: item for item in cells.plan.items}
    write_sheet(out, sample, items, MediaStore(folder.media), folder.name, run_dir)
    click.echo(f"{sample.height} clips in {sample['stratum'].n_unique()} strata (model, condition, right or wrong)")
    if sample.height < count:
        click.echo(f"{count} were asked for: there are no more spoken answers")
    elif sample.height > count:
        click.echo(f"{count} were asked for: a stratum takes two clips at least, else nothing is known of its spread")
    click.echo(f"listening sheet: {out / SHEET}")
    click.echo(f"labels to fill in: {out / LABELS}, or saved from the sheet")
    click.echo(f"what each clip is, not for the listener: {out / KEY}")
