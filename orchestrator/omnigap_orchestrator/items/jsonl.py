"""Items as JSON Lines, one a line, in the documented form: read, and written into a run's folder."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from omnigap.vocabulary import Modality
from omnigap_orchestrator.items.item import Item, ItemError, OwnCarrier
from omnigap_orchestrator.items.row import PlacedRow
from omnigap_orchestrator.validation import NotUtf8Error, decode_utf8


def jsonl_rows(path: Path) -> Iterator[PlacedRow]:
    """Each line that is not blank as an object, or as what is wrong with it.

    Raises:
        ItemError: for a file that can't be read or is not UTF-8.
    """
    text = read_text(path)
    # Only a line feed ends a line: U+2028 and its like may stand inside a JSON string.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            fault = f"is no JSON at character {error.pos + 1}: {error.msg}"
        except (ValueError, RecursionError) as error:
            fault = f"is no JSON that can be read: {error}"
        else:
            if isinstance(value, dict):
                yield PlacedRow(str(path), f"line {number}", path.parent, value)
                continue
            fault = f"is a JSON {type(value).__name__}: write one object, {{...}}, a line"
        yield PlacedRow(str(path), f"line {number}", path.parent, faults=(fault,))


def read_text(path: Path) -> str:
    """A file's text.

    Raises:
        ItemError: for a file that can't be read or is not UTF-8.
    """
    try:
        return decode_utf8(path.read_bytes())
    except OSError as error:
        raise ItemError(f"{path}: can't be read: {error.strerror}: give the path of an items file") from error
    except NotUtf8Error as error:
        raise ItemError(f"{path}: {error}") from None


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
