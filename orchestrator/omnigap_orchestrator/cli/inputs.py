"""The flag of commands that go on with the run of a folder, and take everything from there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
from click.core import ParameterSource

from omnigap_orchestrator.cli.options import item_flags, run_dir_of

_Command = TypeVar("_Command", bound=Callable[..., object])


def stored_run_option(command: _Command) -> _Command:
    """`--run-dir` of a command without `--config`."""
    return click.option(
        "--run-dir",
        type=click.Path(file_okay=False, path_type=Path),
        help="Folder of the run, whose own copy of configuration, items and addresses is used: no --config is needed. "
        "Default: runs/default.",
    )(command)


# Whose configuration and items a command takes: those of the run in its folder, else those of the flags.

if TYPE_CHECKING:
    from omnigap_orchestrator.config import Config
    from omnigap_orchestrator.items import Item
    from omnigap_orchestrator.pipeline.folder import RunFolder, StoredPlan


@dataclass(frozen=True, slots=True)
class ItemFlags:
    """What the command line says of items."""

    path: str | None
    limit: int | None
    tasks: tuple[str, ...]
    preset: str | None

    @property
    def named(self) -> str:
        """The flags that are given, as they are called."""
        given = (("--items", self.path), ("--preset", self.preset), ("--task", self.tasks), ("--limit", self.limit))
        return ", ".join(flag for flag, value in given if value)


@dataclass(frozen=True, slots=True)
class RunInputs:
    """What a command works with.

    Attributes:
        items: those of the run, select_verified by the flags; None: the configuration tells them.
        stored: configuration and items of the run in the folder, whichever are taken; None where there is none.
        source: one line that says whose configuration and items these are; empty where no run is there.
    """

    config: Config
    items: tuple[Item, ...] | None
    folder: RunFolder
    stored: StoredPlan | None
    source: str


def load_inputs(
    ctx: click.Context, config: Path | None, run_dir: Path | None, flags: ItemFlags, others: Mapping[str, object]
) -> RunInputs:
    """The run's own configuration and items where its folder holds them, unless `--config` is given in this call.

    `--task` and `--limit` narrow the run's items, `--items` takes others under the run's configuration.

    Args:
        config: `--config`, or what the environment says in its place: that one names the folder alone where a run is.
        others: further flags, by dotted key; a None sets nothing.

    Raises:
        ConfigError: for flags or a file that can't be used.
        FolderError, ItemError: where the folder's own copy can't be read, and for a task that none of its items has.
    """
    from omnigap_orchestrator.config import ConfigError, load_config, with_flags
    from omnigap_orchestrator.items import select_items
    from omnigap_orchestrator.pipeline.folder import RunFolder, load_plan

    if flags.preset and not flags.path and config is None:
        raise ConfigError("the command line", ["--preset: it reads the files that --items names: give --items too"])
    table = {**item_flags(config, flags.path, flags.limit, flags.tasks, flags.preset), **others}
    named = load_config(config, table)
    folder = RunFolder(run_dir_of(run_dir, config, named.run.dir))
    if not (folder.config.is_file() and folder.items.is_file()):
        return RunInputs(named, None, folder, None, "")
    kept = load_plan(folder)
    if config is not None and ctx.get_parameter_source("config") is ParameterSource.COMMANDLINE:
        return RunInputs(named, None, folder, kept, f"configuration and items of {config} (--config)")
    items = kept[1]
    stored = with_flags(kept[0], others)
    if flags.path:
        source = named.items
        if source.path is not None:
            # Its columns stay: other files of the same kind are what one most often measures.
            own = stored.items
            columns = {"columns": own.columns, "separator": own.separator, "preset": flags.preset or own.preset}
            source = source.model_copy(update=columns)
        stored = stored.model_copy(update={"items": source})
        return RunInputs(
            stored, None, folder, kept, f"the configuration of the run in {folder.root}, and items of --items"
        )
    chosen = select_items(items, limit=flags.limit, tasks=flags.tasks)
    said = f"the run in {folder.root}: its configuration, and its {len(items)} items"
    if flags.named:
        said += f", of which {flags.named} leaves {len(chosen)}"
    return RunInputs(stored, chosen, folder, kept, said)


# Where a command's results come from: a run's folder, or any table of per-item scores.

if TYPE_CHECKING:
    import polars as pl


def results_of(path: Path) -> pl.DataFrame:
    """The results of a run's folder, or of a table.

    Raises:
        TableError: where there are none, or they can't be read.
    """
    from omnigap_orchestrator.extension import extras
    from omnigap_orchestrator.results import TableError, read_own_results

    table = table_of(path)
    if not table.is_file():
        raise TableError(f"{path} holds no results: give a run's folder or its results.parquet")
    for extra in extras():
        if (frame := extra.read_results(table)) is not None:
            return frame
    return read_own_results(table)


def table_of(path: Path) -> Path:
    """The file itself, or the results of a run's folder.

    Raises:
        TableError: for a folder that holds none.
    """
    from omnigap_orchestrator.pipeline.folder import RunFolder
    from omnigap_orchestrator.results import TableError

    if not path.is_dir():
        return path
    results = RunFolder(path).results
    if not results.is_file():
        raise TableError(f"{path} holds no results: give a run's folder or its results.parquet")
    return results
