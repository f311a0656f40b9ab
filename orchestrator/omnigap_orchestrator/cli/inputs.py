"""What commands on an existing run work with: configuration and items of the run or of the flags, or its results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
from click.core import ParameterSource

from omnigap_orchestrator.cli.options import item_flags, run_dir_of

if TYPE_CHECKING:
    import polars as pl

    from omnigap_orchestrator.config import Config
    from omnigap_orchestrator.items import Item
    from omnigap_orchestrator.pipeline.folder import RunFolder, StoredPlan

_Command = TypeVar("_Command", bound=Callable[..., object])


def stored_run_option(command: _Command) -> _Command:
    """`--run-dir` of a command without `--config`."""
    return click.option(
        "--run-dir",
        type=click.Path(file_okay=False, path_type=Path),
        help="Folder of the run. Its stored configuration and items are used: no --config is needed. "
        "Default: runs/default.",
    )(command)


@dataclass(frozen=True, slots=True)
class ItemFlags:
    """The item flags of a command: `--items`, `--limit`, `--task` and `--preset`."""

    path: str | None
    limit: int | None
    tasks: tuple[str, ...]
    preset: str | None

    @property
    def given(self) -> str:
        """The flags that are set, by name."""
        flags = (("--items", self.path), ("--preset", self.preset), ("--task", self.tasks), ("--limit", self.limit))
        return ", ".join(flag for flag, value in flags if value)


@dataclass(frozen=True, slots=True)
class RunInputs:
    """Configuration and items of a command.

    Attributes:
        items: the items of the stored run, filtered by the flags; None means those of `config`.
        stored: configuration and items of the run in the folder, whether used or not; None if there is no run.
        source: one line that says where configuration and items come from; empty if there is no run.
    """

    config: Config
    items: tuple[Item, ...] | None
    folder: RunFolder
    stored: StoredPlan | None
    source: str


def load_inputs(
    ctx: click.Context, config: Path | None, run_dir: Path | None, flags: ItemFlags, others: Mapping[str, object]
) -> RunInputs:
    """The configuration and items of the run in the folder; those of the flags if it has no run or --config is given.

    With a stored run, `--task` and `--limit` filter its items, and `--items` replaces them.

    Args:
        config: `--config`, or its environment variable. From the environment, it only names the folder of a stored run.
        others: further flags by dotted key; None sets nothing.

    Raises:
        ConfigError: a flag or the file is invalid.
        FolderError, ItemError: the stored run can't be read, or has no items of a task.
    """
    from omnigap_orchestrator.config import ConfigError, load_config, with_flags
    from omnigap_orchestrator.items import select_items
    from omnigap_orchestrator.pipeline.folder import RunFolder, load_plan

    if flags.preset and not flags.path and config is None:
        raise ConfigError("the command line", ["--preset: it applies to the files of --items: set --items too"])

    def of_flags() -> Config:
        table = {**item_flags(config, flags.path, flags.limit, flags.tasks, flags.preset), **others}
        return load_config(config, table)

    # The file is read only if it is needed: the stored run has its own complete configuration.
    named = of_flags() if config is not None else None
    folder = RunFolder(run_dir_of(run_dir, config, named.run.dir if named is not None else None))
    if not (folder.config.is_file() and folder.items.is_file()):
        return RunInputs(named or of_flags(), None, folder, None, "")
    plan = load_plan(folder)
    # A file from the environment is set for all commands, so it does not replace the configuration of a stored run.
    if named is not None and ctx.get_parameter_source("config") is ParameterSource.COMMANDLINE:
        return RunInputs(named, None, folder, plan, f"configuration and items: {config} (--config)")
    stored = with_flags(plan[0], others)
    if flags.path:
        source = (named or of_flags()).items
        if source.path is not None:
            # The stored columns are kept: other files are most often of the same format.
            own = stored.items
            columns = {"columns": own.columns, "separator": own.separator, "preset": flags.preset or own.preset}
            source = source.model_copy(update=columns)
        stored = stored.model_copy(update={"items": source})
        return RunInputs(stored, None, folder, plan, f"configuration: the run in {folder.root}; items: --items")
    items = select_items(plan[1], limit=flags.limit, tasks=flags.tasks)
    count = f"{len(items)} of its {len(plan[1])} items ({flags.given})" if flags.given else f"{len(items)} items"
    return RunInputs(stored, items, folder, plan, f"configuration and items: the run in {folder.root}, {count}")


def results_of(path: Path) -> pl.DataFrame:
    """The results of a run's folder, or of a table of per-item scores.

    Raises:
        TableError: there are no results, or they can't be read.
    """
    from omnigap_orchestrator.extension import extras
    from omnigap_orchestrator.pipeline.stored_files import fault_of
    from omnigap_orchestrator.results import TableError, read_own_results

    table = table_of(path)
    if not table.is_file():
        raise TableError(f"{path} has no results: give the folder of a run or its results.parquet")
    if fault := fault_of(table):
        raise TableError(
            f"{table} {fault}: run `omnigap-orchestrate report --run-dir {table.parent}` to write it again"
        )
    # Extras first: each returns None for a file that it can't read, while the core raises.
    for extra in extras():
        if (frame := extra.read_results(table)) is not None:
            return frame
    return read_own_results(table)


def table_of(path: Path) -> Path:
    """The file itself, or the results of a run's folder.

    Raises:
        TableError: the folder has no results.
    """
    from omnigap_orchestrator.pipeline.folder import RunFolder
    from omnigap_orchestrator.results import TableError

    if not path.is_dir():
        return path
    results = RunFolder(path).results
    if not results.is_file():
        raise TableError(f"{path} has no results: give the folder of a run or its results.parquet")
    return results
