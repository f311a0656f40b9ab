"""The one hook of an extra: what an optional part of the orchestrator may add to the core.

An extra subclasses `Extra`, overrides what it adds, and is registered as an entry point of the group
`omnigap.extras`. The core calls `extras()` and never imports an extra by name, so that a run works without any of
them and a package outside of omnigap can bring one.

Methods import what they need when they are called: listing the extras, as every command does, stays cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnigap.errors import OmnigapError

if TYPE_CHECKING:
    import click
    import polars as pl

    from omnigap_orchestrator.analysis import Analysis, AnalysisOptions
    from omnigap_orchestrator.analysis.table import Table, Tables
    from omnigap_orchestrator.pipeline.cells import PlannedCells
    from omnigap_orchestrator.pipeline.context import RunContext
    from omnigap_orchestrator.pipeline.folder import RunFolder
    from omnigap_orchestrator.pipeline.scope import RunScope
    from omnigap_orchestrator.preflight import Finding, Inputs
    from omnigap_orchestrator.report.media import CollectMedia
    from omnigap_orchestrator.report.run_info import RunInfo
    from omnigap_orchestrator.report.sections.section import Section
    from omnigap_orchestrator.scoring.metrics import Metric


class ExtraError(OmnigapError):
    """An installed extra can't be used; the message names it and what to do."""


GROUP = "omnigap.extras"
"""The group of entry points that extras are registered in."""


def load_object(target: str) -> Any:
    """Imports the object that `module:attribute` names."""
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the command line, imported only when it is called.

    Attributes:
        target: `module:attribute` of the click command.
        help: one line for the list of commands.
        after: the command that it is listed behind.
    """

    target: str
    help: str
    after: str = ""

    def load(self) -> click.Command:
        command: click.Command = load_object(self.target)
        return command


@dataclass(frozen=True, slots=True)
class Metrics:
    """Metrics of a benchmark, and how they are chosen.

    Attributes:
        metrics: each under its own name.
        presets: preset of `[scoring]` -> task -> name of a metric.
        read_check: validates one entry of an item's `checks` (its id and arguments), raising ValueError for one that
            the metrics can't use.
    """

    metrics: tuple[Metric, ...] = ()
    presets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    read_check: Callable[[str, Mapping[str, object]], object] | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """The part of the results that the analysis uses; `note` describes this part to the reader."""

    results: pl.DataFrame
    controls: pl.DataFrame | None
    note: str = ""


class Extra:
    """Base class of an extra; every method has a default that adds nothing.

    Attributes:
        name: key of what this extra knows of a run, in `AnalysisInput.evidence`.
        commands: command name -> command.
        sections: section of the configuration -> `module:Class` of its pydantic model.
    """

    name: str = ""
    commands: Mapping[str, Command] = {}
    sections: Mapping[str, str] = {}

    def options(self, command: str) -> Sequence[click.Option]:
        """Options that this extra adds to a command of the core; those of `report` reach `keep` and `select`."""
        return ()

    def metrics(self) -> Metrics:
        """Metrics that score answers."""
        return Metrics()

    def findings(self, inputs: Inputs) -> Sequence[Finding]:
        """What the preflight should report of configuration, items and folder. Changes nothing."""
        return ()

    async def after_pipeline(self, context: RunContext, cells: PlannedCells, scope: RunScope) -> None:
        """An additional stage, run after all cells have passed the pipeline.

        Raises:
            ServiceError: a service can't be used; the run's files are written first, and the call fails.
        """

    def keep(self, folder: RunFolder, results: Callable[[], pl.DataFrame], given: Mapping[str, Any]) -> Sequence[Path]:
        """Takes files that the options of `report` name into the run's folder; returns those that are there now.

        Args:
            results: computes the run's results.
            given: option name -> value, those of all extras.
        """
        return ()

    def select(
        self, folder: RunFolder, results: pl.DataFrame, controls: pl.DataFrame | None, given: Mapping[str, Any]
    ) -> Selection | None:
        """The part of the results that the options of `report` ask for; None: all of them."""
        return None

    def evidence(
        self, folder: RunFolder, cells: PlannedCells, results: pl.DataFrame, options: AnalysisOptions
    ) -> object | None:
        """What this extra knows of a run in addition to its results; its tables and sections find it under `name`."""
        return None

    def files(self, folder: RunFolder) -> Sequence[Path]:
        """Files of the folder that `evidence` reads: the public files are written again when one of them changes."""
        return ()

    def scorer_errors(self, evidence: object | None) -> pl.DataFrame | None:
        """Word errors of the ASR scorer on known texts in the run's voices (`KNOWN_ERRORS_SCHEMA`); None without any.

        Args:
            evidence: what `evidence` returned.
        """
        return None

    def tables(self) -> Sequence[Table[Any]]:
        """Tables of the analysis, which follow those of the core in summary.json."""
        return ()

    def summary(self, evidence: object | None) -> Mapping[str, Any]:
        """Further keys of summary.json, as plain JSON values.

        Args:
            evidence: what `evidence` returned.
        """
        return {}

    def report_sections(self, analysis: Analysis, results: pl.DataFrame, collect: CollectMedia) -> Sequence[Section]:
        """Sections of report.html; `Section.after` is the key of the section that each follows.

        Args:
            collect: takes the media that a section shows into the page, up to a number of bytes.
        """
        return ()

    def methods(self, analysis: Analysis, info: RunInfo) -> str:
        """A paragraph of the report's methods; empty for none."""
        return ""

    def condition_columns(self, tables: Tables, model: str) -> Mapping[str, Mapping[str, str]]:
        """Columns of the terminal's table of a model: heading -> condition -> text. Empty columns are left out."""
        return {}

    def brief(self, tables: Tables, model: str) -> Sequence[str]:
        """Lines about a model for the terminal of `analyse`, which shows no report."""
        return ()

    def read_results(self, path: Path) -> pl.DataFrame | None:
        """Per-item results in a file that omnigap did not write; None for a file that this extra can't read."""
        return None


@cache
def extras() -> tuple[Extra, ...]:
    """Every installed extra, in the order of the names of their entry points.

    Raises:
        ExtraError: one of them can't be imported.
    """
    return tuple(_load_extra(point) for point in sorted(entry_points(group=GROUP), key=lambda point: point.name))


def _load_extra(point: EntryPoint) -> Extra:
    try:
        extra = point.load()()
    except Exception as error:
        # The import of another package can raise any exception; the user needs to know which package it was.
        text = f"the extra {point.name!r} ({point.value}) can't be loaded: {error}: repair or uninstall its package"
        raise ExtraError(text) from error
    if not isinstance(extra, Extra):
        raise ExtraError(f"the extra {point.name!r} ({point.value}) is not a subclass of {Extra.__module__}.Extra")
    return extra
