"""Reads the value of a mapped column from one row of somebody else's table."""

from __future__ import annotations

import datetime
import decimal
import hashlib
import math
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from omnigap_orchestrator.config.items import ColumnConfig
from omnigap_orchestrator.validation import shown, unknown_key

PATH_PARTS = 3
"""Folders and name of a file that patterns see, from its end."""

_MISSING = object()


def path_seen(path: str) -> str:
    """The end of a file's path as patterns see it: folders and name without its ending, joined by slashes."""
    parts = Path(path).with_suffix("").parts
    return "/".join(parts[-PATH_PARTS:])


class ColumnReader:
    """Values of the rows of one file."""

    def __init__(self, names: Iterable[str], file: str) -> None:
        self.names = tuple(dict.fromkeys(names))
        self._known = frozenset(self.names)
        self._file = file
        self._seen = path_seen(file)
        self.path_of = lru_cache(maxsize=None)(self._path_of)

    def faults(self, key: str, column: ColumnConfig) -> list[str]:
        """What keeps a mapping from fitting this file's columns."""
        if column.optional and not self.has(column):
            return []
        found = [
            f"{self._file}: {key}: {unknown_key(name, self.names, 'column')}"
            for name in column.column
            if self.path_of(name) is None
        ]
        found += [
            f"{self._file}: {key}: {unknown_key(name, self.names, 'column')}"
            for name in column.when
            if self.path_of(name) is None
        ]
        if column.first and not any(self.path_of(name) for name in column.first):
            known, wanted = ", ".join(self.names), ", ".join(column.first)
            found.append(f"{self._file}: {key}: has none of the columns {wanted}: it has {known}")
        if column.file is not None and re.search(column.file, self._seen) is None:
            found.append(f"{self._file}: {key}: {self._seen!r} does not fit {column.file!r}: rename the file")
        return found

    def has(self, column: ColumnConfig) -> bool:
        """Whether the file has all that a mapping reads."""
        named = all(self.path_of(name) for name in (*column.column, *column.when))
        return named and (not column.first or any(self.path_of(name) for name in column.first))

    def columns_of(self, column: ColumnConfig) -> tuple[str, ...]:
        """The file's own columns that a mapping reads."""
        paths = [self.path_of(name) for name in (*column.column, *column.first, *column.when)]
        return tuple(dict.fromkeys(path[0] for path in paths if path))

    def values(self, column: ColumnConfig, row: Mapping[str, object]) -> list[object]:
        """What a row holds for a mapping, as it is; nulls included.

        Raises:
            ValueError: for a name that leads into what is no struct.
        """
        if column.when and any(
            text_of(self._value(row, name, lenient=True)) != wanted for name, wanted in column.when.items()
        ):
            return [None]
        if column.const is not None:
            return [column.const]
        if column.file is not None:
            return [self._from_file(column.file)]
        if column.first:
            read = (self._value(row, name, lenient=True) for name in column.first if self.path_of(name))
            return [next((value for value in read if value is not None), None)]
        return [self._value(row, name) for name in column.column]

    def text(self, column: ColumnConfig, row: Mapping[str, object], joint: str = "\n") -> str | None:
        """One text: of several columns joined, formatted or hashed; None where nothing is there.

        Raises:
            ValueError: for a value that is no text, or that `values` do not list.
        """
        texts = [text_of(value) for value in self.values(column, row)]
        if column.hash is True or (column.hash and self._first(column, row) in column.hash):
            return hash_of(texts) if any(texts) else None
        if column.format is not None:
            if not any(texts):
                return None
            return column.format.format(*(text or "" for text in texts)).strip()
        present = [replaced(column, text) for text in texts if text is not None]
        if column.values:
            present = [text for text in present if text]
        return joint.join(present) if present else None

    def _first(self, column: ColumnConfig, row: Mapping[str, object]) -> str | None:
        """Which of the names of `first` is read."""
        known = (name for name in column.first if self.path_of(name))
        return next((name for name in known if self._value(row, name, lenient=True) is not None), None)

    def _from_file(self, pattern: str) -> str | None:
        match = re.search(pattern, self._seen)
        return None if match is None else next((group for group in match.groups() if group is not None), None)

    def _path_of(self, name: str) -> tuple[str, ...] | None:
        """A column of that very name, else the longest column that the dotted name begins with and the fields in it."""
        if name in self._known:
            return (name,)
        parts = name.split(".")
        for cut in range(len(parts) - 1, 0, -1):
            if (column := ".".join(parts[:cut])) in self._known:
                return column, *parts[cut:]
        return None

    def _value(self, row: Mapping[str, object], name: str, *, lenient: bool = False) -> object:
        column, *inner = self.path_of(name) or (name,)
        value = row.get(column)
        for field in inner:
            if value is None:
                return None
            found = value.get(field, _MISSING) if isinstance(value, Mapping) else _MISSING
            if found is _MISSING:
                if lenient:
                    return None
                if not isinstance(value, Mapping):
                    raise ValueError(f"column {column!r} is no struct, so {name!r} names nothing in it")
                raise ValueError(f"{name}: {unknown_key(field, [str(key) for key in value], 'field')}")
            value = found
        return value


def text_of(value: object) -> str | None:
    """A value as text; None for null.

    Raises:
        ValueError: for what has no one way to be written.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if math.isnan(value):
            return None  # pandas writes missing values so
        # Tables with missing values often hold whole numbers as floats.
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return str(value)
    raise ValueError(f"{shown(value)} is neither text nor a number: map a column that is")


def replaced(column: ColumnConfig, text: str) -> str:
    """What `values` put in the place of a text.

    Raises:
        ValueError: for a text that they do not list.
    """
    if not column.values:
        return text
    if text not in column.values:
        if column.otherwise is not None:
            return column.otherwise
        raise ValueError(f"{text!r} is not among the mapping's values: {', '.join(sorted(column.values))}")
    return column.values[text]


def hash_of(texts: Iterable[str | None]) -> str:
    """16 hexadecimal digits over texts; blanks at their ends do not count, since exports differ in them."""
    joined = "\x1f".join((text or "").strip() for text in texts)
    return hashlib.sha256(joined.encode()).hexdigest()[:16]
