"""Why a file of text cannot be read as a table: the line that is to blame, as the reader of tables does not tell it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from omnigap_orchestrator.validation import NotUtf8Error, decode_utf8


def first_fault(path: Path, separator: str | None) -> str | None:
    """The first line of a file that does not fit, and why; None where all do, or the file can't be opened.

    Args:
        separator: of a file of separated values; None for one of JSON objects.
    """
    try:
        text = decode_utf8(path.read_bytes())
    except OSError:
        return None
    except NotUtf8Error as error:
        return str(error)
    return _fault_in_objects(text) if separator is None else _fault_in_values(text, separator)


def other_separator(names: Sequence[str]) -> str:
    """What to say of a header that is all one name because it is separated otherwise; else nothing."""
    found = [by for by in (";", "\t", "|", ",") if len(names) == 1 and by in names[0]]
    return f"; it seems to be separated by {found[0]!r}: save it with commas, or with tabs as .tsv" if found else ""


def _fault_in_values(text: str, separator: str) -> str | None:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        header = next(rows, [])
        for row in rows:
            if len(row) > len(header):
                hint = other_separator(header) or f": put quotes around values that hold {separator!r}"
                return f"line {rows.line_num} has {len(row)} values, and the header {len(header)} names{hint}"
    except csv.Error as error:
        return f"line {rows.line_num}: {error}"
    return None


def _fault_in_objects(text: str) -> str | None:
    if not text.strip():
        return "it is empty: give one JSON object a line"
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            if line.strip() and not isinstance(json.loads(line, parse_constant=_refused), dict):
                return f"line {number} is no JSON object: give one a line"
        except ValueError as error:
            return f"line {number}: {error}"
    return None


def _refused(name: str) -> None:
    raise ValueError(f"{name} is no JSON value: write null")
