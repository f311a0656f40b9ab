"""Names that changed since 0.1.0, and values that may differ from it.

Paths are dotted, without list positions: `carriers.counts.word_error` is that key of every row.
"""

from __future__ import annotations

SUMMARY_KEYS: dict[str, str] = {
    "whole": "complete",
    "instrument_note": "asr_correction_note",
    "hearing": "transcript_errors",
    "calibration.foil": "clip_kind",
    "calibrated.heard": "corrected_ends",
    "calibrated.corrected_plain": "corrected_distractor",
    "calibrated.corrected_sound_alike": "corrected_confusable",
    "calibrated.gap_plain": "gap_distractor",
    "calibrated.gap_sound_alike": "gap_confusable",
}
"""Keys of summary.json, and of the JSON that commands print: path in 0.1.0 -> last part of its path today."""

VALUES: dict[str, dict[str, str]] = {
    "calibration.foil": {"plain": "distractor", "sound_alike": "confusable", "all_foils": "all_wrong"},
    "waterfall.step": {"voicing_and_hearing": "synthesis_and_asr"},
}
"""Values of summary.json: path in 0.1.0 -> value in 0.1.0 -> value today."""

COLUMNS: dict[str, str] = {}
"""Columns of results.parquet and controls.parquet: name in 0.1.0 -> current name."""

SETTINGS: dict[str, str] = {
    "reader": "ocr",
    "analysis.routing": "routing",
    "run.hear_prompt": "run.asr_prompt",
    "run.read_prompt": "run.ocr_prompt",
}
"""Keys of config.json: dotted path in 0.1.0 -> current dotted path; empty for a key that no longer exists."""

ADDED = frozenset({"random_weights"})
"""Paths and columns that 0.1.0 did not have."""

MAY_DIFFER = frozenset({"versions"})
"""Paths whose values describe the program and not the run. Latencies come from the journal and are compared."""
