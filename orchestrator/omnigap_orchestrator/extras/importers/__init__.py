"""Registers the importers: tables of per-item scores of other tools, and result files of known benchmarks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from omnigap_orchestrator.extension import Command, Extra

if TYPE_CHECKING:
    import polars as pl


class Importers(Extra):
    """The command `analyse`, and tables of per-item scores for every command that takes results."""

    name = "importers"
    commands = {  # noqa: RUF012
        "analyse": Command(
            "omnigap_orchestrator.extras.importers.commands:analyse",
            "Analyse a table of per-item scores of another tool.",
            after="report",
        )
    }

    def read_results(self, path: Path) -> pl.DataFrame | None:
        from omnigap_orchestrator.extras.importers.table import read_results

        return read_results(path)
