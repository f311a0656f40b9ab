"""The error of a table that was made elsewhere."""

from __future__ import annotations


class TableError(Exception):
    """A table cannot be read as results; the message names the file, the column and the flag that mends it."""
