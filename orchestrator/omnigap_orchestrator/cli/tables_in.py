"""The tables of `analyse`: one or several files of scores, read by a preset or by named columns, as one frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class TablesIn:
    """What was read.

    Attributes:
        notes: what a reader of the numbers should know.
        reference: the condition that gaps are measured against; None where the files do not say.
    """

    frame: pl.DataFrame
    notes: tuple[str, ...]
    reference: str | None = None


def tables_in(
    paths: Sequence[Path],
    columns: Mapping[str, str],
    preset: str | None = None,
    conditions: Sequence[str] = (),
    models: Sequence[str] = (),
) -> TablesIn:
    """Reads the files of one call.

    Raises:
        TableError, PresetError: for what can't be read, and for flags that do not fit the files.
    """
    from omnigap_orchestrator.extras.importers import TableError, join_results, read_published
    from omnigap_orchestrator.presets import load_preset

    if preset is None:
        frame, notes = join_results(paths, columns, conditions, models)
        return TablesIn(frame, notes)
    if columns:
        raise TableError("--column names columns, and --preset knows them: give one of the two")
    layout = load_preset(preset).results
    if layout is None:
        raise TableError(f"preset {preset} is of items only: map the table's columns with --column")
    read = read_published(paths, layout, conditions, models)
    return TablesIn(read.frame, read.notes, read.reference)


def print_presets() -> None:
    """Every preset with its source, and where its layouts were read."""
    from rich.console import Console
    from rich.markup import escape

    from omnigap_orchestrator.presets import load_presets

    console = Console()
    for name, preset in load_presets().items():
        console.print(f"[bold]{name}[/]  {escape(preset.title)}  [dim]{escape(preset.source)}[/]", highlight=False)
        kinds = [("results", preset.results and preset.results.layout), ("items", preset.items and preset.items.layout)]
        parts = [("", preset.description), *((f"{kind}: ", text) for kind, text in kinds if text)]
        if preset.items is not None and preset.items.note:
            parts.append(("note: ", preset.items.note))
        for head, text in parts:
            if text.strip():
                console.print(f"  {head}{escape(' '.join(text.split()))}", highlight=False, soft_wrap=False)
        console.print()
