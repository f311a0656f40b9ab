"""Names the preset that a file seems to be of."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from omnigap_orchestrator.items.columns import path_tail
from omnigap_orchestrator.presets import ResultsPreset, load_presets


def preset_hint(path: Path, columns: Collection[str]) -> str:
    """`; --preset NAME knows files with these columns`; empty if no preset fits the path and the columns."""
    tail = path_tail(str(path.absolute()))
    found = []
    for name, preset in load_presets().items():
        match = re.search(preset.results.file, tail) if preset.results is not None else None
        if match is not None and preset.results is not None and _fits(preset.results, columns):
            found.append((len([group for group in match.groups() if group]), name))
    # The one that reads most from the path: some presets know any name.
    return f"; --preset {max(found)[1]} knows files with these columns" if found else ""


def _fits(preset: ResultsPreset, columns: Collection[str]) -> bool:
    heads = {name.split(".")[0] for name in columns}
    if preset.entries is not None:
        return preset.entries.column in heads
    ids = preset.item_id
    named = all(name in columns for name in ids.column) and (not ids.first or any(n in columns for n in ids.first))
    answer = preset.scorer.answer if preset.scorer is not None else None
    return named and any(name in columns for name in (*(source.column for source in preset.scores), answer))
