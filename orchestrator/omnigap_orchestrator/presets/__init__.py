"""Files of known benchmarks: which of their columns hold what, as data, and how result files are read by it."""

from omnigap_orchestrator.presets.preset import (
    Preset,
    PresetError,
    ResultsPreset,
    ScoreSource,
    load_preset,
    load_presets,
    preset_names,
)
from omnigap_orchestrator.presets.results import Published, read_published

__all__ = [
    "Preset",
    "PresetError",
    "Published",
    "ResultsPreset",
    "ScoreSource",
    "load_preset",
    "load_presets",
    "preset_names",
    "read_published",
]
