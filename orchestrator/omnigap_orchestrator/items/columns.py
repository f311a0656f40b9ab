"""Reads the value of a mapped column from a row of an external table."""

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
from omnigap_orchestrator.validation import names_shown, shown, unknown_key

PATH_PARTS = 3
"""Number of trailing path parts, folders and file name, that file patterns are matched against."""

_MISSING = object()


def path_tail(path: str) -> str:
    """The end of a path that file patterns are matched against: `folder/folder/name`, without the extension."""
    parts = Path(path).with_suffix("").parts
    return "/".join(parts[-PATH_PARTS:])


class ColumnReader:
    """Reads mapped values from the rows of one file.

    Attributes:
        names: column names of the file.
        path_of: column and struct fields that a configured name refers to; None if the file has no such column.
    """

    def __init__(self, names: Iterable[str], file: str) -> None:
        self.names = tuple(dict.fromkeys(names))
        self._known = frozenset(self.names)
        self._file = file
        self._path_tail = path_tail(file)
        self.path_of = lru_cache(maxsize=None)(self._path_of)

    def faults(self, key: str, column: ColumnConfig) -> list[str]:
        """Errors of a mapping with respect to this file's columns; empty if it fits."""
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
            known, wanted = names_shown(self.names), ", ".join(column.first)
            found.append(f"{self._file}: {key}: none of the columns {wanted} exists; the file has {known}")
        if column.file is not None and re.search(column.file, self._path_tail) is None:
            found.append(f"{self._file}: {key}: {self._path_tail!r} does not match {column.file!r}: rename the file")
        return found

    def has(self, column: ColumnConfig) -> bool:
        """Whether the file has all columns that a mapping reads."""
        named = all(self.path_of(name) for name in (*column.column, *column.when))
        return named and (not column.first or any(self.path_of(name) for name in column.first))

    def columns_of(self, column: ColumnConfig) -> tuple[str, ...]:
        """The columns of the file that a mapping reads."""
        paths = [self.path_of(name) for name in (*column.column, *column.first, *column.when)]
        return tuple(dict.fromkeys(path[0] for path in paths if path))

    def values(self, column: ColumnConfig, row: Mapping[str, object]) -> list[object]:
        """The raw values of a row for a mapping, including nulls.

        Raises:
            ValueError: a dotted name refers to a field of a column that is not a struct.
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
        """The value as one text, in which several columns are joined, formatted or hashed; None if all are null.

        Raises:
            ValueError: a value cannot be written as text, or is not listed in `values`.
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
        """The name in `first` whose column is used."""
        known = (name for name in column.first if self.path_of(name))
        return next((name for name in known if self._value(row, name, lenient=True) is not None), None)

    def _from_file(self, pattern: str) -> str | None:
        match = re.search(pattern, self._path_tail)
        return None if match is None else next((group for group in match.groups() if group is not None), None)

    def _path_of(self, name: str) -> tuple[str, ...] | None:
        """A column of exactly this name, else the longest column that the dotted name starts with, and its fields."""
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
                    raise ValueError(f"column {column!r} is not a struct, so {name!r} does not exist")
                raise ValueError(f"{name}: {unknown_key(field, [str(key) for key in value], 'field')}")
            value = found
        return value


def text_of(value: object) -> str | None:
    """A value as text; None for null.

    Raises:
        ValueError: the value is neither text, number, date nor boolean.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if math.isnan(value):
            return None  # pandas writes missing values as NaN
        # pandas turns a column of integers with missing values into floats: 3.0 was 3.
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return str(value)
    raise ValueError(f"{shown(value)} is neither text nor a number: map another column")


def replaced(column: ColumnConfig, text: str) -> str:
    """Replaces a text as configured in `values`.

    Raises:
        ValueError: the text is not listed, and there is no `otherwise`.
    """
    if not column.values:
        return text
    if text not in column.values:
        if column.otherwise is not None:
            return column.otherwise
        raise ValueError(f"{text!r} is not listed in the mapping's values: {', '.join(sorted(column.values))}")
    return column.values[text]


def hash_of(texts: Iterable[str | None]) -> str:
    """Hash of texts, 16 hexadecimal digits."""
    # Exports of the same table differ in trailing blanks, which must not change an item's id.
    joined = "\x1f".join((text or "").strip() for text in texts)
    return hashlib.sha256(joined.encode()).hexdigest()[:16]
