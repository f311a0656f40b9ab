"""Registers the extra `routing`: which condition a product should use for each task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from omnigap_orchestrator.extension import Command, Extra

if TYPE_CHECKING:
    import polars as pl

    from omnigap_orchestrator.analysis import Analysis, AnalysisOptions
    from omnigap_orchestrator.analysis.table import Table, Tables
    from omnigap_orchestrator.pipeline.cells import PlannedCells
    from omnigap_orchestrator.pipeline.folder import RunFolder
    from omnigap_orchestrator.report.media import CollectMedia
    from omnigap_orchestrator.report.run_info import RunInfo
    from omnigap_orchestrator.report.sections.section import Section


class RoutingExtra(Extra):
    """The extra `routing`. Its evidence is a `RoutingOptions`: the options of `[routing]`."""

    name = "routing"
    commands = {  # noqa: RUF012
        "route": Command(
            "omnigap_orchestrator.extras.routing.commands:route",
            "Choose the input and output modality for each task, under constraints.",
            after="compare",
        )
    }
    sections = {"routing": "omnigap_orchestrator.extras.routing.options:RoutingConfig"}  # noqa: RUF012

    def evidence(
        self, folder: RunFolder, cells: PlannedCells, results: pl.DataFrame, options: AnalysisOptions
    ) -> object | None:
        from omnigap_orchestrator.extras.routing.options import RoutingConfig, routing_options

        return routing_options(cells.config.section("routing", RoutingConfig))

    def tables(self) -> Sequence[Table[Any]]:
        from omnigap_orchestrator.extras.routing.routing import POLICIES, ROUTES

        return (ROUTES, POLICIES)

    def report_sections(self, analysis: Analysis, results: pl.DataFrame, collect: CollectMedia) -> Sequence[Section]:
        from omnigap_orchestrator.extras.routing.report_section import routing_section

        section = routing_section(analysis)
        return () if section is None else (section,)

    def brief(self, tables: Tables, model: str) -> Sequence[str]:
        from omnigap_orchestrator.extras.routing.commands import brief_line

        line = brief_line(tables, model)
        return () if line is None else (line,)

    def methods(self, analysis: Analysis, info: RunInfo) -> str:
        from omnigap_orchestrator.extras.routing.routing import POLICIES, options_of

        if not analysis.frame(POLICIES)["accuracy"].drop_nulls().len():
            return ""
        options = options_of(analysis)
        splits = "1 random split" if options.repeats == 1 else f"{options.repeats} random splits"
        return (
            "Routing policies were chosen and evaluated on different items, by cross-validation over clusters "
            f"({options.folds} folds, {splits})."
        )
