"""A verification in the terminal: carriers by verdict, then those that lost content, or may have."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

import polars as pl
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from omnigap.vocabulary import Modality
from omnigap_orchestrator.cli.narrow import print_table
from omnigap_orchestrator.extras.readback.counts import Found, carriers_of, counts, found
from omnigap_orchestrator.extras.readback.verdict import Verdict
from omnigap_orchestrator.pipeline.folder import RunFolder

SHOWN = 20


def print_verification(
    verification: pl.DataFrame, folder: RunFolder, asked: Sequence[Modality], *, as_json: bool
) -> Found:
    """To standard output; returns how many carriers of the modalities that were asked for came to which verdict."""
    verification = verification.filter(pl.col("modality").is_in([modality.value for modality in asked]))
    totals = found(verification)
    carriers = carriers_of(verification)
    if as_json:
        listed = carriers.filter(pl.col("verdict").is_in([Verdict.LOST, Verdict.DOUBTFUL, Verdict.UNREAD]))
        data = {
            "run": folder.name,
            "verification": str(folder.verification),
            "carriers": asdict(totals),
            "counts": counts(verification).to_dicts(),
            "not_kept": listed.drop("errors", "words").to_dicts(),
        }
        print(json.dumps(data, ensure_ascii=False))
        return totals
    console = Console()
    rows = []
    for row in counts(verification).iter_rows(named=True):
        error = "" if row["word_error"] is None else f"{100 * row['word_error']:.1f} %"
        made = row["carriers"] - row["own"]
        shares = [str(row[name]) for name in ("kept", "doubtful", "lost", "unread", "own")]
        kind = f"{row['modality']} {row['language']} {row['made_as']}".rstrip()
        rows.append([kind, str(made), *shares, error, row["readers"]])
    headings = ("carriers", "made", "kept", "doubtful", "lost", "unread", "own", "word error", "read by")
    print_table(console, folder.name, headings, rows)
    if totals.own:
        console.print("own: carriers that the items brought along, which are not read back", style="dim")
    for verdict in (Verdict.DOUBTFUL, Verdict.UNREAD, Verdict.LOST):
        _print_listed(console, carriers.filter(pl.col("verdict") == verdict.value), verdict)
    if totals.doubtful:
        console.print(
            "\nDoubtful: no reader read all of it back, which may be the reader's error. Another reader may settle it: "
            "--image-reader, --speech-reader.",
            highlight=False,
        )
    console.print(f"table: {folder.verification}", highlight=False, soft_wrap=True, markup=False)
    return totals


def _print_listed(console: Console, rows: pl.DataFrame, verdict: Verdict) -> None:
    """Each carrier with what it should say and what was read, one below the other: texts are long, terminals narrow."""
    if rows.is_empty():
        return
    console.print(Text(f"\n{rows.height} {verdict}", style="bold"))
    for row in rows.head(SHOWN).iter_rows(named=True):
        how = row["voice"] if row["modality"] == "speech" else row["font"]
        carrier = ", ".join(part for part in (row["modality"], how) if part)
        console.print(Text.assemble((row["item_id"], "bold"), f" ({carrier}): {row['why']}"))
        if row["reader"] is not None:
            console.print(Padding(Text(f"should say: {_on_a_line(row['said'])}", style="dim"), (0, 0, 0, 4)))
            console.print(Padding(Text(f"was read:   {_on_a_line(row['read'])}", style="dim"), (0, 0, 0, 4)))
    if rows.height > SHOWN:
        console.print(f"... and {rows.height - SHOWN} more, in the table and in the report", highlight=False)


def _on_a_line(text: str) -> str:
    return " / ".join(line for line in text.splitlines() if line.strip())
