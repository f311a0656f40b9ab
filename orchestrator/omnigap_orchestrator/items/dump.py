"""Writes items back in the documented form, so that a run's folder holds what it asked."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from omnigap.vocabulary import Modality
from omnigap_orchestrator.items.item import Item, OwnCarrier

MediaPath = Callable[[Item, Modality], str | None]


def write_items(path: Path, items: Sequence[Item], media_path: MediaPath) -> None:
    """JSON Lines, one item a line.

    Args:
        media_path: where an item's own recording or picture lies, relative to the file; None writes its bytes inline.
    """
    with path.open("w", encoding="utf-8") as file:
        for item in items:
            file.write(json.dumps(_row(item, media_path), ensure_ascii=False) + "\n")


def _row(item: Item, media_path: MediaPath) -> dict[str, object]:
    row: dict[str, object] = {
        "id": item.id,
        "task": item.task,
        "language": item.language,
        "question": item.question,
        "choices": list(item.choices),
        "instruction": item.instruction,
        "answers": list(item.answers),
        "answer_type": item.answer_type.value,
        "source": item.source,
        "cluster": item.cluster,
        "metric": item.metric,
        "checks": [{"id": check.kind, "kwargs": json.loads(check.arguments)} for check in item.checks],
        "carriers": {m.value: _carrier(item, m, c, media_path) for m, c in item.carriers.items()},
    }
    return {key: value for key, value in row.items() if value not in ([], "", None, {})}


def _carrier(item: Item, modality: Modality, carrier: OwnCarrier, media_path: MediaPath) -> object:
    if modality is Modality.TEXT:
        return carrier.text
    path = media_path(item, modality)
    return path if path is not None else {"bytes": base64.b64encode(carrier.read()).decode()}
