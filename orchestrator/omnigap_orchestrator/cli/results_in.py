"""Where a command's results come from: a run's folder, or any table of per-item scores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


def results_of(path: Path) -> pl.DataFrame:
    """The results of a run's folder, or of a table.

    Raises:
        TableError: where there are none, or they can't be read.
    """
    from omnigap_orchestrator.extras.importers import TableError, read_results

    table = table_of(path)
    if not table.is_file():
        raise TableError(f"{path} holds no results: give a run's folder or its results.parquet")
    return read_results(table)


def table_of(path: Path) -> Path:
    """The file itself, or the results of a run's folder.

    Raises:
        TableError: for a folder that holds none.
    """
    from omnigap_orchestrator.extras.importers import TableError
    from omnigap_orchestrator.pipeline.folder import RunFolder

    if not path.is_dir():
        return path
    results = RunFolder(path).results
    if not results.is_file():
        raise TableError(f"{path} holds no results: give a run's folder or its results.parquet")
    return results
