"""The result files that the arguments of `analyse` name: single files, folders of them, folders of runs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from omnigap_orchestrator.pipeline.folder import RunFolder
from omnigap_orchestrator.pipeline.stored_files import fault_of
from omnigap_orchestrator.results import TableError

_SHOWN = 3
_ADVICE = {
    ".xlsx": "save the sheet as CSV",
    ".xls": "save the sheet as CSV",
    ".eval": "convert the log with `inspect log convert --to json`",
    ".pkl": "write the table as Parquet or CSV",
    ".arrow": "write the table as Parquet",
    ".gz": "unpack it",
    ".zip": "unpack it",
}
"""What to do with files of other types that hold results."""


def advice(path: Path) -> str:
    """`; save the sheet as CSV`; empty for an unknown type of file."""
    found = _ADVICE.get(path.suffix.lower())
    return f"; {found}" if found else ""


@dataclass(frozen=True, slots=True)
class ResultFile:
    """One file to read.

    Attributes:
        argument: index of the argument that names it; values of --condition and --model are given by argument.
        root: the folder that was given; None for a file that was given itself.
    """

    path: Path
    argument: int
    root: Path | None = None


def _undamaged(path: Path) -> Path:
    """The file; raises TableError if it belongs to a run, whose journal has another hash."""
    if fault := fault_of(path):
        raise TableError(f"{path} {fault}: run `omnigap-orchestrate report --run-dir {path.parent}` to write it again")
    return path


def result_files(arguments: Sequence[Path], suffixes: Collection[str]) -> tuple[list[ResultFile], list[str]]:
    """The files of all arguments, in order, and notes on files of folders that were left out.

    A folder means all files below it with one of the suffixes, in the order of their names. The folder of a run
    means its results.parquet. Hidden files and folders are left out.

    Raises:
        TableError: a folder has no such file, or the results of a run are not as omnigap wrote them.
    """
    found: list[ResultFile] = []
    notes: list[str] = []
    for number, given in enumerate(arguments):
        if not given.is_dir():
            found.append(ResultFile(given, number))
            continue
        run = RunFolder(given).results
        if run.is_file():
            found.append(ResultFile(_undamaged(run), number))
            continue
        below = [path for path in sorted(given.rglob("*")) if path.is_file() and not _hidden(path, given)]
        # Of the folder of a run, only the results: its other tables are no answers.
        runs = {path.parent for path in below if path.name == run.name}
        below = [
            path for path in below if (path.parent in runs and path.name == run.name) or not runs & set(path.parents)
        ]
        chosen = [_undamaged(path) for path in below if path.suffix.lower() in suffixes]
        if not chosen:
            ends = ", ".join(suffixes)
            have = f"; it has {listed([p.name for p in below])}{advice(below[0])}" if below else ""
            raise TableError(
                f"{given} has no results: give the folder of a run (with results.parquet), or a folder with files that "
                f"end in {ends}{have}"
            )
        if len(chosen) < len(below):
            others = [str(path.relative_to(given)) for path in below if path not in set(chosen)]
            notes.append(f"{given}: {len(others)} files of other types are not read: {listed(others)}")
        found += [ResultFile(path, number, given) for path in chosen]
    return found, notes


def _hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def listed(names: Sequence[str], shown: int = _SHOWN) -> str:
    """The first names, and how many more there are."""
    rest = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {rest} more" if rest > 0 else "")


def value_for(given: Sequence[str], argument: int) -> str | None:
    """The value of --condition or --model for the files of an argument; one value is for all."""
    return None if not given else given[0] if len(given) == 1 else given[argument]


def check_values(arguments: int, conditions: Sequence[str], models: Sequence[str]) -> None:
    """
    Raises:
        TableError: the number of values does not fit the number of arguments.
    """
    for kind, given in (("--condition", conditions), ("--model", models)):
        if given and len(given) not in (1, arguments):
            raise TableError(f"{kind}: {len(given)} values for {arguments} tables: give one, or one for each table")
