"""`omnigap-orchestrate verify`: reads rendered carriers back and prints the verdicts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click
import polars as pl
from rich.padding import Padding
from rich.text import Text

from omnigap.terminal import one_line
from omnigap.vocabulary import Modality
from omnigap_orchestrator.cli.inputs import stored_run_option
from omnigap_orchestrator.cli.options import DEFAULT_RUN, INCOMPLETE, INTERRUPTED, fleet_option, friendly, split
from omnigap_orchestrator.cli.tables import print_table
from omnigap_orchestrator.cli.terminal import Terminal, print_json
from omnigap_orchestrator.extras.readback.check import (
    Verdict,
    VerdictCounts,
    carriers_of,
    count_all,
    count_by_rendering,
)
from omnigap_orchestrator.pipeline.folder import RunFolder

CONTENT_LOST = 1


@click.command()
@stored_run_option
@fleet_option("the readers")
@click.option("--ocr", metavar="HOST:PORT", help="Service that reads images. Default: [ocr] endpoints.")
@click.option(
    "--asr", metavar="HOST:PORT", help="Service that transcribes recordings. Default: the ASR scorer of the run."
)
@click.option("--modalities", default="speech,image", show_default=True, help="Modalities to read.")
@click.option(
    "--max-word-error",
    type=click.FloatRange(0, 1),
    default=0.2,
    show_default=True,
    help="Largest word error rate of a kept carrier.",
)
@click.option("--quiet", "-q", is_flag=True, help="Print no progress.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_context
@friendly
def verify(ctx: click.Context, /, quiet: bool, as_json: bool, **flags: Any) -> None:
    """Read every rendered image back with OCR and every recording with ASR, and mark carriers that lost content.

    Carriers that a reader has read before are not read again; another reader adds its readbacks to the existing ones.
    The report is written again with the result; `report --verified-only` uses only items whose carriers are all kept.
    Exit code 0: every carrier of --modalities was read and none is lost; 1: some are lost, or an error; 3: some could
    not be read, or not by the reader of --ocr or --asr; 130: interrupted.
    """
    from omnigap.vocabulary import Modality
    from omnigap_orchestrator.cli.progress import observer_for
    from omnigap_orchestrator.config.services import FleetKind
    from omnigap_orchestrator.extras.readback.options import VerifyOptions
    from omnigap_orchestrator.extras.readback.run import verify as read_back
    from omnigap_orchestrator.pipeline.folder import RunFolder
    from omnigap_orchestrator.validation import check_endpoint

    folder = RunFolder(flags["run_dir"] or DEFAULT_RUN)
    modalities = split(flags["modalities"])
    if not modalities or any(name not in ("speech", "image") for name in modalities):
        raise click.BadParameter(f"{flags['modalities']!r}: choose from speech, image", param_hint="--modalities")
    # Checked before any service is started, so that a typing error costs no time.
    for reader in ("ocr", "asr"):
        for place in split(flags[reader]):
            try:
                check_endpoint(place)
            except ValueError as error:
                raise click.BadParameter(str(error), param_hint=f"--{reader}") from None
    options = VerifyOptions(
        fleet=FleetKind(flags["fleet"]) if flags["fleet"] else None,
        ocr=split(flags["ocr"]),
        asr=split(flags["asr"]),
        modalities=tuple(Modality(name) for name in modalities),
        max_word_error=flags["max_word_error"],
    )
    with observer_for(quiet=quiet or as_json) as observer:
        try:
            result = asyncio.run(read_back(folder, options, observer))
        except KeyboardInterrupt:
            observer.note("interrupted; readbacks are stored, and the same command resumes")
            ctx.exit(INTERRUPTED)
    totals = print_verification(result.table, folder, options.modalities, as_json=as_json)
    # Lost content is the stronger finding, so it decides the exit code even if carriers are unread.
    ctx.exit(CONTENT_LOST if totals.lost else INCOMPLETE if totals.unread or result.left else 0)


SHOWN = 20
"""Maximum number of carriers of a verdict in the terminal."""


def print_verification(
    verification: pl.DataFrame, folder: RunFolder, modalities: Sequence[Modality], *, as_json: bool
) -> VerdictCounts:
    """Prints the verdicts on the carriers of some modalities, and returns their counts."""
    verification = verification.filter(pl.col("modality").is_in([modality.value for modality in modalities]))
    totals = count_all(verification)
    carriers = carriers_of(verification)
    if as_json:
        listed = carriers.filter(pl.col("verdict").is_in([Verdict.LOST, Verdict.DOUBTFUL, Verdict.UNREAD]))
        data = {
            "run": folder.name,
            "verification": str(folder.verification),
            "carriers": asdict(totals),
            "counts": count_by_rendering(verification).to_dicts(),
            "not_kept": listed.drop("errors", "words").to_dicts(),
        }
        print_json(data)
        return totals
    console = Terminal()
    rows = []
    for row in count_by_rendering(verification).iter_rows(named=True):
        error = "" if row["word_error"] is None else f"{100 * row['word_error']:.1f} %"
        generated = row["carriers"] - row["own"]
        shares = [str(row[name]) for name in ("kept", "doubtful", "lost", "unread", "own")]
        kind = f"{row['modality']} {row['language']} {row['made_as']}".rstrip()
        rows.append([kind, str(generated), *shares, error, row["readers"]])
    headings = ("carriers", "generated", "kept", "doubtful", "lost", "unread", "own", "word error", "read by")
    print_table(console, folder.name, headings, rows)
    if totals.own:
        console.print("own: carriers that come with the items and are not read back", style="dim")
    # Lost carriers last, so that they are at the bottom of the terminal.
    for verdict in (Verdict.DOUBTFUL, Verdict.UNREAD, Verdict.LOST):
        _print_listed(console, carriers.filter(pl.col("verdict") == verdict.value), verdict)
    if totals.doubtful:
        console.print(
            "\nDoubtful: no reader read the carrier back completely, which may be an error of the reader. Try another "
            "reader with --ocr or --asr.",
            highlight=False,
        )
    console.print(f"table: {folder.verification}", highlight=False, soft_wrap=True, markup=False)
    return totals


def _print_listed(console: Terminal, rows: pl.DataFrame, verdict: Verdict) -> None:
    """Lists the carriers of a verdict, with the expected text and the readback on separate lines."""
    if rows.is_empty():
        return
    console.print(Text(f"\n{rows.height} {verdict}", style="bold"))
    for row in rows.head(SHOWN).iter_rows(named=True):
        how = row["voice"] if row["modality"] == "speech" else row["font"]
        carrier = ", ".join(part for part in (row["modality"], how) if part)
        console.print(Text.assemble((row["item_id"], "bold"), f" ({carrier}): {row['why']}"))
        if row["reader"] is not None:
            console.print(Padding(Text(f"expected: {_one_line(row['said'])}", style="dim"), (0, 0, 0, 4)))
            console.print(Padding(Text(f"read:     {_one_line(row['read'])}", style="dim"), (0, 0, 0, 4)))
    if rows.height > SHOWN:
        console.print(f"... and {rows.height - SHOWN} more in the table and in the report", highlight=False)


def _one_line(text: str) -> str:
    return one_line(" / ".join(line for line in text.splitlines() if line.strip()))
