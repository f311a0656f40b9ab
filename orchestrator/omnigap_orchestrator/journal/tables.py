"""The tables of the journal, and the checksum that each row carries."""

from __future__ import annotations

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
        kinds = [str(field.type) for field in fields(row_type)]
        self._plain = tuple(_PLAIN[kind.removesuffix(" | None")] for kind in kinds)
        numbers = [place for place, kind in enumerate(kinds) if kind in ("int", "float")]
        others = [place for place in range(len(kinds)) if place not in numbers]
        self.checksum = _checksum(_picker(others), _picker(numbers), struct.Struct(f"<{len(numbers)}d").pack)
        """The checksum of a row, whose values are in the order of the columns; further ones are ignored.

        64-bit BLAKE2b of its texts, bytes and nullable numbers as an ASCII-escaped tuple, and of its other numbers as
        little-endian doubles. Raises TypeError, struct.error or OverflowError if a number is of another type."""

    def stored(self, row: RowT) -> Values:
        """The values to insert, checksum last.

        Raises:
            TypeError, ValueError: a number is of another type.
        """
        # As SQLite returns them: it has no enumerations, no integers in a column of floats, and no negative zero.
        pairs = zip(self._plain, self._values(row), strict=True)
        values = tuple(value if value is None else plain(value) for plain, value in pairs)
        try:
            return (*values, self.checksum(values))
        except struct.error:
            # A null that its column does not allow, which SQLite refuses.
            return (*values, None)

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
        row_type, checksum, matches = self.row_type, self.checksum, self.matches
        try:
            # Most often all rows are good: one expression without a call of `matches` is the fastest.
            good = [row_type(*values[:-1]) for values in found if checksum(values) == values[-1]]
        except (TypeError, struct.error, OverflowError):
            good = [row_type(*values[:-1]) for values in found if matches(values)]
        if len(good) == len(found):
            return good, []
        return good, [
            DamagedRow(self.name, values[: self.width], values[:-1]) for values in found if not matches(values)
        ]


def _plain_float(value: float) -> float:
    return float(value) + 0.0


_PLAIN: dict[str, Callable[[Any], Any]] = {"str": str, "int": int, "float": _plain_float, "bytes": bytes}
"""Type of a column -> what converts a value to the one that SQLite returns."""


def _checksum(
    others: Callable[[Values], Values], numbers: Callable[[Values], Values], pack: Callable[..., bytes]
) -> Callable[[Values], bytes]:
    def checksum(values: Values) -> bytes:
        return blake2b(ascii(others(values)).encode() + pack(*numbers(values)), digest_size=8).digest()

    return checksum


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
