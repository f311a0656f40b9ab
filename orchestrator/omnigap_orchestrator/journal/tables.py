"""The tables of the journal, and the checksum that each row carries."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from hashlib import blake2b
from operator import attrgetter, itemgetter
from typing import Any, Generic, TypeVar

from omnigap_orchestrator.journal.rows import (
    AnswerRow,
    CarrierRow,
    FailureRow,
    Row,
    ScoreRow,
    ServiceRow,
    TranscriptRow,
    VerdictRow,
)

CHECKSUM = "checksum"
"""The last column of every table."""
CHECKSUM_BYTES = 8
_NEGATIVE_ZERO = struct.pack("<d", -0.0)

Values = tuple[Any, ...]
RowT = TypeVar("RowT", bound="Row | MetaRow")


@dataclass(frozen=True, slots=True)
class MetaRow:
    """A value that belongs to the run as a whole."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class DamagedRow:
    """A row whose content does not match its checksum. It is treated as absent.

    Attributes:
        table: name of the table.
        key: values of the primary key, as read; one of them may be what is damaged.
        values: all values as read, without the checksum.
    """

    table: str
    key: Values
    values: Values

    def __str__(self) -> str:
        return f"{self.table} {' '.join(str(part) for part in self.key)}"


class Table(Generic[RowT]):
    """A table: its row type, its SQL, and the checksum of its rows.

    Attributes:
        columns: the columns in order, without the checksum.
        width: number of columns of the primary key, which come first.
    """

    def __init__(self, name: str, row_type: type[RowT], width: int = 1) -> None:
        self.name = name
        self.row_type = row_type
        self.width = width
        self.columns = tuple(field.name for field in fields(row_type))
        listed = ", ".join((*self.columns, CHECKSUM))
        self.insert = f"INSERT OR REPLACE INTO {name} ({listed}) VALUES ({', '.join('?' * (len(self.columns) + 1))})"
        self.select = f"SELECT {listed} FROM {name}"
        self.delete = f"DELETE FROM {name} WHERE {' AND '.join(f'{column} = ?' for column in self.columns[:width])}"
        self._values = attrgetter(*self.columns)
        numbers = [
            place
            for place, field in enumerate(fields(row_type))
            if "float" in str(field.type) or "int" in str(field.type)
        ]
        texts = [place for place in range(len(self.columns)) if place not in numbers]
        self._texts, self._numbers = _picker(texts), _picker(numbers)
        self._pack = struct.Struct(f"<{len(numbers)}d").pack

    def stored(self, row: RowT) -> Values:
        """The values to insert, checksum last."""
        # Text as SQLite returns it: a member of an enumeration has another representation.
        values = tuple(str(value) if isinstance(value, str) else value for value in self._values(row))
        return (*values, self.checksum(values))

    def checksum(self, values: Values) -> bytes:
        """The checksum of a row: 64-bit BLAKE2b of its texts, ASCII-escaped, and its numbers as little-endian doubles.

        Args:
            values: in the order of the columns; further ones are ignored.

        Raises:
            TypeError, struct.error, OverflowError: a number is of another type.
        """
        numbers = self._numbers(values)
        try:
            packed = self._pack(*numbers)
        except struct.error:
            # SQLite has no NaN, so NaN can represent null.
            packed = self._pack(*[math.nan if number is None else number for number in numbers])
        if _NEGATIVE_ZERO in packed:
            # SQLite stores it as 0.
            packed = self._pack(*[math.nan if number is None else number + 0.0 for number in numbers])
        return blake2b(ascii(self._texts(values)).encode() + packed, digest_size=CHECKSUM_BYTES).digest()

    def matches(self, values: Values) -> bool:
        """Whether a row, as read with its checksum, is as it was written."""
        try:
            return bool(self.checksum(values) == values[-1])
        except (TypeError, struct.error, OverflowError):
            return False

    def checked(self, found: Sequence[Values]) -> tuple[list[RowT], list[DamagedRow]]:
        """The rows of a table that are as they were written, and the others.

        Args:
            found: as `select` returns them.
        """
        row_type, matches = self.row_type, self.matches
        good = [row_type(*values[:-1]) for values in found if matches(values)]
        if len(good) == len(found):
            return good, []
        return good, [
            DamagedRow(self.name, values[: self.width], values[:-1]) for values in found if not matches(values)
        ]


def _picker(places: list[int]) -> Callable[[Values], Values]:
    """A function that returns the values in these places as a tuple."""
    if len(places) > 1:
        return itemgetter(*places)
    return partial(_one_or_none, places)


def _one_or_none(places: list[int], values: Values) -> Values:
    return tuple(values[place] for place in places)


TABLES: dict[type, Table[Any]] = {
    CarrierRow: Table("carriers", CarrierRow),
    AnswerRow: Table("answers", AnswerRow),
    TranscriptRow: Table("transcripts", TranscriptRow),
    VerdictRow: Table("verdicts", VerdictRow),
    ScoreRow: Table("scores", ScoreRow),
    FailureRow: Table("failures", FailureRow, 5),
    ServiceRow: Table("services", ServiceRow, 2),
    MetaRow: Table("meta", MetaRow),
}
"""Row type -> its table."""
