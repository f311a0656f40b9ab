"""JSON Lines: one item a line, in the documented form.

{"id": "q1", "task": "capitals", "language": "en", "question": "What is the capital of France?", "answers": ["Paris"],
 "answer_type": "entity"}
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from omnigap_orchestrator.items.collect import PlacedRow
from omnigap_orchestrator.items.errors import ItemError
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
