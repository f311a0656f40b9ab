"""Other people's results: per-item tables in any columns, and the result files of benchmarks that a preset knows."""

from omnigap_orchestrator.extras.importers.results import Published, read_published
from omnigap_orchestrator.extras.importers.table import join_results, read_controls, read_results
from omnigap_orchestrator.results import TableError

__all__ = ["Published", "TableError", "join_results", "read_controls", "read_published", "read_results"]
