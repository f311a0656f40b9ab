"""The report of a run: one HTML file with a summary, charts, tables and an item browser."""

from omnigap_orchestrator.report.media import Catalogue, CatalogueItem, MediaPath
from omnigap_orchestrator.report.run_info import RunInfo, ServiceInfo
from omnigap_orchestrator.report.write import ReportWritten, write_report

__all__ = [
    "Catalogue",
    "CatalogueItem",
    "MediaPath",
    "ReportWritten",
    "RunInfo",
    "ServiceInfo",
    "write_report",
]
