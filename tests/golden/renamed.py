"""Names that changed since 0.1.0, and values that may differ from it.

Paths are dotted, without list positions: `carriers.counts.word_error` is that key of every row.
"""

from __future__ import annotations

SUMMARY_KEYS: dict[str, str] = {"instrument_note": "asr_correction_note", "whole": "complete"}
"""Keys of summary.json, and of the JSON that commands print: path in 0.1.0 -> current last part of the path."""

COLUMNS: dict[str, str] = {}
"""Columns of results.parquet and controls.parquet: name in 0.1.0 -> current name."""

SETTINGS: dict[str, str] = {
    "reader": "ocr",
    "analysis.routing": "routing",
    "run.hear_prompt": "run.asr_prompt",
    "run.read_prompt": "run.ocr_prompt",
}
"""Keys of config.json: dotted path in 0.1.0 -> current dotted path; empty for a key that no longer exists."""

ADDED: frozenset[str] = frozenset()
"""Paths and columns that 0.1.0 did not have."""

MAY_DIFFER = frozenset({"versions"})
"""Paths whose values describe the program and not the run. Latencies come from the journal and are compared."""
