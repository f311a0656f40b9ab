"""The control cells that an analysis of a table takes in: those it is given, else those of the run it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from omnigap_orchestrator.extras.importers import read_controls
from omnigap_orchestrator.pipeline.folder import RunFolder


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
