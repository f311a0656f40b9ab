"""What a run's folder knows of its carriers, and its tables on those items whose carriers were read back whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from omnigap.digest import sha256_hex
from omnigap_orchestrator.analysis import AnalysisOptions
from omnigap_orchestrator.extras.readback.chosen import Verified, only, verified_items
from omnigap_orchestrator.extras.readback.gaps import kept_gaps
from omnigap_orchestrator.extras.readback.schema import VERIFICATION_SCHEMA
from omnigap_orchestrator.pipeline.folder import FolderError, RunFolder
from omnigap_orchestrator.report.checked import CarrierCheck


@dataclass(frozen=True, slots=True)
class Narrowed:
    """The tables that the analysis takes: all, or those of verified items; `note` says so to a reader."""

    results: pl.DataFrame
    controls: pl.DataFrame | None
    note: str = ""


def read_verification(folder: RunFolder) -> pl.DataFrame | None:
    """The table that `verify` wrote; None where it was never called.

    Raises:
        FolderError: for a table of another version, or a file that is no table.
    """
    if not folder.verification.is_file():
        return None
    try:
        table = pl.read_parquet(folder.verification, glob=False)
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException):
        table = None
    if table is None or table.schema != VERIFICATION_SCHEMA:
        raise FolderError(
            f"{folder.verification} is not what this omnigap writes: run `omnigap-orchestrate verify --run-dir "
            f"{folder.root}` again, or remove the file"
        )
    return table


def carrier_check(folder: RunFolder, results: pl.DataFrame, options: AnalysisOptions) -> CarrierCheck | None:
    """The verification beside the results it holds for; None where `verify` was never called."""
    table = read_verification(folder)
    if table is None:
        return None
    verified = verified_items(results, table)
    gaps = kept_gaps(results, verified, options.reference, options.missing, options.intervals)
    return CarrierCheck(table, verified, gaps)


def narrowed(
    folder: RunFolder, check: CarrierCheck | None, results: pl.DataFrame, controls: pl.DataFrame | None
) -> Narrowed:
    """The tables of verified items: an item is in all its conditions or in none.

    Raises:
        FolderError: where nothing was verified.
    """
    items, total = _items(folder, None if check is None else check.verified)
    note = (
        f"All tables and charts keep to the {items.len()} of {total} items whose every made carrier was read back "
        "whole (--verified-only); results.parquet holds all."
    )
    return Narrowed(only(results, items), None if controls is None else only(controls, items), note)


def verified_part(table: Path, frame: pl.DataFrame) -> pl.DataFrame:
    """The rows of verified items in a run's own table of results.

    Args:
        table: the file that the frame was read from; what `verify` wrote lies beside it.

    Raises:
        FolderError: where nothing was verified, or the table is none of a run's.
    """
    folder = RunFolder(table.parent)
    needed = ("input", "input_media")
    if lacking := [name for name in needed if name not in frame.columns]:
        raise FolderError(f"--verified-only: {table} lacks {', '.join(lacking)}: give a run's own results.parquet")
    verification = read_verification(folder)
    items, _ = _items(folder, None if verification is None else verified_items(frame, verification))
    return only(frame, items)


def _items(folder: RunFolder, verified: Verified | None) -> tuple[pl.Series, int]:
    """The verified items, and of how many; raises FolderError where there are none."""
    command = f"`omnigap-orchestrate verify --run-dir {folder.root}`"
    if verified is None:
        raise FolderError(f"--verified-only: the carriers of {folder.root} were never read back: call {command} first")
    items, total = verified.verified, verified.items.height
    if items.is_empty():
        raise FolderError(
            f"--verified-only leaves none of {total} items in {folder.root}: look at what {command} says of them"
        )
    return items, total


def verification_digest(folder: RunFolder) -> str:
    """Of the verification: the run's files are written again when it changes."""
    return sha256_hex(folder.verification.read_bytes()) if folder.verification.is_file() else ""
