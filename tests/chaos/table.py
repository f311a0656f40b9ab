"""What a fault did to runs, and the Markdown table of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

HEADINGS = (
    "fault",
    "tries",
    "cells lost",
    "wrongly filed",
    "asked twice after journalling",
    "hangs",
    "other",
    "message",
)
_LONGEST = 110
_MOST_DETAILS = 6


@dataclass
class Row:
    """One row of the table.

    Attributes:
        lost: cells without an answer although nothing prevented one, or that stayed without after the fault was gone.
        wrong: cells filed with an answer, a digest or a number that is not what the service honestly gave.
        twice: requests for answers that were in the journal.
        other: tracebacks, wrong exit codes, a message that does not name the fault, unbounded memory.
        messages: what the user was shown, by how often.
        details: one line for each fault found.
    """

    fault: str
    tries: int = 0
    lost: int = 0
    wrong: int = 0
    twice: int = 0
    hangs: int = 0
    other: int = 0
    messages: Counter[str] = field(default_factory=Counter)
    details: list[str] = field(default_factory=list)

    @property
    def found(self) -> int:
        """Number of faults that reached the run."""
        return self.lost + self.wrong + self.twice + self.hangs + self.other

    def say(self, message: str) -> None:
        """Counts a message that the user was shown."""
        if message:
            self.messages[message] += 1

    def fail(self, column: str, detail: str, count: int = 1) -> None:
        """Counts a fault, with a line that says what happened."""
        setattr(self, column, getattr(self, column) + count)
        if len(self.details) < _MOST_DETAILS:
            self.details.append(f"{self.fault}: {column}: {plain(detail)[:300]}")

    def add(self, other: Row) -> None:
        """Adds the counts of another row."""
        for column in ("tries", "lost", "wrong", "twice", "hangs", "other"):
            setattr(self, column, getattr(self, column) + getattr(other, column))
        self.messages += other.messages
        self.details += other.details

    def cells(self) -> list[str]:
        message = self.messages.most_common(1)[0][0] if self.messages else ""
        counts = (self.tries, self.lost, self.wrong, self.twice, self.hangs, self.other)
        return [self.fault, *map(str, counts), shortened(message)]


def plain(text: str) -> str:
    """A text in one line without control characters."""
    return re.sub(r"\s+", " ", "".join(letter if letter.isprintable() else " " for letter in text)).strip()


def shortened(text: str) -> str:
    """A message as it fits into a table: no ports, no hashes, no paths, no bars."""
    text = re.sub(r"127\.0\.0\.1:\d+|\[::1\]:\d+", "HOST:PORT", plain(text))
    text = re.sub(r"\b[0-9a-f]{12,64}\b", "...", text)
    text = re.sub(r"/\S*/(runs/)", r"\1", text).replace("|", "/").replace("`", "'")
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def grouped(rows: Iterable[Row]) -> list[Row]:
    """One row for all rows of the same name."""
    found: dict[str, Row] = {}
    for row in rows:
        found.setdefault(row.fault, Row(row.fault)).add(row)
    return list(found.values())


def markdown(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table, with a sum at the end."""
    total = Row("all")
    for row in rows:
        total.add(row)
    total.messages.clear()
    lines = [f"| {' | '.join(HEADINGS)} |", f"| --- |{' ---: |' * (len(HEADINGS) - 2)} --- |"]
    return "\n".join([*lines, *(f"| {' | '.join(row.cells())} |" for row in [*rows, total])])


BEGIN, END = "<!-- table -->", "<!-- end of the table -->"


def with_table(page: str, table: str) -> str:
    """A page with another table between its two comments."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}"
