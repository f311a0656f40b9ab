"""Presets of known benchmarks: the layout of their item and result files, as data."""

from omnigap_orchestrator.presets.preset import (
    Preset,
    PresetError,
    ResultsPreset,
    ScoreSource,
    load_preset,
    load_presets,
    preset_names,
)

__all__ = [
    "Preset",
    "PresetError",
    "ResultsPreset",
    "ScoreSource",
    "load_preset",
    "load_presets",
    "preset_names",
]
