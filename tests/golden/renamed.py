"""The one table of what later versions call by another name than 0.1.0, and of what may differ from it.

Paths are dotted and leave list positions out: `carriers.counts.word_error` is that key of every row.
"""

from __future__ import annotations

SUMMARY_KEYS: dict[str, str] = {
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
"""Columns of results.parquet and controls.parquet: name in 0.1.0 -> name today."""

SETTINGS: dict[str, str] = {
    "reader": "ocr",
    "analysis.routing": "routing",
    "run.hear_prompt": "run.asr_prompt",
    "run.read_prompt": "run.ocr_prompt",
}
"""Keys of config.json: dotted path in 0.1.0 -> dotted path today; an empty path for a key that no longer exists."""

ADDED: frozenset[str] = frozenset()
"""Paths and columns that 0.1.0 did not write."""

MAY_DIFFER = frozenset({"versions"})
"""Paths whose values are of the program, not of the run. Latencies are read from the journal, so they are compared."""
