"""The report of a run: one HTML file with its verdicts, charts, tables and an item browser."""

from omnigap_orchestrator.report.catalogue import Catalogue, CatalogueItem
from omnigap_orchestrator.report.facts import RunFacts, ServiceFacts
from omnigap_orchestrator.report.media import MediaPath
from omnigap_orchestrator.report.write import ReportWritten, write_report

__all__ = [
    "Catalogue",
    "CatalogueItem",
    "MediaPath",
    "ReportWritten",
    "RunFacts",
    "ServiceFacts",
    "write_report",
]
