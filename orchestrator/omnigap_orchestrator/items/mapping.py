"""A row of somebody else's table to a row in the documented form, by the column mapping of the configuration."""

from __future__ import annotations

import datetime
import decimal
import math
from collections.abc import Iterable, Mapping

from omnigap_orchestrator.config.items import CarrierColumnsConfig, ColumnConfig, ColumnsConfig
from omnigap_orchestrator.items.errors import ItemError
from omnigap_orchestrator.validation import shown, unknown_key

FIELDS = tuple(name for name in ColumnsConfig.model_fields if name != "carriers")
REQUIRED = ("task", "language", "question", "answers", "answer_type")
_LISTS = ("answers", "choices")
_NAMES = ("id", "task", "cluster")


class MappingError(Exception):
    """What is wrong with a field of one row."""


class Mapper:
    """Applies one mapping to the rows of one file.

    A field without a mapping is read from the column of its own name, if there is one; a row without an id gets one
    from the file's name and its number.
    """

    def __init__(self, columns: ColumnsConfig | None, separator: str | None, names: Iterable[str], file: str) -> None:
        """Raises ItemError for a column that the file lacks, and for a required field without a column."""
        mapping = columns or ColumnsConfig()
        self._separator = separator
        self._names = tuple(names)
        self._fields = {
            field: getattr(mapping, field) or ColumnConfig(column=(field,))
            for field in FIELDS
            if getattr(mapping, field) is not None or field in self._names
        }
        self._carriers = {
            name: column
            for name in CarrierColumnsConfig.model_fields
            if (column := getattr(mapping.carriers, name)) is not None
        }
        found = [
            f"{file}: items.columns.{key}: {unknown_key(name, self._names, 'column')}"
            for key, column in (*self._fields.items(), *((f"carriers.{k}", c) for k, c in self._carriers.items()))
            for name in column.column
            if self._path_of(name) is None
        ]
        found += [
            f'{file}: has no column {field!r}: name the column under [items.columns], as in {field} = "COLUMN", or '
            f'give all rows the same, as in {field} = {{ const = "..." }}'
            for field in REQUIRED
            if field not in self._fields
        ]
        if found:
            raise ItemError(*found)

    @property
    def needed(self) -> list[str]:
        """The columns that the mapping reads, each once."""
        used = (*self._fields.values(), *self._carriers.values())
        paths = [self._path_of(name) for column in used for name in column.column]
        columns = dict.fromkeys(path[0] for path in paths if path)
        if not self._carriers and "carriers" in self._names:
            columns["carriers"] = None
        return list(columns)

    def row(self, values: Mapping[str, object], stand_in_id: str) -> dict[str, object]:
        """The row in the documented form.

        Raises:
            MappingError: for a value that the mapping does not know or that is no text.
        """
        row: dict[str, object] = {}
        for field, column in self._fields.items():
            try:
                found = [self._value(values, name) for name in column.column]
                value = self._list(column, found) if field in _LISTS else _one(field, column, found)
            except ValueError as error:
                raise MappingError(f"{field}: {error}") from None
            if value is not None:
                row[field] = value
        row.setdefault("id", stand_in_id)
        carriers: dict[str, object] = {}
        for name, column in self._carriers.items():
            try:
                carriers[name] = self._carrier(name, column, values)
            except ValueError as error:
                raise MappingError(f"carriers.{name}: {error}") from None
        if not self._carriers and isinstance(own := values.get("carriers"), Mapping):
            carriers = {str(name): _medium(value) for name, value in own.items()}
        row["carriers"] = {name: value for name, value in carriers.items() if value is not None}
        return row

    def _list(self, column: ColumnConfig, found: list[object]) -> list[str] | None:
        """Texts of list columns, of several columns, and of one text split at the separator; nulls are left out."""
        if column.const is not None:
            return self._split(column.const)
        texts: list[str] = []
        for value in found:
            parts = value if isinstance(value, list | tuple) else [value]
            for part in parts:
                text = _text(part)
                if text is not None:
                    pieces = self._split(text) if not isinstance(value, list | tuple) else [text]
                    texts += [_replaced(column, piece) for piece in pieces]
        return texts

    def _split(self, text: str) -> list[str]:
        if self._separator is None:
            return [text]
        return [piece.strip() for piece in text.split(self._separator) if piece.strip()]

    def _carrier(self, name: str, column: ColumnConfig, values: Mapping[str, object]) -> object:
        value: object = column.const
        if column.column:
            value = next((found for n in column.column if (found := self._value(values, n)) is not None), None)
        return _text(value) if name == "text" else _medium(value)

    def _path_of(self, name: str) -> tuple[str, ...] | None:
        """A column of that very name, else the longest column that the dotted name begins with and the fields in it."""
        parts = name.split(".")
        for cut in range(len(parts), 0, -1):
            if (column := ".".join(parts[:cut])) in self._names:
                return column, *parts[cut:]
        return None

    def _value(self, values: Mapping[str, object], name: str) -> object:
        column, *inner = self._path_of(name) or (name,)
        value = values.get(column)
        for field in inner:
            if value is None:
                return None
            if not isinstance(value, Mapping):
                raise ValueError(f"column {column!r} is no struct, so {name!r} names nothing in it")
            if field not in value:
                raise ValueError(f"{name}: {unknown_key(field, [str(key) for key in value], 'field')}")
            value = value[field]
        return value


def _one(field: str, column: ColumnConfig, found: list[object]) -> str | None:
    """One text: the constant, or the columns' texts: several are joined, names with hyphens, others by lines."""
    if column.const is not None:
        return column.const
    texts = [_replaced(column, text) for value in found if (text := _text(value)) is not None]
    return ("-" if field in _NAMES else "\n").join(texts) if texts else None


def _text(value: object) -> str | None:
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


def _replaced(column: ColumnConfig, text: str) -> str:
    if not column.values:
        return text
    if text not in column.values:
        raise ValueError(f"{text!r} is not among the mapping's values: {', '.join(sorted(column.values))}")
    return column.values[text]


def _medium(value: object) -> object:
    """A struct without its nulls, which polars writes for absent fields; None where nothing is left."""
    if isinstance(value, Mapping):
        return {name: inner for name, inner in value.items() if inner is not None} or None
    return value
