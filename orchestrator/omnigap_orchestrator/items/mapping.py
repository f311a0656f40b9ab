"""Maps the rows of an external table to the documented form, by the column mapping of the configuration."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping

from omnigap.vocabulary import CHOICE_LETTERS
from omnigap_orchestrator.config.items import CarrierColumnsConfig, ColumnConfig, ColumnsConfig
from omnigap_orchestrator.items.columns import ColumnReader, replaced, text_of
from omnigap_orchestrator.items.item import ItemError
from omnigap_orchestrator.items.row import RowError

FIELDS = tuple(name for name in ColumnsConfig.model_fields if name != "carriers")
REQUIRED = ("task", "language", "question", "answer_type")
_LISTS = ("answers", "choices")
_NAMES = ("id", "task", "cluster")
_UNSCORED_WITHOUT = "answers"


class Mapper:
    """Applies one mapping to the rows of one file.

    A field without a mapping is read from the column of the same name, if it exists. A row without an id gets one from
    the file name and the row number.
    """

    def __init__(self, columns: ColumnsConfig | None, separator: str | None, names: Iterable[str], file: str) -> None:
        """Raises ItemError for a mapped column that does not exist, and for a required field without a column."""
        mapping = columns or ColumnsConfig()
        self._separator = separator
        self._reader = ColumnReader(names, file)
        self._names = self._reader.names
        self._fields = {
            field: getattr(mapping, field) or ColumnConfig(column=(field,))
            for field in FIELDS
            if getattr(mapping, field) is not None or field in self._names
        }
        # Presets mark columns as optional that only some files of a benchmark have.
        self._fields = {name: column for name, column in self._fields.items() if self._is_there(column)}
        self._carriers = {
            name: column
            for name in CarrierColumnsConfig.model_fields
            if (column := getattr(mapping.carriers, name)) is not None and self._is_there(column)
        }
        found = [
            fault
            for key, column in (*self._fields.items(), *((f"carriers.{k}", c) for k, c in self._carriers.items()))
            for fault in self._reader.faults(f"items.columns.{key}", column)
        ]
        # A metric such as the judge's needs no gold answers. Whether a row needs them is checked with its metric.
        needed = REQUIRED if "metric" in self._fields else (*REQUIRED[:3], _UNSCORED_WITHOUT, *REQUIRED[3:])
        found += [
            f'{file}: has no column {field!r}: name the column under [items.columns], as in {field} = "COLUMN", or '
            f'give all rows the same, as in {field} = {{ const = "..." }}'
            for field in needed
            if field not in self._fields
        ]
        if found:
            raise ItemError(*found)

    def _is_there(self, column: ColumnConfig) -> bool:
        return not column.optional or self._reader.has(column)

    @property
    def needed(self) -> list[str]:
        """The columns that the mapping reads, without duplicates."""
        used = (*self._fields.values(), *self._carriers.values())
        columns = dict.fromkeys(name for column in used for name in self._reader.columns_of(column))
        if not self._carriers and "carriers" in self._names:
            columns["carriers"] = None
        return list(columns)

    def row(self, values: Mapping[str, object], default_id: str) -> dict[str, object]:
        """Returns the row in the documented form.

        Raises:
            RowError: a value is not listed in the mapping's values, or cannot be written as text.
        """
        row: dict[str, object] = {}
        for field, column in self._fields.items():
            try:
                value = self._field(field, column, values)
            except ValueError as error:
                raise RowError(f"{field}: {error}") from None
            if value is not None:
                row[field] = value
        row.setdefault("id", default_id)
        self._write_letters(row)
        carriers: dict[str, object] = {}
        for name, column in self._carriers.items():
            try:
                carriers[name] = self._carrier(name, column, values)
            except ValueError as error:
                raise RowError(f"carriers.{name}: {error}") from None
        if not self._carriers and isinstance(own := values.get("carriers"), Mapping):
            carriers = {str(name): _medium(value) for name, value in own.items()}
        row["carriers"] = {name: value for name, value in carriers.items() if value is not None}
        return row

    def _field(self, field: str, column: ColumnConfig, values: Mapping[str, object]) -> object:
        if field == "checks":
            return _checks(self._reader.values(column, values))
        if field in _LISTS:
            return self._list(column, self._reader.values(column, values))
        return self._reader.text(column, values, "-" if field in _NAMES else "\n")

    def _list(self, column: ColumnConfig, found: list[object]) -> list[str] | None:
        """Texts of list columns, of several columns, or of one text split at the separator; nulls are skipped."""
        if column.const is not None:
            return self._split(column.const)
        texts: list[str] = []
        for value in map(_listed, found) if column.literal else found:
            parts = value if isinstance(value, list | tuple) else [value]
            for part in parts:
                text = text_of(part)
                if text is not None:
                    pieces = self._split(text) if not isinstance(value, list | tuple) else [text]
                    texts += [replaced(column, piece) for piece in pieces]
        return texts

    def _split(self, text: str) -> list[str]:
        if self._separator is None:
            return [text]
        return [piece.strip() for piece in text.split(self._separator) if piece.strip()]

    def _write_letters(self, row: dict[str, object]) -> None:
        """Replaces gold answers that are texts of choices by the letters of these choices."""
        column = self._fields.get("answers")
        answers, choices = row.get("answers"), row.get("choices")
        if column is None or not column.letter or not isinstance(answers, list) or not isinstance(choices, list):
            return
        stripped = [choice.strip() for choice in choices]
        if row.get("answer_type") != "letter":
            return
        for answer in answers:
            if answer.strip() not in stripped:
                raise RowError(f"answers: {answer!r} is not among the choices: {', '.join(stripped)}")
        row["answers"] = [CHOICE_LETTERS[stripped.index(answer.strip())] for answer in answers]

    def _carrier(self, name: str, column: ColumnConfig, values: Mapping[str, object]) -> object:
        if name == "text" or column.format is not None:
            return self._reader.text(column, values)
        found = next((value for value in self._reader.values(column, values) if value is not None), None)
        return _medium(found)


def _listed(value: object) -> object:
    """Parses a text that is a Python list, as pandas writes lists into CSV files; returns other values unchanged."""
    if isinstance(value, str) and value.strip().startswith("["):
        try:
            read = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return value
        return read if isinstance(read, list) else value
    return value


def _checks(found: list[object]) -> object:
    """Verifiable instructions: one list of `{id, kwargs}`, or a list of ids and a list of arguments."""
    if len(found) != 2:
        return found[0] if found else None
    kinds, arguments = found
    if not isinstance(kinds, list) or not isinstance(arguments, list) or len(kinds) != len(arguments):
        raise ValueError("give a list of ids and a list of arguments of the same length")
    return [{"id": kind, "kwargs": given or {}} for kind, given in zip(kinds, arguments, strict=True)]


def _medium(value: object) -> object:
    """A struct without nulls, which polars fills in for absent fields; None if nothing is left."""
    if isinstance(value, Mapping):
        return {name: inner for name, inner in value.items() if inner is not None} or None
    return value
